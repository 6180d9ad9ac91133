"""Where routes are measured: a real PostgreSQL, durable, and the API in a process of its own with yardsticks beside it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psycopg

from bench._latencies import Connected, Latencies
from cli.stack.child import free_port
from cli.stack.postgres import Postgres
from db import migrate
from db.session import Database

TURNS = 10
LOOK_SECONDS = 0.1


@asynccontextmanager
async def migrated(*, durable: bool) -> AsyncIterator[tuple[Database, Postgres]]:
    """A server of our own while the block runs, with a database of this build in it."""
    with TemporaryDirectory(prefix="weir-bench-") as directory:
        async with Postgres(Path(directory), durable=durable) as server:
            await asyncio.to_thread(migrate.upgrade, server.owner_url, server.app_url)
            database = Database(server.app_url)
            try:
                yield database, server
            finally:
                await database.close()


async def vacuum(server: Postgres) -> None:
    """What a server in use does by itself after a while."""
    owner = await psycopg.AsyncConnection.connect(server.owner_url, autocommit=True)
    async with owner:
        await owner.execute("VACUUM ANALYZE")


@asynccontextmanager
async def standing(fill: Callable[[Database], Awaitable[str]]) -> AsyncIterator[tuple[int, str]]:
    """The port of the API while the block runs, and the API key that `fill` makes beside what is to be measured."""
    async with migrated(durable=True) as (database, server):
        key = await fill(database)
        await vacuum(server)
        port = free_port()
        served = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bench._yardsticks",
            str(port),
            env={**os.environ, "DATABASE_URL": server.app_url},
        )
        try:
            await _ready(port)
            yield port, key
        finally:
            served.terminate()
            await served.wait()


async def in_turns(
    connected: Connected, ones: Sequence[bytes], others: Sequence[bytes], number: int
) -> tuple[Latencies, Latencies]:
    """Both, a turn each, over and over: what else the machine does slows down both."""
    taken = Latencies(), Latencies()
    for turn in range(TURNS):
        for requests, into in zip((ones, others), taken, strict=True):
            first = turn * number % len(requests)
            await connected.send([*requests[first:], *requests[:first]], number, into)
    return taken


async def behind_events(
    connected: Connected,
    news: Sequence[Sequence[bytes]],
    ones: Sequence[bytes],
    others: Sequence[bytes],
) -> tuple[Latencies, Latencies]:
    """The same, each turn behind events of all that are asked for in it."""
    taken = Latencies(), Latencies()
    for events in news:
        await connected.send(events, len(events), Latencies())
        for requests, into in zip((ones, others), taken, strict=True):
            await connected.send(requests, len(requests), into)
    return taken


async def _ready(port: int) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(600):
            try:
                await client.get(f"http://127.0.0.1:{port}/healthz")
            except httpx.TransportError:
                await asyncio.sleep(LOOK_SECONDS)
            else:
                return
    raise RuntimeError("the API does not come up")
