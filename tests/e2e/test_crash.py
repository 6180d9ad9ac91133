"""A worker that is killed in the middle of things: the next one goes on, and nothing is lost or doubled.

The worker is a real process on servers of its own. It is killed where it waits for something that the test holds back: a
lock in the database, an answer of the payment provider.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
from sqlalchemy import text

from activities.steps import Moment
from db.automatic_top_ups import add_automatic_top_up
from db.customers import find_customer
from db.ids import new_id
from db.locks import lock_customer
from db.session import Database
from db.wallets import open_wallet
from domain.automatic_top_ups import AutomaticTopUp
from domain.money import Money
from tests.billing_world import FEBRUARY, JANUARY
from tests.e2e.staged import Stage


async def test_a_worker_killed_while_it_closes_a_period(stage: Stage) -> None:
    world = stage.world
    await world.use("e1", 250, JANUARY + timedelta(days=3))
    async with holding_back_numbers(stage):
        advancing = asyncio.create_task(stage.advance(Moment(FEBRUARY)))
        await stage.until(stage.somebody_waits_for_a_lock)
        stage.kill_worker()
    stage.start_worker()
    await advancing
    assert await stage.invoices() == [
        ("INV-000001", JANUARY, "paid", 2000),
        ("INV-000002", FEBRUARY, "paid", 2250),
    ]
    assert await stage.payments() == [(1, "succeeded"), (1, "succeeded")]


async def test_a_worker_killed_while_it_charges(stage: Stage) -> None:
    """The provider has taken the money, and the worker that was to record it is no more."""
    await stage.sandbox.order_fault("hold", path="/v1/payment_intents", when="after")
    advancing = asyncio.create_task(stage.advance(Moment(FEBRUARY)))
    await stage.until(stage.the_provider_holds_a_call)
    stage.kill_worker()
    assert await stage.payments() == [(1, "succeeded"), (1, "pending")]
    await stage.sandbox.clear_faults()
    stage.start_worker()
    await advancing
    assert await stage.payments() == [(1, "succeeded"), (1, "succeeded")]
    assert await intents_of(stage) == 2


async def test_a_worker_killed_while_it_tops_up(stage: Stage) -> None:
    """By itself: the provider has taken the money, and nobody has written down that it did."""
    await stage.sandbox.order_fault("hold", path="/v1/payment_intents", when="after")
    await top_up_automatically(stage)
    await stage.until(stage.the_provider_holds_a_call)
    stage.kill_worker()
    before = await intents_of(stage)
    await stage.sandbox.clear_faults()
    stage.start_worker()

    async def is_over() -> bool:
        rows = await stage.world.rows("SELECT status FROM automatic_top_up_attempts")
        return rows == [("paid",)]

    await stage.until(is_over)
    assert await intents_of(stage) == before
    invoices = "SELECT status, total_minor FROM invoices WHERE name LIKE 'topup:%'"
    assert await stage.world.rows(invoices) == [("paid", 5_000)]
    grants = "SELECT amount_minor FROM credit_grants WHERE key LIKE 'auto_top_up:%'"
    assert await stage.world.rows(grants) == [(5_000,)]
    wallets = "SELECT posted_minor FROM wallets"
    assert await stage.world.rows(wallets) == [(5_000,)]


async def top_up_automatically(stage: Stage) -> None:
    """From nothing to 50 dollars."""
    world = stage.world
    rule = AutomaticTopUp(
        Money(1_000, "USD"), Money(5_000, "USD"), None, None, timedelta(minutes=1)
    )
    async with world.database.transaction(world.environment) as connection:
        await lock_customer(connection, world.customer)
        await open_wallet(connection, world.environment, world.customer, "USD")
        await add_automatic_top_up(
            connection, world.environment, new_id("atu"), world.customer, rule
        )


@asynccontextmanager
async def holding_back_numbers(stage: Stage) -> AsyncIterator[None]:
    """No document gets a number while the block runs. (A table's lock is no transaction that the usage log would wait for.)"""
    owner = Database(stage.variables["MIGRATION_DATABASE_URL"])
    async with owner.transaction(stage.world.environment) as connection:
        await connection.execute(text("LOCK TABLE counters IN SHARE MODE"))
        yield
    await owner.close()


async def intents_of(stage: Stage) -> int:
    """How many payments the provider has made for the customer."""
    async with stage.world.database.transaction(stage.world.environment) as connection:
        customer = await find_customer(connection, stage.world.customer)
    headers = {"Authorization": f"Bearer {stage.variables['STRIPE_API_KEY']}"}
    address = stage.variables["STRIPE_API_BASE"]
    async with httpx.AsyncClient(base_url=address, headers=headers, trust_env=False) as client:
        found = await client.get(
            "/v1/payment_intents", params={"customer": customer.provider_customer or ""}
        )
    return len(found.json()["data"])
