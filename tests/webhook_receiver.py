"""Somebody who is told by webhook: a real server that verifies what it gets, and answers as the test says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, Response
from standardwebhooks.webhooks import Webhook

from providers.payments.sandbox.serve import serving

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
PATIENCE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Heard:
    """What arrived; `told` is the body, once its signature was found to be right."""

    told: dict[str, Any]
    headers: dict[str, str]

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass(slots=True)
class Receiver:
    """`answers` are the statuses of the next answers; then it is 200. While `holds` nothing is answered."""

    secret: str = SECRET
    url: str = ""
    answers: list[int] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    location: str = "/elsewhere"
    said: str = "thanks"
    _arrived: asyncio.Queue[Heard] = field(default_factory=asyncio.Queue)
    _open: asyncio.Event = field(default_factory=asyncio.Event)

    def hold(self) -> None:
        self._open.clear()

    def let_go(self) -> None:
        self._open.set()

    @property
    def topics(self) -> list[str]:
        return [each.told["type"] for each in self.heard]

    async def next(self) -> Heard:
        return await asyncio.wait_for(self._arrived.get(), PATIENCE_SECONDS)

    async def receive(self, request: Request) -> Response:
        headers = dict(request.headers)
        told = Webhook(self.secret).verify(await request.body(), headers)
        heard = Heard(told, headers)
        self.heard.append(heard)
        self._arrived.put_nowait(heard)
        await self._open.wait()
        status = self.answers.pop(0) if self.answers else 200
        return Response(self.said, status, {"Location": self.location} if status < 400 else {})


@asynccontextmanager
async def receiving(secret: str = SECRET) -> AsyncIterator[Receiver]:
    receiver, app = Receiver(secret), FastAPI()
    receiver.let_go()
    app.add_api_route("/hooks", receiver.receive, methods=["POST"])
    async with serving(app) as address:
        receiver.url = f"{address}/hooks"
        try:
            yield receiver
        finally:
            receiver.let_go()
