"""A check of what a customer may use, against a route that does one indexed SELECT through the same stack: both over HTTP,
from a real uvicorn and a real PostgreSQL, in turns of some hundred requests under 32 connections.

Two hundred customers each have a subscription and have used something. Most checks find what is kept; those that come
behind an event add it to what is kept, and no pump takes the events away meanwhile.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import text

from bench._latencies import Connected, Latencies, request
from bench._stand import TURNS, behind_events, in_turns, standing
from bench._subscribed import add_catalog, event, subscribe
from db.customers import CustomerFacts, add_customer
from db.ids import new_id
from db.keys import create_key
from db.session import Database
from db.tenants import open_environment, open_tenant
from db.usage_horizon import wait_for_horizon
from db.usage_pump import pump_once

CUSTOMERS = 200
EVENTS_EACH = 20
A_TURN = 320
MOST = "1.50"
ADD_EVENTS = text("""
    INSERT INTO usage_events
        (environment_id, id, event_name, customer_id, customer_key, time, properties)
    SELECT :environment, c.key || ' ' || n, 'llm', c.id, c.key, now() - n * interval '1 minute',
        '{"tokens": "10"}'
    FROM customers c CROSS JOIN generate_series(1, CAST(:each AS integer)) AS n
""")


def measure() -> Iterator[str]:
    yield from asyncio.run(_measure())


@dataclass(frozen=True, slots=True)
class Stand:
    """What requests are sent with."""

    key: str

    def check(self, *customers: str) -> bytes:
        checks = [{"customer": each, "feature": "tokens", "quantity": "1"} for each in customers]
        asked = checks[0] if len(checks) == 1 else {"checks": checks}
        return request("POST", "/v1/entitlements/check", self.key, json.dumps(asked).encode())

    def select(self, customer: str) -> bytes:
        return request("GET", f"/v1/yardsticks/select/{customer}", self.key)


async def _measure() -> list[str]:
    async with standing(_fill) as (port, key), Connected(port) as connected:
        stand = Stand(key)
        names = [f"customer-{number}" for number in range(CUSTOMERS)]
        checks, selects = [stand.check(n) for n in names], [stand.select(n) for n in names]
        first = Latencies()
        await connected.send(checks, CUSTOMERS, first)  # computed, and kept
        kept, yardstick = await in_turns(connected, checks, selects, A_TURN)
        hundreds = [stand.check(*names[n : n + 100]) for n in range(0, CUSTOMERS, 100)]
        batches, again = await in_turns(connected, hundreds, selects, A_TURN // 10)
        news = [[event(key, name, turn) for name in names] for turn in range(TURNS)]
        behind, beside = await behind_events(connected, news, checks, selects)
    return [
        f"a check takes {kept.told(yardstick)} as long as one indexed SELECT (at most {MOST})",
        f"a check behind an event: {behind.told(beside)} as long (at most {MOST})",
        f"a hundred checks at once: {batches.told(again)} as long",
        f"the first check of a customer, which computes what is kept: {first.told(yardstick)} as long",
    ]


async def _fill(database: Database) -> str:
    """Customers with subscriptions and usage; an API key."""
    async with database.registry() as connection:
        tenant = await open_tenant(connection, "bench", "Bench")
        environment = await open_environment(connection, tenant.id, "test")
    async with database.transaction(environment.id) as connection:
        await add_catalog(connection, environment.id)
        for number in range(CUSTOMERS):
            customer = new_id("cus")
            await add_customer(
                connection, environment.id, customer, f"customer-{number}", CustomerFacts()
            )
            await subscribe(connection, environment.id, customer)
        asked = {"environment": environment.id, "each": EVENTS_EACH}
        await connection.execute(ADD_EVENTS, asked)
        _, key = await create_key(connection, environment, "bench", ["admin"])
    await wait_for_horizon(database)
    await pump_once(database, environment.id)
    return key
