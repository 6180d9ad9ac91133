"""Holds of credit and of what is left of a limit, also behind an event, against a route that does one durable UPDATE of one row
through the same stack: both over HTTP, from a real uvicorn and a real PostgreSQL, in turns of some hundred requests under 32
connections.
"""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from bench._latencies import Connected, Latencies, request
from bench._stand import TURNS, behind_events, in_turns, standing
from bench._subscribed import add_catalog, event, subscribe
from db.credits import add_grant
from db.customers import CustomerFacts, add_customer
from db.ids import new_id
from db.keys import create_key
from db.ledger import post
from db.locks import lock_customer
from db.session import Database
from db.tenants import open_environment, open_tenant
from domain import ledger
from domain.credits import Grant
from domain.money import Money

CUSTOMERS = 200
A_TURN = 320
MOST = "1.50"


def measure() -> Iterator[str]:
    yield from asyncio.run(_measure())


async def _measure() -> list[str]:
    names = [f"customer-{number}" for number in range(CUSTOMERS)]
    async with standing(_fill) as (port, key), Connected(port) as connected:
        holds = [_hold(key, name, amount="0.0125", currency="USD") for name in names]
        limits = [_hold(key, name, feature="tokens", quantity="1") for name in names]
        updates = [request("POST", f"/v1/yardsticks/update/{name}", key) for name in names]
        for each in (holds, limits, updates):  # what is prepared once is prepared
            await connected.send(each, A_TURN, Latencies())
        held, yardstick = await in_turns(connected, holds, updates, A_TURN)
        limited, beside = await in_turns(connected, limits, updates, A_TURN)
        news = [[event(key, name, turn) for name in names] for turn in range(TURNS)]
        behind, again = await behind_events(connected, news, limits, updates)
    return [
        f"a hold takes {held.told(yardstick)} as long as one durable UPDATE (at most {MOST})",
        f"a hold on a metered feature: {limited.told(beside)} as long (at most {MOST})",
        f"the same behind an event: {behind.told(again)} as long",
    ]


def _hold(key: str, customer: str, **of: str) -> bytes:
    return request("POST", "/v1/holds", key, json.dumps({"customer": customer, **of}).encode())


async def _fill(database: Database) -> str:
    """Customers with credit and subscriptions; an API key."""
    async with database.registry() as connection:
        tenant = await open_tenant(connection, "bench", "Bench")
        environment = await open_environment(connection, tenant.id, "test")
    async with database.transaction(environment.id) as connection:
        await add_catalog(connection, environment.id)
        for number in range(CUSTOMERS):
            await _give(connection, environment.id, f"customer-{number}")
        return (await create_key(connection, environment, "bench", ["admin"]))[1]


async def _give(connection: AsyncConnection, environment: str, key: str) -> None:
    customer, now = new_id("cus"), datetime.now(UTC)
    await add_customer(connection, environment, customer, key, CustomerFacts())
    credit = Money(10**9, "USD")
    grant = Grant(new_id("crg"), new_id("key"), customer, "prepaid", credit, 50, now, now)
    await lock_customer(connection, customer)
    await add_grant(connection, environment, grant)
    await post(connection, environment, customer, ledger.granted(grant))
    await subscribe(connection, environment, customer)
