"""Usage after the end of a life: whatever order its steps are taken in, and however close they come, each unit is billed
once.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from activities.steps import Arrival, ChargeUsage
from db.session import Database
from db.tenants import Environment
from db.usage_arrivals import arrivals
from db.usage_horizon import wait_for_horizon
from db.usage_pump import pump_once
from domain.commands import Cancel
from tests.billing_world import FEBRUARY, JANUARY, METERED, PRO, World, open_world

ONLY_USAGE = {**PRO, "items": [METERED]}
DAY = timedelta(days=1)


async def test_racing_steps_bill_late_usage_once(
    database: Database, environment: Environment
) -> None:
    world = await open_world(database, environment)
    await world.begin()
    await world.ask(Cancel("immediately", "none"), JANUARY + 9 * DAY)
    before = await invoiced(world)
    for number in range(6):
        await world.use(f"late{number}", 100, JANUARY + 2 * DAY + timedelta(hours=number))
    steps = await told(world)
    assert len(steps) == 6
    await asyncio.gather(*(world.billing.charge_usage(step) for step in steps))
    assert await invoiced(world) - before == 600
    await world.use("last", 1, JANUARY + DAY)
    await world.billing.charge_usage((await told(world))[-1])
    assert await invoiced(world) - before == 601


@pytest.mark.parametrize("pumped", [True, False])
async def test_no_charge_looks_back_behind_a_close_that_invoiced_nothing(
    database: Database, environment: Environment, pumped: bool
) -> None:
    """10,000 units were used and taken back before the cancel, which had nothing to bill; then 50 came late."""
    world = await open_world(database, environment, ONLY_USAGE)
    await world.begin()
    await world.use("e1", 10_000, JANUARY + DAY)
    await world.use("e2", -10_000, JANUARY + DAY)
    await world.ask(Cancel("immediately", "none"), JANUARY + 9 * DAY)
    await world.use("late", 50, JANUARY + DAY)
    steps = await told(world)
    if pumped:
        await pump_once(database, environment.id)
    for step in steps:
        await world.billing.charge_usage(step)
    assert await world.rows("SELECT total_minor FROM invoices") == [(50,)]
    assert await world.rows("SELECT total_minor FROM credit_notes") == []


async def told(world: World) -> Sequence[ChargeUsage]:
    """The steps for all that has arrived."""
    await wait_for_horizon(world.database)
    clock = world.subscription.test_clock
    async with world.database.transaction(world.environment) as connection:
        found, _ = await arrivals(connection, world.environment, clock or "")
    return [
        ChargeUsage(
            Arrival(world.environment, a.subscription, a.transaction, a.event, FEBRUARY, clock),
            FEBRUARY,
        )
        for a in found
    ]


async def invoiced(world: World) -> int:
    return sum(total for (total,) in await world.rows("SELECT total_minor FROM invoices"))
