"""How Stripe's client reaches the network: over httpx, with our timeouts."""

import asyncio
from collections.abc import Mapping
from functools import cache

import httpx
import stripe

_certificates = cache(httpx.create_ssl_context)  # slow to read, and the same for every client


class HttpxTransport(stripe.HTTPClient):
    """Stripe's own httpx client with the body passed on as it is, and its parts typed."""

    name = "httpx"

    def __init__(self, timeout: httpx.Timeout) -> None:
        super().__init__()
        self._client = httpx.AsyncClient(timeout=timeout, verify=_certificates())

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        try:
            response = await self._client.request(
                method, url, headers=dict(headers), content=post_data
            )
        except httpx.HTTPError as error:
            reason = f"{type(error).__name__} {error}".strip()
            raise stripe.APIConnectionError(  # type: ignore[no-untyped-call]  # it has no annotations
                reason, should_retry=True
            ) from error
        return response.content, response.status_code, response.headers

    async def sleep_async(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def close_async(self) -> None:
        await self._client.aclose()
