"""A worker that is killed in the middle of things: the next one goes on, and nothing is lost or doubled.

The worker is a real process on servers of its own. It is killed where it waits for something that the test holds back: a
lock in the database, an answer of the payment provider, one of a receiver of webhooks. (Of a top-up at each of its steps see
test_top_ups_killed.py.)
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import text

from activities.steps import Moment
from db.customers import find_customer
from db.ids import new_id
from db.session import Database
from db.webhook_endpoints import add_endpoint, set_secret
from tests.billing_world import FEBRUARY, JANUARY, World, open_world
from tests.conftest import fresh_environment
from tests.e2e.staged import Stage, open_account
from tests.providers.attempts import intents_of
from tests.verified import verify_all
from tests.webhook_receiver import SECRET, Receiver, receiving


async def test_killed_while_it_closes_a_period_charges_and_tells(stage: Stage) -> None:
    """Of three customers: the period of one is being closed; of another the provider has taken the money, and the worker
    that was to record it is no more; of the third a receiver has been told, and that nobody noted.
    """
    closing, charging, telling = stage, await another(stage), await another(stage)
    await closing.world.use("e1", 250, JANUARY + timedelta(days=3))
    async with receiving() as receiver:
        await stage.sandbox.order_fault("hold", path="/v1/payment_intents", when="after")
        advancing = [asyncio.create_task(charging.advance(Moment(FEBRUARY)))]
        await stage.until(stage.the_provider_holds_a_call)
        await tell_of_invoices(telling.world, receiver)
        receiver.hold()
        await telling.advance(Moment(FEBRUARY))
        first = await receiver.next()
        async with holding_back_numbers(stage):
            advancing.append(asyncio.create_task(closing.advance(Moment(FEBRUARY))))
            await stage.until(stage.somebody_waits_for_a_lock)
            stage.kill_worker()
        assert await charging.payments() == [(1, "succeeded"), (1, "pending")]
        await stage.sandbox.clear_faults()
        receiver.let_go()
        await end_the_lease(telling.world)
        stage.start_worker()
        await asyncio.gather(*advancing)
        again = await receiver.next()
        await stage.until(lambda: is_noted(telling.world))
    assert first.told["data"]["number"] == "INV-000002"
    assert (again.id, again.told) == (first.id, first.told)
    for each, total in ((closing, 2250), (charging, 2000), (telling, 2000)):
        assert await each.invoices() == [
            ("INV-000001", JANUARY, "paid", 2000),
            ("INV-000002", FEBRUARY, "paid", total),
        ]
        assert await each.payments() == [(1, "succeeded"), (1, "succeeded")]
        assert await charges(each) == 2
        await verify_all(each.world.database, [each.world.environment])


async def another(stage: Stage) -> Stage:
    """The same servers and workers, and another customer in another environment."""
    database = stage.world.database
    opened = replace(stage, world=await open_world(database, await fresh_environment(database)))
    await open_account(opened)
    return opened


async def tell_of_invoices(world: World, receiver: Receiver) -> None:
    endpoint, topics = new_id("whe"), ["invoice.issued"]
    async with world.database.transaction(world.environment) as connection:
        await add_endpoint(connection, world.environment, endpoint, receiver.url, topics, None)
        await set_secret(connection, world.environment, endpoint, new_id("whs"), SECRET)


async def end_the_lease(world: World) -> None:
    """Of the delivery that nobody noted, which would be sent again later."""
    lease = "UPDATE webhook_deliveries SET next_attempt_at = now() WHERE attempts = 0"
    async with world.database.transaction(world.environment) as connection:
        assert (await connection.execute(text(lease))).rowcount == 1


async def is_noted(world: World) -> bool:
    rows = await world.rows("SELECT status, attempts FROM webhook_deliveries")
    return rows == [("delivered", 1)]


@asynccontextmanager
async def holding_back_numbers(stage: Stage) -> AsyncIterator[None]:
    """No document gets a number while the block runs. (A table's lock is no transaction that the usage log would wait for.)"""
    owner = Database(stage.variables["MIGRATION_DATABASE_URL"])
    async with owner.transaction(stage.world.environment) as connection:
        await connection.execute(text("LOCK TABLE counters IN SHARE MODE"))
        yield
    await owner.close()


async def charges(stage: Stage) -> int:
    """How many payments the provider has made for the customer."""
    world = stage.world
    async with world.database.transaction(world.environment) as connection:
        customer = await find_customer(connection, world.customer)
    address = stage.variables["STRIPE_API_BASE"]
    return len(await intents_of(address, customer.provider_customer or ""))
