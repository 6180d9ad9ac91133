"""What a customer runs up, rated anew after one event: of a life that has closed 60 periods, and of one that has closed 2.

Both live through the real steps, with an event every few hours and an invoice each month. `PERIODS` in the environment is
another number of periods.
"""

import asyncio
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

from sqlalchemy import text

from activities.billing import BillingSteps
from activities.steps import Begin, EndPeriod
from bench._stand import migrated, vacuum
from db.catalog import add
from db.customers import CustomerFacts, add_customer
from db.ids import new_id
from db.plans import add_version, lock_plan
from db.running import rate_running
from db.running_facts import Payer
from db.session import Database
from db.subscriptions import add_subscription
from db.tenants import open_environment, open_tenant
from db.usage_horizon import wait_for_horizon
from db.usage_pump import pump_once
from db.wallets import open_wallet
from domain import lifecycle
from domain.catalog import read_plan
from domain.customers import Customer
from domain.subscription import Subscription

FEW, MANY = 2, int(os.environ.get("PERIODS", "60"))
ROUNDS = 25
EVERY = timedelta(hours=6)
MOST = "at most 1.3"
TOKENS = {"key": "tokens", "event_name": "llm", "aggregation": "sum", "value": "tokens"}
PLAN: Mapping[str, Any] = {
    "key": "pro",
    "currency": "USD",
    "interval": {"unit": "month"},
    "items": [
        {"key": "base", "kind": "recurring", "price": {"model": "flat", "amount": "20"}},
        {
            "key": "tokens",
            "kind": "usage",
            "meter": "tokens",
            "price": {"model": "per_unit", "unit_amount": "0.01"},
        },
    ],
}
ADD_EVENTS = text("""
    INSERT INTO usage_events (environment_id, id, event_name, customer_id, customer_key, time, properties)
    SELECT :environment, :customer || at, 'llm', :customer, :customer, at, '{"tokens": "7"}'
    FROM generate_series(CAST(:start AS timestamptz), :stop, :every) AS at
""")


@dataclass(slots=True)
class Life:
    """A customer with a subscription that has closed so many periods up to `NOW`."""

    customer: str
    subscription: Subscription


def measure() -> Iterator[str]:
    yield from asyncio.run(_measure())


async def _measure() -> list[str]:
    async with migrated(durable=False) as (database, server):
        environment = await _environment(database)
        young = await _lived(database, environment, FEW)
        old = await _lived(database, environment, MANY)
        await vacuum(server)
        return [await _compared(database, environment, young, old)]


async def _environment(database: Database) -> str:
    async with database.registry() as connection:
        tenant = await open_tenant(connection, "bench", "Bench")
        environment = (await open_environment(connection, tenant.id, "test")).id
    async with database.transaction(environment) as connection:
        for start in _months(MANY + 1):
            await connection.execute(
                text("SELECT make_usage_partition(:month)"), {"month": start.date()}
            )
        await add(connection, environment, "meters", new_id("mtr"), TOKENS)
        plan = await lock_plan(connection, environment, new_id("pln"), "pro")
        await add_version(connection, environment, plan, PLAN)
    return environment


def _months(number: int) -> list[datetime]:
    """The starts of so many months up to this one."""
    found = [datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)]
    while len(found) < number:
        found.insert(0, (found[0] - timedelta(days=1)).replace(day=1))
    return found


async def _lived(database: Database, environment: str, periods: int) -> Life:
    """A customer who has used something every few hours and was billed for it each month, that many times."""
    customer, starts = new_id("cus"), _months(periods + 1)
    async with database.transaction(environment) as connection:
        await add_customer(connection, environment, customer, customer, CustomerFacts())
        await open_wallet(connection, environment, customer, "USD")
        living = lifecycle.new_subscription(
            id=new_id("sub"),
            key=new_id("key"),
            customer=Customer(customer, customer),
            plan=read_plan(PLAN, 1),
            at=starts[0],
            quantities={},
            environment=environment,
        )
        await add_subscription(connection, living)
    steps = BillingSteps(database)
    living = (await steps.begin(Begin(living, starts[0]))).subscription
    for start, end in zip(starts, [*starts[1:], datetime.now(UTC)], strict=True):
        await _use(database, environment, customer, start, end)
        await wait_for_horizon(database)
        await pump_once(database, environment)
        if end in starts:
            living = (await steps.end_period(EndPeriod(living, end))).subscription
    return Life(customer, living)


async def _use(
    database: Database, environment: str, customer: str, start: datetime, end: datetime
) -> None:
    asked = {"environment": environment, "customer": customer, "every": EVERY}
    stop = end - timedelta(seconds=1)
    async with database.transaction(environment) as connection:
        await connection.execute(ADD_EVENTS, asked | {"start": start, "stop": stop})


async def _compared(database: Database, environment: str, young: Life, old: Life) -> str:
    """The quickest of each, measured in turns so that both meet the same machine."""
    seconds: dict[str, list[float]] = {young.customer: [], old.customer: []}
    for _ in range(ROUNDS):
        for customer, taken in seconds.items():
            taken.append(await _seconds(database, environment, customer))
    less, more = min(seconds[young.customer]), min(seconds[old.customer])
    return (
        f"rated after {FEW} closed periods {1000 * less:.1f} ms, after {MANY} {1000 * more:.1f} ms:"
        f" {more / less:.2f} times ({MOST})"
    )


async def _seconds(database: Database, environment: str, customer: str) -> float:
    """One more event, rolled up before the clock runs."""
    now = datetime.now(UTC)
    await _use(database, environment, customer, now, now + timedelta(seconds=2))
    await wait_for_horizon(database)
    await pump_once(database, environment)
    begun = perf_counter()
    await rate_running(database, environment, Payer(customer, "USD"))
    return perf_counter() - begun
