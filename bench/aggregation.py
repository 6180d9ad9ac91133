"""One subscription's month, aggregated by its rollups: with so many events, and with ten times as many of them.

Both fall into the same minutes and have the same distinct values, so what is measured is the number of events alone.
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from time import perf_counter

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bench._stand import migrated, vacuum
from db.catalog import add
from db.customers import CustomerFacts, add_customer
from db.ids import new_id
from db.session import Database
from db.tenants import open_environment, open_tenant
from db.usage import usage_in
from db.usage_horizon import cut_off, wait_for_horizon
from db.usage_measures import Consumer
from db.usage_pump import pump_once
from domain.calendar import Period
from domain.metering.meter import Meter, read_meter

EVENTS = 10_000
TIMES = 10
A_TRANSACTION = 1_000
ROUNDS = 25
ZONE = "Asia/Kolkata"
MONTH = Period(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))

KINDS: dict[str, dict[str, object]] = {
    "count": {"aggregation": "count"},
    "sum": {"aggregation": "sum", "value": "tokens"},
    "sum by model": {"aggregation": "sum", "value": "tokens", "group_by": ["model"]},
    "sum carried over": {"aggregation": "sum", "value": "tokens", "carry_over": True},
    "max": {"aggregation": "max", "value": "tokens"},
    "max by the minute": {"aggregation": "max", "value": "tokens", "window": "minute"},
    "max by the hour": {"aggregation": "max", "value": "tokens", "window": "hour"},
    "min by the day": {"aggregation": "min", "value": "tokens", "window": "day"},
    "avg by the week": {"aggregation": "avg", "value": "tokens", "window": "week"},
    "latest": {"aggregation": "latest", "value": "tokens"},
    "unique count": {"aggregation": "unique_count", "value": "user"},
    "unique count by the day": {"aggregation": "unique_count", "value": "user", "window": "day"},
    "percentile": {"aggregation": "percentile", "value": "tokens", "percentile": "95"},
    "weighted sum": {"aggregation": "weighted_sum", "value": "tokens"},
    "weighted sum by the hour": {
        "aggregation": "weighted_sum",
        "value": "tokens",
        "window": "hour",
    },
    "weighted sum of a level that is set": {
        "aggregation": "weighted_sum",
        "value": "tokens",
        "level": "set",
    },
}
METERS = {
    name: {"key": f"m{number}", "event_name": "llm", **kind}
    for number, (name, kind) in enumerate(KINDS.items())
}

# Each fourth minute of the month, up to the number of events; from then on the same again.
ADD_EVENTS = text("""
    INSERT INTO usage_events
        (environment_id, id, event_name, customer_id, customer_key, time, properties)
    SELECT :environment, :customer || n, 'llm', :customer, :customer,
        CAST(:start AS timestamptz) + interval '4 minutes' * (n % :events) + interval '1 second' * (n / :events),
        jsonb_build_object('tokens', (n % :events % 89)::text, 'user', 'user-' || n % :events % 89,
            'model', 'model-' || n % :events % 5)
    FROM generate_series(CAST(:first AS integer), :last) AS n
""")


def measure() -> Iterator[str]:
    yield from asyncio.run(_measure())


async def _measure() -> list[str]:
    async with migrated(durable=False) as (database, server):
        environment = await _environment(database)
        few = await _customer(database, environment, EVENTS)
        many = await _customer(database, environment, TIMES * EVENTS)
        await wait_for_horizon(database)
        await pump_once(database, environment)
        await vacuum(server)
        return [await _compared(database, environment, name, few, many) for name in METERS]


async def _environment(database: Database) -> str:
    async with database.registry() as connection:
        tenant = await open_tenant(connection, "bench", "Bench")
        environment = (await open_environment(connection, tenant.id, "test")).id
    async with database.transaction(environment) as connection:
        await connection.execute(text("SELECT make_usage_partition('2026-01-01')"))
        for meter in METERS.values():
            await add(connection, environment, "meters", new_id("mtr"), meter)
    return environment


async def _customer(database: Database, environment: str, number: int) -> str:
    """A customer with so many events."""
    customer = new_id("cus")
    async with database.transaction(environment) as connection:
        await add_customer(connection, environment, customer, customer, CustomerFacts())
    asked = {"environment": environment, "customer": customer, "start": MONTH.start}
    for first in range(0, number, A_TRANSACTION):
        bounds = {"first": first, "last": first + A_TRANSACTION - 1, "events": EVENTS}
        async with database.transaction(environment) as connection:
            await connection.execute(ADD_EVENTS, asked | bounds)
    return customer


async def _compared(database: Database, environment: str, name: str, few: str, many: str) -> str:
    """The quickest of each, measured in turns so that both meet the same machine."""
    meter = read_meter(METERS[name])
    seconds: dict[str, list[float]] = {few: [], many: []}
    async with database.transaction(environment, "REPEATABLE READ") as connection:
        for _ in range(ROUNDS):
            for customer, taken in seconds.items():
                taken.append(await _seconds(connection, customer, meter))
    less, more = min(seconds[few]), min(seconds[many])
    return (
        f"{name}: {1000 * less:.1f} ms for {EVENTS:,} events, {1000 * more:.1f} ms for"
        f" {TIMES * EVENTS:,}: {more / less:.2f} times (at most 1.3)"
    )


async def _seconds(connection: AsyncConnection, customer: str, meter: Meter) -> float:
    cutoff = await cut_off(connection)
    begun = perf_counter()
    await usage_in(connection, Consumer(customer, None, ZONE), meter, MONTH, "quantity", cutoff)
    return perf_counter() - begun
