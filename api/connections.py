"""What the API talks to: opened once, when it starts."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request
from temporalio.client import Client
from temporalio.service import RPCError

from db.session import Database
from domain.errors import Unavailable
from domain.webhooks.addresses import PrivateAddresses
from workflows.handles import TASK_QUEUE, RunningLives
from workflows.wire import DATA_CONVERTER

CONNECT_SECONDS = 5
# An answer usually takes milliseconds. Where it takes longer, the caller is told that it was asked for.
PATIENCE_SECONDS = 20


class Settings(Protocol):
    """What the API must know to open its connections. `temporal` are arguments of `Client.connect`."""

    @property
    def database_url(self) -> str: ...
    @property
    def temporal(self) -> Mapping[str, Any]: ...
    @property
    def stripe_webhook_secret(self) -> str | None: ...
    @property
    def webhook_private_addresses(self) -> PrivateAddresses: ...


@dataclass(frozen=True, slots=True)
class Connections:
    """`webhook_secret` verifies what the payment provider sends; without one its webhooks are refused.
    `private_addresses` says which environments may have webhook endpoints on this machine and its network.
    """

    database: Database
    temporal: Client
    webhook_secret: str | None = field(default=None, repr=False)
    task_queue: str = TASK_QUEUE
    patience: float = PATIENCE_SECONDS
    private_addresses: PrivateAddresses = "refused"

    @property
    def lives(self) -> RunningLives:
        """The way to the lives that run: it waits a while for their answers, not for ever."""
        return RunningLives(self.temporal, self.task_queue, timedelta(seconds=self.patience))


@asynccontextmanager
async def open_connections(settings: Settings) -> AsyncIterator[Connections]:
    """Open the database and Temporal. Raises `Unavailable` in one clear line where one does not answer, and `Corrupt`
    where our database role would pass by row security.
    """
    database = Database(settings.database_url)
    try:
        await database.check_role()
        temporal = await connect_temporal(settings.temporal)
        yield Connections(
            database,
            temporal,
            settings.stripe_webhook_secret,
            private_addresses=settings.webhook_private_addresses,
        )
    finally:
        await database.close()


async def connect_temporal(arguments: Mapping[str, Any]) -> Client:
    """A client that speaks the domain's own JSON. Raises `Unavailable`."""
    target = arguments.get("target_host", "localhost:7233")
    try:
        connecting = Client.connect(
            **{"target_host": target, **arguments}, data_converter=DATA_CONVERTER
        )
        return await asyncio.wait_for(connecting, CONNECT_SECONDS)
    except (RuntimeError, RPCError, TimeoutError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else "no answer"
        raise Unavailable(f"Temporal at {target} does not answer: {reason}") from error


def _connections(request: Request) -> Connections:
    connections: Connections = request.app.state.connections
    return connections


Opened = Annotated[Connections, Depends(_connections)]
