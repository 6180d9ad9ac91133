"""The sandbox's strings in code: what tests, demos and scenarios pull over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Self
from urllib.parse import quote

import httpx

from domain.errors import Corrupt
from providers.payments.sandbox.store import Json


class SandboxRemote:
    """Speaks to the `/sandbox` routes of the sandbox at `address`; raises `Corrupt` for what those refuse."""

    def __init__(self, address: str) -> None:
        # Plain HTTP on this machine: no proxy, no certificates.
        self._http = httpx.AsyncClient(base_url=f"{address}/sandbox", trust_env=False, verify=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def script(self, customer: str, outcomes: Sequence[str]) -> None:
        """Answer the customer's next attempts (`succeeded`, `declined:CODE`, `requires_action`, `processing`)
        in turn; the last repeats. `customer` is the provider's id or the key it was created with.
        """
        name = quote(customer, safe="")
        await self._call("PUT", f"customers/{name}/outcomes", {"outcomes": list(outcomes)})

    async def order_fault(self, fault: str, **details: object) -> None:
        """`refuse`, `save_error`, `drop_response`, `delay` or `hold`, with the fields of faults.py."""
        await self._call("POST", "faults", {"fault": fault, **details})

    async def held_calls(self) -> int:
        return int((await self._call("GET", "faults"))["held"])

    async def clear_faults(self) -> None:
        """Forget what was ordered, and let held calls go on."""
        await self._call("DELETE", "faults")

    async def prune_keys(self) -> int:
        return int((await self._call("DELETE", "idempotency-keys"))["pruned"])

    async def send_hooks(self, url: str | None, **settings: object) -> None:
        """Send webhooks to `url`, with the settings of hooks.py."""
        await self._call("PUT", "webhooks", {"url": url, **settings})

    async def hooks(self) -> Json:
        """The settings, how many deliveries wait, and the log of those attempted."""
        return await self._call("GET", "webhooks")

    async def release_hooks(self, *, reverse: bool = False) -> int:
        return int((await self._call("POST", "webhooks/release", {"reverse": reverse}))["released"])

    async def settle(self, intent: str, outcome: str = "succeeded") -> None:
        """End an intent that is processing."""
        await self._call("POST", f"payment_intents/{intent}/settle", {"outcome": outcome})

    async def authenticate(self, intent: str, outcome: str = "succeeded") -> None:
        """Let the customer answer an intent that requires action."""
        await self._call("POST", f"payment_intents/{intent}/authenticate", {"outcome": outcome})

    async def dispute(self, intent: str) -> None:
        await self._call("POST", f"payment_intents/{intent}/dispute")

    async def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Json:
        response = await self._http.request(method, path, json=body)
        if not response.is_success:
            raise Corrupt(f"the sandbox refuses {method} {path}: {response.text}")
        answer: Json = response.json()
        return answer
