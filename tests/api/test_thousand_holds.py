"""A thousand calls at once against a real server: exactly as many holds as there is credit for."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import Any
from urllib.parse import urlsplit

import pytest

from api.app import app_with
from api.connections import Connections
from db.session import Database
from db.tenants import Environment
from providers.payments.sandbox.serve import serving_in_thread
from tests import servers
from tests.api.conftest import Desk
from tests.billing_world import World, open_world

CALLS = 1_000


@pytest.fixture
def address(database_urls: servers.Addresses) -> Iterator[str]:
    """A server with connections of its own."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[Connections]:
        database = Database(database_urls["app"])
        yield Connections(database, None)  # type: ignore[arg-type]  # no life is asked
        await database.close()

    with serving_in_thread(app_with(connect)) as address:
        yield address


class Gateway:
    """Calls over a connection each; a server that is too busy is asked again."""

    def __init__(self, address: str, key: str) -> None:
        self._host, self._port = urlsplit(address).hostname, urlsplit(address).port
        self._key = key

    async def post(self, path: str, body: Mapping[str, object]) -> tuple[int, Any]:
        status = 503
        while status == 503:
            status, answered = await self._ask(path, json.dumps(body))
        return status, answered

    async def _ask(self, path: str, body: str) -> tuple[int, Any]:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        head = f"Host: weir\r\nAuthorization: Bearer {self._key}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {len(body)}"
        writer.write(f"POST /v1/{path} HTTP/1.1\r\n{head}\r\n\r\n{body}".encode())
        told, _, answered = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        return int(told.split()[1]), json.loads(answered)


@pytest.fixture
async def world(database: Database, environment: Environment) -> World:
    world = await open_world(database, environment)
    await world.begin()
    return world


@pytest.fixture
async def gateway(world: World, desk: Desk, environment: Environment, address: str) -> Gateway:
    return Gateway(address, await desk.key(environment, "usage"))


def hold(amount: str) -> Mapping[str, object]:
    return {"customer": "acme", "amount": amount, "currency": "USD"}


async def statuses(calls: Iterable[Awaitable[tuple[int, Any]]]) -> Counter[int]:
    return Counter(status for status, _ in await asyncio.gather(*calls))


async def test_a_thousand_racing_holds_grant_what_there_is(gateway: Gateway, world: World) -> None:
    await world.grant(1_000)
    granted = await statuses(gateway.post("holds", hold("0.0137")) for _ in range(CALLS))
    assert granted == {201: 729, 402: 271}  # of 10.00
    ((reserved, claims),) = await world.rows(
        "SELECT reserved, (SELECT sum(claim) FROM holds) FROM wallets"
    )
    assert Fraction(reserved) == Fraction(claims) == 729 * Fraction("0.0137")


async def test_releases_and_settlements_race_along(gateway: Gateway, world: World) -> None:
    """Of every three that are granted, one is released, one settled with half, one left open."""
    await world.grant(30)

    async def call(number: int) -> str:
        status, held = await gateway.post("holds", hold("0.01"))
        if status != 201:
            return "refused"
        assert Fraction(held["available"]) >= 0
        path = f"holds/{held['id']}"
        ends: tuple[Any, ...] = ("release", {}), ("settle", {"amount": "0.005"}), None
        if (end := ends[number % 3]) is None:
            return "open"
        assert (await gateway.post(f"{path}/{end[0]}", end[1]))[0] == 200
        return str(end[0])

    became = Counter(await asyncio.gather(*(call(number) for number in range(150))))
    left = 30 - became["open"] - Fraction(became["settle"], 2)
    assert left >= 0
    wanted = int(left)  # nothing else claims anything: what is left is all there
    assert await statuses(gateway.post("holds", hold("0.01")) for _ in range(wanted + 5)) == {
        **({201: wanted} if wanted else {}),
        402: 5,
    }
