"""Wallets keep up with the ledger, with time and with usage: posted less running less reserved."""

from datetime import timedelta
from fractions import Fraction

import pytest
from sqlalchemy import text

from db.billed_usage import billed_windows
from db.running import payers_waiting, rate_running
from db.running_facts import Payer
from db.session import Database
from db.tenants import Environment
from db.usage_horizon import wait_for_horizon
from db.usage_pump import pump_once
from db.wallets import repost, wallets_behind, wallets_of
from domain.commands import Cancel
from domain.reading import instant
from domain.wallets import Wallet
from tests.billing_world import FEBRUARY, JANUARY, World, open_world

TAKEN = JANUARY + timedelta(days=3)


@pytest.fixture
async def world(database: Database, environment: Environment) -> World:
    world = await open_world(database, environment)
    await world.begin()
    return world


async def wallet(world: World) -> Wallet:
    async with world.database.transaction(world.environment) as connection:
        (row,) = await wallets_of(connection, world.environment, world.customer)
    return row.wallet


async def pumped(world: World) -> None:
    await wait_for_horizon(world.database)
    await pump_once(world.database, world.environment)
    async with world.database.transaction(world.environment) as connection:
        payers = await payers_waiting(connection, 10)
    for payer in payers:
        await rate_running(world.database, world.environment, payer)


async def at(world: World, instant: str) -> None:
    async with world.database.transaction(world.environment) as connection:
        await connection.execute(text(f"UPDATE test_clocks SET now = '{instant}'"))


async def test_what_is_granted_is_posted_and_what_is_used_runs_up(world: World) -> None:
    await world.grant(1_000)
    await world.use("e1", 250, TAKEN)
    await pumped(world)
    found = await wallet(world)
    assert (str(found.posted), str(found.running), found.available) == (
        "10.00",
        "2.50",
        Fraction("7.5"),
    )
    await world.use("e2", 1_000, TAKEN)
    await pumped(world)
    assert (await wallet(world)).available == Fraction("-2.5")


async def test_an_invoice_burns_what_ran_up(world: World) -> None:
    await world.grant(3_000)
    await world.use("e1", 250, TAKEN)
    await pumped(world)
    await world.end_period()  # 20.00 for the next month, 2.50 for the usage
    found = await wallet(world)
    assert (str(found.posted), str(found.running)) == ("7.50", "0.00")
    await world.use("e2", 100, FEBRUARY + timedelta(days=1))
    await pumped(world)
    assert str((await wallet(world)).running) == "1.00"


async def test_what_is_rated_before_a_step_is_not_written_down_after_it(world: World) -> None:
    await world.grant(10_000)
    await world.use("e1", 250, TAKEN)
    await pumped(world)
    await world.end_period()
    payer = Payer(world.customer, "USD")
    await rate_running(world.database, world.environment, payer)
    assert str((await wallet(world)).running) == "0.00"


async def test_a_grant_begins_and_ends_by_time_alone(world: World) -> None:
    await world.grant(1_000, expires_at=TAKEN)
    assert str((await wallet(world)).posted) == "10.00"
    await at(world, "2026-01-04T00:00:00Z")
    assert (
        str((await wallet(world)).posted) == "10.00"
    )  # at the very instant of its end it still can pay
    await at(world, "2026-01-04T00:00:01Z")
    async with world.database.transaction(world.environment) as connection:
        assert await wallets_behind(connection, 10) == [(world.customer, "USD")]
        await repost(connection, world.environment, world.customer, "USD")
        assert await wallets_behind(connection, 10) == []
    assert str((await wallet(world)).posted) == "0.00"


async def test_nobody_is_rated_who_has_no_wallet(world: World) -> None:
    await world.use("e1", 250, TAKEN)
    await wait_for_horizon(world.database)
    await pump_once(world.database, world.environment)
    async with world.database.transaction(world.environment) as connection:
        assert await payers_waiting(connection, 10) == []
        assert await billed_windows(connection, world.subscription.id) == ()
    await world.grant(1_000)
    await pumped(world)
    assert str((await wallet(world)).running) == "2.50"


@pytest.mark.parametrize("late", ["2026-01-20T10:00:00Z", "2026-01-31T23:59:00Z"])
async def test_what_comes_late_runs_up(world: World, late: str) -> None:
    await world.grant(10_000)
    await world.use("e1", 250, TAKEN)
    await pumped(world)
    await world.end_period()
    await world.use("e2", 100, FEBRUARY + timedelta(hours=1))
    await pumped(world)
    assert str((await wallet(world)).running) == "1.00"
    await world.use("e3", 50, instant(late))
    await pumped(world)
    assert str((await wallet(world)).running) == "1.50"


@pytest.mark.parametrize(("tokens", "running"), [(50, "0.50"), (-50, "0.00")])
async def test_what_comes_late_after_the_end_of_a_life_runs_up_until_it_is_billed(
    world: World, tokens: int, running: str
) -> None:
    await world.grant(10_000)
    await world.use("e1", 250, TAKEN)
    await world.ask(Cancel("immediately", "none"), TAKEN + timedelta(days=1))
    await pumped(world)
    assert str((await wallet(world)).running) == "0.00"
    await world.use("e2", tokens, TAKEN)
    await world.use("e3", 70, TAKEN + timedelta(days=2))  # nobody bills it
    await pumped(world)
    assert str((await wallet(world)).running) == running
