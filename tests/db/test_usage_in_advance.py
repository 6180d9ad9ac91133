"""Usage that is charged as it arrives, on real rows: what a window's beginning has charged is not charged, nor given
back, when it is told.
"""

from datetime import timedelta

import pytest

from activities.steps import Arrival, ChargeUsage, StartWindow
from db.session import Database
from db.tenants import Environment
from db.usage_arrivals import arrivals
from db.usage_horizon import wait_for_horizon
from tests.billing_world import JANUARY, METERED, PRO, World, open_world

AS_USED = {**PRO, "items": [{**METERED, "charged": "in_advance"}]}


@pytest.fixture
async def world(database: Database, environment: Environment) -> World:
    return await open_world(database, environment, AS_USED)


async def charge_what_arrived(world: World) -> list[int]:
    """Each transaction of the log that brought some, in its order."""
    clock = world.subscription.test_clock or ""
    await wait_for_horizon(world.database)
    async with world.database.transaction(world.environment) as connection:
        arrived, _ = await arrivals(connection, world.environment, clock)
    for each in arrived:
        told = Arrival(
            world.environment, each.subscription, each.transaction, each.event, JANUARY, clock
        )
        step = ChargeUsage(told, JANUARY, world.subscription)
        world.subscription = (await world.billing.charge_usage(step)).subscription
    return [each.transaction for each in arrived]


async def invoiced(world: World) -> list[int]:
    return [minor for (minor,) in await world.rows("SELECT total_minor FROM invoices ORDER BY seq")]


async def test_a_window_charges_what_came_before_it_and_once(world: World) -> None:
    for number in (1, 2, 3):
        await world.use(f"e{number}", 100 * number, JANUARY + timedelta(days=number))
    await world.begin()
    assert (world.subscription.opened is not None, await invoiced(world)) == (True, [])
    await world.start_window()
    assert (world.subscription.opened, await invoiced(world)) == (None, [600])
    assert len(await charge_what_arrived(world)) == 3
    assert await invoiced(world) == [600]


async def test_a_window_s_beginning_that_is_repeated_is_charged_once(world: World) -> None:
    await world.use("e1", 100, JANUARY)
    await world.begin()
    step = StartWindow(world.subscription, JANUARY)
    first = await world.billing.start_window(step)
    assert await world.billing.start_window(step) == first
    assert await invoiced(world) == [100]


async def test_each_event_after_it_is_charged_by_itself(world: World) -> None:
    await world.begin()
    await world.start_window()
    for number in (1, 2, 3):
        await world.use(f"e{number}", 100 * number, JANUARY + timedelta(days=number))
    await charge_what_arrived(world)
    assert await invoiced(world) == [100, 200, 300]
