"""An endpoint that takes webhooks, answers as it is told, and hands on what it got."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from fastapi import FastAPI, Request, Response

from providers.payments.port import ProviderEvent
from providers.payments.sandbox.hooks import DEFAULT_SECRET
from providers.payments.sandbox.serve import serving
from providers.payments.webhooks import read_event

PATIENCE = 20  # seconds, until a webhook that does not come fails the test


@dataclass(slots=True)
class HookReceiver:
    url: str = ""
    statuses: list[int] = field(default_factory=list)  # of the next answers; then 200
    _arrived: asyncio.Queue[ProviderEvent] = field(default_factory=asyncio.Queue)

    async def receive(self, request: Request) -> Response:
        signature = request.headers["stripe-signature"]
        self._arrived.put_nowait(read_event(await request.body(), signature, DEFAULT_SECRET))
        return Response(status_code=self.statuses.pop(0) if self.statuses else 200)

    async def next(self) -> ProviderEvent:
        return await asyncio.wait_for(self._arrived.get(), PATIENCE)

    async def several(self, count: int) -> list[ProviderEvent]:
        return [await self.next() for _ in range(count)]

    def is_empty(self) -> bool:
        return self._arrived.empty()


@contextlib.asynccontextmanager
async def hook_receiver() -> AsyncIterator[HookReceiver]:
    receiver, app = HookReceiver(), FastAPI()
    app.add_api_route("/hooks", receiver.receive, methods=["POST"])
    async with serving(app) as address:
        receiver.url = f"{address}/hooks"
        yield receiver
