"""Wallets where several things meet: what was billed and is taken back runs up again."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from activities.credits import CreditSteps
from activities.steps import Arrival, ChargeUsage, GrantLife
from activities.taking_back import take_back
from db.credits import find_grants, grants_left
from db.locks import lock_customer
from db.session import Database
from db.tenants import Environment
from db.usage_arrivals import arrivals
from db.usage_horizon import wait_for_horizon
from tests.billing_world import JANUARY, METERED, PRO, World, open_world
from tests.db.test_wallets import pumped, wallet

TAKEN = JANUARY + timedelta(days=3)
ON_ACCOUNT = {**PRO, "items": [METERED], "progressive_invoicing": {"threshold": "10.00"}}
AS_USED = {**PRO, "items": [{**METERED, "charged": "in_advance"}]}


async def charged(world: World) -> str:
    """Charge what has arrived; the name of the newest invoice."""
    clock = world.subscription.test_clock or ""
    await wait_for_horizon(world.database)
    async with world.database.transaction(world.environment) as connection:
        arrived, _ = await arrivals(connection, world.environment, clock)
    for each in arrived:
        told = Arrival(
            world.environment, each.subscription, each.transaction, each.event, JANUARY, clock
        )
        turn = await world.billing.charge_usage(ChargeUsage(told, JANUARY, world.subscription))
        world.subscription = turn.subscription
    ((name,),) = await world.rows("SELECT name FROM invoices ORDER BY seq DESC LIMIT 1")
    return str(name)


@pytest.mark.parametrize("plan", [ON_ACCOUNT, AS_USED])
async def test_what_a_void_invoice_had_billed_runs_up_again(
    database: Database, environment: Environment, plan: Mapping[str, Any]
) -> None:
    world = await open_world(database, environment, plan)
    await world.begin()
    await world.start_window()
    await world.grant(100)
    await world.use("e1", 1_200, TAKEN)
    await pumped(world)
    assert str((await wallet(world)).running) == "12.00"
    name = await charged(world)
    await pumped(world)
    assert str((await wallet(world)).running) == "0.00"
    async with database.transaction(world.environment) as connection:
        await lock_customer(connection, world.customer)
        await take_back(connection, world.environment, name, TAKEN)
    await pumped(world)
    assert str((await wallet(world)).running) == "12.00"


async def test_nothing_comes_back_to_a_grant_that_has_ended(
    database: Database, environment: Environment
) -> None:
    """So whoever asks what is left of grants need not look at those."""
    world = await open_world(database, environment)
    await world.begin()
    grant = await world.grant(1_000, expires_at=TAKEN + timedelta(days=40))
    lasting = await world.grant(200)
    await world.use("e1", 250, TAKEN)
    await world.end_period()
    ((name,),) = await world.rows("SELECT name FROM invoices ORDER BY seq DESC LIMIT 1")
    assert grant.expires_at is not None
    life = GrantLife(world.environment, grant.id, world.customer, grant.expires_at)
    await CreditSteps(database).end_grant(life)
    async with database.transaction(world.environment) as connection:
        await lock_customer(connection, world.customer)
        await take_back(connection, world.environment, str(name), grant.expires_at)
        rows = {row.balance.grant.id: row for row in await find_grants(connection, 10)}
        left = await grants_left(connection, world.customer, "USD")
    assert rows[grant.id].ended_at is not None
    assert rows[grant.id].balance.remaining.minor == 0
    assert [(each.grant.id, each.remaining.minor) for each in left] == [(lasting.id, 200)]
