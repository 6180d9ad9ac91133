"""An issued document is held against its decision: what agrees, what was tampered with, what is too old."""

import json
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import text

from db.decisions import find_decision
from db.invoices import find_invoice, find_invoices, issue_invoice, settle_invoice
from db.session import Database
from db.tenants import Environment
from domain.codec import to_plain
from domain.commands import Cancel, Pause, Resume
from domain.grounds import Grounds
from domain.money import Money
from domain.verifying import Difference
from tests.billing_world import FEBRUARY, JANUARY, MARCH, World, open_world
from tests.conftest import fresh_environment
from tests.verified import verdicts


@pytest.fixture
async def world(database: Database, environment: Environment) -> World:
    return await open_world(database, environment)


async def test_a_life_agrees_line_for_line(world: World) -> None:
    await world.begin()
    await world.use("e1", 250, JANUARY + timedelta(days=3))
    await world.grant(500, "promotional")
    await world.end_period()
    await world.use("late", 30, JANUARY + timedelta(days=4))
    await world.ask(Pause(), FEBRUARY + timedelta(days=1))
    await world.ask(Resume(), FEBRUARY + timedelta(days=2))
    await world.end_period(MARCH)
    await world.ask(Cancel("immediately", "refund"), MARCH + timedelta(days=9))
    found = await verdicts(world.database, world.environment)
    assert [*found] == ["INV-000001", "INV-000002", "INV-000003", "CN-000001"]
    assert set(found.values()) == {()}


async def test_events_that_come_after_a_decision_change_nothing_of_it(world: World) -> None:
    await world.begin()
    await world.use("e1", 250, JANUARY + timedelta(days=3))
    await world.end_period()
    await world.use("e2", 99, JANUARY + timedelta(days=3))
    assert set((await verdicts(world.database, world.environment)).values()) == {()}


@pytest.mark.parametrize(("voided_first", "notes"), [(True, []), (False, ["CN-000001"])])
async def test_an_invoice_counts_as_it_was_when_it_was_decided_on(
    world: World, voided_first: bool, notes: list[str]
) -> None:
    """A cancel gives back what stands, whatever is made void before it or after it."""
    await world.begin()
    if voided_first:
        await void(world, "INV-000001")
    await world.ask(Cancel("immediately"), JANUARY + timedelta(days=9))
    if not voided_first:
        await void(world, "INV-000001")
    found = await verdicts(world.database, world.environment)
    assert [number for number in found if number.startswith("CN")] == notes
    assert set(found.values()) == {()}


async def void(world: World, number: str) -> None:
    async with world.database.transaction(world.environment) as connection:
        row = await find_invoice(connection, number)
        nothing = Money(0, row.invoice.currency)
        await settle_invoice(connection, row.id, "void", nothing, None)


async def test_a_cent_that_was_moved_is_told_with_its_path(
    database: Database, owner: psycopg.AsyncConnection
) -> None:
    elsewhere = await fresh_environment(database)  # what is wrong on purpose is verified here alone
    world = await open_world(database, elsewhere)
    await world.begin()
    await world.use("e1", 250, JANUARY + timedelta(days=3))
    await world.end_period()
    async with owner.transaction():
        await owner.execute("SELECT set_config('weir.environment', %s, true)", (elsewhere.id,))
        await owner.execute("SET LOCAL session_replication_role = replica")
        await owner.execute("""
            UPDATE invoice_lines SET amount_minor = 251 WHERE item = 'tokens' AND amount_minor = 250
        """)
    found = await verdicts(database, elsewhere.id)
    assert found == {
        "INV-000001": (),
        "INV-000002": (Difference("lines.1.amount", "2.51", "2.50"),),
    }


async def test_an_invoice_from_before_decisions_were_kept_cannot_be_verified(
    database: Database,
) -> None:
    elsewhere = await fresh_environment(database)
    world = await open_world(database, elsewhere)
    await world.begin()
    async with database.transaction(elsewhere.id) as connection:
        kept = (await find_invoices(connection, 1))[0].invoice
        older = replace(kept, name="invoice:older", number=None)
        row = await issue_invoice(connection, elsewhere.id, older, None)
        assert (await find_invoice(connection, row.id)).decision is None
    assert await verdicts(database, elsewhere.id) == {"INV-000001": (), "INV-000002": None}


async def test_a_decision_takes_a_kilobyte_or_two(world: World) -> None:
    """It is kept for every invoice of a life of years."""
    await world.begin()
    await world.use("e1", 250, JANUARY + timedelta(days=3))
    await world.end_period()
    for grounds in await world.rows("SELECT grounds::text FROM decisions"):
        assert len(grounds[0].encode()) < 2_000


async def test_what_was_decided_on_reads_back_as_it_was_written(world: World) -> None:
    await world.grant(500)
    await world.begin()
    async with world.database.transaction(world.environment) as connection:
        row = await find_invoice(connection, "INV-000001")
        grounds = await find_decision(connection, str(row.decision))
        kept = await connection.execute(text("SELECT grounds FROM decisions"))
        assert isinstance(grounds, Grounds)
        assert json.loads(json.dumps(to_plain(grounds))) == kept.scalar_one()
    assert [balance.remaining.minor for balance in grounds.grants] == [500]
