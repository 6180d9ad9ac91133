"""Webhooks to our own endpoint: signed as Stripe signs them, retried, and if wanted doubled or out of order."""

import asyncio
import hashlib
import hmac
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import httpx
from pydantic import BaseModel, ConfigDict, Field

from providers.payments.sandbox.store import Json

DEFAULT_SECRET = "whsec_sandbox"
TIMEOUT = httpx.Timeout(10)  # seconds
REMEMBERED = 1_000  # deliveries


class HookSettings(BaseModel):
    """Where events go and how badly. `held` gathers them until they are released; `copies` sends each so
    often; a delivery that fails is tried again after each of `retry_after` (milliseconds) in turn.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = Field(default=None, pattern=r"^https?://")
    secret: str = Field(default=DEFAULT_SECRET, min_length=1)
    enabled: bool = True
    held: bool = False
    copies: int = Field(default=1, ge=1, le=100)
    retry_after: tuple[int, ...] = (500, 2_000, 10_000, 60_000, 300_000, 1_800_000)


@dataclass(frozen=True, slots=True)
class _Delivery:
    event: Json
    attempt: int = 1


class Hooks:
    """One delivery at a time, in order; those to be tried again wait their turn beside it."""

    def __init__(self, settings: HookSettings, clock: Callable[[], int]) -> None:
        self.settings = settings
        self.log: deque[Json] = deque(maxlen=REMEMBERED)
        self.gathered: list[Json] = []
        self.waiting = 0
        self._clock = clock
        self._queue: asyncio.Queue[_Delivery] = asyncio.Queue()

    def deliver(self, event: Json) -> None:
        if self.settings.url is None or not self.settings.enabled:
            return
        for _ in range(self.settings.copies):
            if self.settings.held:
                self.gathered.append(event)
            else:
                self._send_later(_Delivery(event))

    def release(self, *, reverse: bool) -> int:
        """Send what was gathered, the newest first if `reverse`; return how many that is."""
        gathered, self.gathered = self.gathered, []
        for event in reversed(gathered) if reverse else gathered:
            self._send_later(_Delivery(event))
        return len(gathered)

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as client:
            while True:
                delivery = await self._queue.get()
                url = self.settings.url
                status = None if url is None else await self._attempt(client, url, delivery)
                self.waiting -= 1
                if url is None:  # taken away meanwhile
                    continue
                self._note(delivery, status)
                if status is None or not 200 <= status < 300:
                    self._retry(delivery)

    def _send_later(self, delivery: _Delivery) -> None:
        self.waiting += 1
        self._queue.put_nowait(delivery)

    def _retry(self, delivery: _Delivery) -> None:
        if delivery.attempt > len(self.settings.retry_after):
            return
        milliseconds = self.settings.retry_after[delivery.attempt - 1]
        again = _Delivery(delivery.event, delivery.attempt + 1)
        asyncio.get_running_loop().call_later(milliseconds / 1000, self._send_later, again)

    async def _attempt(
        self, client: httpx.AsyncClient, url: str, delivery: _Delivery
    ) -> int | None:
        """The endpoint's status, or None where there was no answer."""
        payload = json.dumps(delivery.event)
        signature = signed(payload, self.settings.secret, self._clock())
        headers = {"Content-Type": "application/json", "Stripe-Signature": signature}
        try:
            return (await client.post(url, content=payload, headers=headers)).status_code
        except httpx.HTTPError:
            return None

    def _note(self, delivery: _Delivery, status: int | None) -> None:
        event = delivery.event
        entry = {"event": event["id"], "type": event["type"], "attempt": delivery.attempt}
        self.log.append({**entry, "status": status})


def signed(payload: str, secret: str, at: int) -> str:
    """The `Stripe-Signature` header for a body sent `at` (seconds since 1970)."""
    mac = hmac.new(secret.encode(), f"{at}.{payload}".encode(), hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"
