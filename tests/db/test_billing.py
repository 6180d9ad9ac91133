"""The steps of a life on real rows: each once, whatever is repeated, raced or interrupted."""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.steps import Begin, CarryOut, EndPeriod, ExpireGrant
from db.ids import new_id
from db.numbers import next_number
from db.requests import Asked, find_request, write_request
from db.session import Database
from db.tenants import Environment
from domain.codec import to_plain
from domain.commands import Cancel, Pause, Request, Resume
from domain.errors import Conflict, Corrupt
from domain.money import Money
from tests.billing_world import FEBRUARY, JANUARY, MARCH, PRO, World, open_world


@pytest.fixture
async def world(database: Database, environment: Environment) -> World:
    return await open_world(database, environment)


async def test_a_period_s_end_bills_what_was_used_and_the_next_advance(world: World) -> None:
    await world.begin()
    await world.use("e1", 250, JANUARY + timedelta(days=3))
    turn = await world.end_period()
    lines = await world.rows("""
        SELECT i.number, l.kind, l.item, l.quantity, l.amount_minor FROM invoices i
        JOIN invoice_lines l ON l.invoice_id = i.id ORDER BY i.seq, l.position
    """)
    assert lines == [
        ("INV-000001", "recurring", "base", "1/1", 2000),
        ("INV-000002", "recurring", "base", "1/1", 2000),
        ("INV-000002", "usage", "tokens", "250/1", 250),
    ]
    assert [collection.amount_due for collection in turn.collections] == [Money(2250, "USD")]
    assert world.subscription.period is not None
    assert world.subscription.period.start == FEBRUARY


async def test_a_step_that_is_repeated_is_taken_once(world: World) -> None:
    begun = await world.billing.begin(Begin(world.subscription, JANUARY))
    assert await world.billing.begin(Begin(world.subscription, JANUARY)) == begun
    ended = await world.billing.end_period(EndPeriod(begun.subscription, FEBRUARY))
    assert await world.billing.end_period(EndPeriod(begun.subscription, FEBRUARY)) == ended
    assert await world.rows("SELECT number FROM invoices ORDER BY seq") == [
        ("INV-000001",),
        ("INV-000002",),
    ]
    assert await world.rows("SELECT name FROM timeline ORDER BY seq") == [
        ("start",),
        ("period:2026-01-01T00:00:00Z",),
    ]


async def test_a_step_that_is_repeated_late_finds_the_subscription_as_it_is_by_now(
    world: World,
) -> None:
    at_first = world.subscription
    begun = await world.begin()
    await world.end_period()
    again = await world.billing.begin(Begin(at_first, JANUARY))
    assert again.subscription == world.subscription
    assert again.collections == begun.collections


async def test_two_workers_that_close_a_period_at_once_issue_one_invoice(world: World) -> None:
    await world.begin()
    step = EndPeriod(world.subscription, FEBRUARY)
    turns = await asyncio.gather(*(world.billing.end_period(step) for _ in range(4)))
    assert all(turn == turns[0] for turn in turns)
    assert await world.rows("SELECT count(*) FROM invoices") == [(2,)]


async def test_a_state_that_the_books_do_not_know_stops_everything(world: World) -> None:
    begun = await world.begin()
    await world.ask(Pause(), JANUARY)
    with pytest.raises(Corrupt, match="another state"):
        await world.billing.end_period(EndPeriod(begun.subscription, FEBRUARY))
    assert await world.rows("SELECT count(*) FROM invoices") == [(1,)]


async def test_usage_that_comes_late_is_on_the_next_invoice(world: World) -> None:
    await world.begin()
    await world.use("e1", 100, JANUARY + timedelta(days=3))
    await world.end_period()
    await world.use("e2", 7, JANUARY + timedelta(days=4))
    await world.end_period(MARCH)
    late = await world.rows("""
        SELECT i.number, l.quantity, l.amount_minor FROM invoice_lines l
        JOIN invoices i ON i.id = l.invoice_id WHERE l.kind = 'late_usage'
    """)
    assert late == [("INV-000003", "7/1", 7)]
    billed = await world.rows(
        "SELECT window_start, quantity FROM billed_usage ORDER BY window_start"
    )
    assert billed == [(JANUARY, "107/1"), (FEBRUARY, "0/1")]


async def test_what_was_looked_at_for_late_usage_is_not_looked_at_again(world: World) -> None:
    """A correction that adds up to nothing moves the cut-off all the same."""
    await world.begin()
    await world.use("e1", 100, JANUARY + timedelta(days=3))
    await world.end_period()
    before = await world.rows("SELECT cut_off::text FROM billed_usage")
    await world.use("e2", 5, JANUARY + timedelta(days=4))
    await world.use("e3", -5, JANUARY + timedelta(days=4))
    await world.end_period(MARCH)
    after = await world.rows("SELECT cut_off::text FROM billed_usage ORDER BY window_start")
    assert int(after[0][0]) > int(before[0][0])
    assert await world.rows("SELECT count(*) FROM invoice_lines WHERE kind = 'late_usage'") == [
        (0,)
    ]


async def test_an_invoice_tells_up_to_where_it_bills(world: World) -> None:
    await world.begin()
    await world.end_period()
    ((invoice, window),) = await world.rows("""
        SELECT i.cut_off::text, b.cut_off::text FROM billed_usage b
        JOIN invoices i ON i.number = 'INV-000002'
    """)
    assert invoice == window


async def test_a_request_is_carried_out_once_and_answered(world: World) -> None:
    await world.begin()
    request = Request(new_id("req"), Cancel("immediately"), "anna", "too dear", JANUARY)
    async with world.database.transaction(world.environment) as connection:
        asked = Asked(
            request.id, "command", world.customer, world.subscription.id, to_plain(request)
        )
        await write_request(connection, world.environment, asked)
    step = CarryOut(world.subscription, request, JANUARY + timedelta(days=10))
    turn = await world.billing.carry_out(step)
    assert await world.billing.carry_out(step) == turn
    async with world.database.transaction(world.environment) as connection:
        answered = await find_request(connection, request.id)
    assert (answered.status, answered.answer) == ("done", turn.answer)
    ((what, actor, reason),) = await world.rows(
        "SELECT what, actor, reason FROM timeline WHERE name LIKE 'request:%'"
    )
    assert (what, actor, reason) == ("cancel", "anna", "too dear")
    assert await world.rows("SELECT number FROM credit_notes") == [("CN-000001",)]


async def test_a_request_that_is_refused_changes_nothing_and_says_why(world: World) -> None:
    await world.begin()
    request = Request(new_id("req"), Resume())
    async with world.database.transaction(world.environment) as connection:
        asked = Asked(request.id, "command", world.customer, None, to_plain(request))
        await write_request(connection, world.environment, asked)
    with pytest.raises(Conflict):
        await world.billing.carry_out(CarryOut(world.subscription, request, JANUARY))
    async with world.database.transaction(world.environment) as connection:
        answered = await find_request(connection, request.id)
    assert answered.status == "refused"
    assert answered.answer is not None
    assert answered.answer["code"] == "conflict"
    assert await world.rows("SELECT count(*) FROM timeline") == [(1,)]


async def test_credits_are_never_spent_twice(database: Database, environment: Environment) -> None:
    """Two subscriptions of one customer that bill at the same time have one grant between them."""
    world = await open_world(database, environment)
    grant = await world.grant(3000)
    others = [await world.sibling(f"s{n}") for n in range(2, 6)]
    await asyncio.gather(*(other.begin() for other in (world, *others)))
    paid = await world.rows("SELECT sum(prepaid_minor), sum(amount_due_minor) FROM invoices")
    ((left,),) = await world.rows(
        f"SELECT -sum(amount_minor) FROM ledger_postings WHERE account = 'credits:{grant.id}'"
    )
    assert paid == [(3000, 7000)]
    assert left == 0


async def test_numbers_have_no_gap_however_invoices_race_and_fail(
    database: Database, environment: Environment
) -> None:
    world = await open_world(database, environment)
    worlds = [world, *[await world.sibling(f"s{n}") for n in range(2, 9)]]
    begins = [each.begin() for each in worlds]
    failing = [interrupted(each) for each in worlds[::3]]
    await asyncio.gather(*failing, *begins)
    numbers = await world.rows("SELECT number FROM invoices ORDER BY number")
    assert numbers == [(f"INV-{n:06d}",) for n in range(1, 9)]


async def interrupted(world: World) -> None:
    """A transaction that takes a number and is then rolled back."""
    with suppress(ZeroDivisionError):
        async with world.database.transaction(world.environment) as connection:
            await next_number(connection, world.environment, "INV")
            raise ZeroDivisionError


async def test_a_plan_s_grant_expires_once(database: Database, environment: Environment) -> None:
    credit = {
        "key": "monthly",
        "amount": "5.00",
        "every_period": False,
        "expires_after": {"unit": "week", "count": 1},
        "priority": 10,
    }
    usage_only = {**PRO, "items": PRO["items"][1:], "credits": [credit]}
    world = await open_world(database, environment, usage_only)
    await world.begin()
    (timer,) = world.subscription.grants
    step = ExpireGrant(world.subscription, timer.grant, timer.expires_at)
    turn = await world.billing.expire_grant(step)
    assert await world.billing.expire_grant(step) == turn
    assert turn.subscription.grants == ()
    movements = Counter(entry.movement for entry in await world.ledger())
    assert movements == {"grant": 1, "expire": 1}


async def test_the_books_always_balance(world: World) -> None:
    await world.grant(500, "promotional")
    await world.grant(700)
    await world.begin()
    await world.use("e1", 250, JANUARY + timedelta(days=3))
    await world.end_period()
    await world.ask(Cancel("immediately"), FEBRUARY + timedelta(days=9))
    ((total,),) = await world.rows("SELECT sum(amount_minor) FROM ledger_postings")
    ((owed,),) = await world.rows(
        "SELECT sum(amount_minor) FROM ledger_postings WHERE account LIKE 'receivable:%'"
    )
    ((due,),) = await world.rows("SELECT sum(amount_due_minor) FROM invoices")
    assert (total, owed) == (0, due)


async def test_what_is_true_is_announced_with_it(world: World) -> None:
    await world.begin()
    topics = await world.rows("SELECT topic FROM outbox ORDER BY seq")
    assert topics == [("invoice.issued",), ("subscription.started",)]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE invoices SET subtotal_minor = 1",
        "UPDATE invoices SET number = 'INV-000009'",
        "UPDATE invoices SET issued_at = now()",
        "DELETE FROM invoices",
        "UPDATE invoice_lines SET amount_minor = 1",
        "DELETE FROM invoice_lines",
        "UPDATE ledger_transactions SET name = 'other'",
        "DELETE FROM ledger_postings",
        "UPDATE timeline SET what = 'other'",
        "UPDATE credit_grants SET amount_minor = 1",
        "DELETE FROM credit_grants",
    ],
)
async def test_what_was_issued_stays_as_it_is(
    world: World, database_urls: dict[str, str], change: str
) -> None:
    """Not even the owner of the tables changes a document."""
    await world.grant(500)
    await world.begin()
    owner = Database(database_urls["owner"])
    try:
        with pytest.raises(IntegrityError, match=r"as it was issued|record of facts"):
            async with owner.transaction(world.environment) as connection:
                await connection.execute(text(change))
    finally:
        await owner.close()


@pytest.mark.parametrize(
    ("amounts", "currencies"),
    [((100, -99), ("USD", "USD")), ((100, -100), ("USD", "EUR")), ((0,), ("USD",))],
)
async def test_the_ledger_takes_only_what_sums_to_zero_in_one_currency(
    world: World, amounts: tuple[int, ...], currencies: tuple[str, ...]
) -> None:
    with pytest.raises(IntegrityError, match="does not sum to zero"):
        await post_raw(world, amounts, currencies)


async def test_nothing_is_added_to_a_ledger_transaction_later(world: World) -> None:
    await world.begin()
    ((transaction,),) = await world.rows("SELECT min(id) FROM ledger_transactions")
    with pytest.raises(IntegrityError, match="does not sum to zero"):
        async with world.database.transaction(world.environment) as connection:
            await add_posting(connection, world, transaction, 9, 1, "USD")


async def post_raw(world: World, amounts: tuple[int, ...], currencies: tuple[str, ...]) -> None:
    """A ledger transaction, past all rules but those of the database."""
    async with world.database.transaction(world.environment) as connection:
        added = await connection.execute(
            text("""
                INSERT INTO ledger_transactions (environment_id, name, movement, at, customer_id)
                VALUES (:environment, 'wrong', 'payment', now(), :customer) RETURNING id
            """),
            {"environment": world.environment, "customer": world.customer},
        )
        transaction = added.scalar_one()
        for position, (amount, currency) in enumerate(zip(amounts, currencies, strict=True)):
            await add_posting(connection, world, transaction, position, amount, currency)


async def add_posting(
    connection: AsyncConnection,
    world: World,
    transaction: int,
    position: int,
    amount: int,
    currency: str,
) -> None:
    await connection.execute(
        text("""
            INSERT INTO ledger_postings
                (environment_id, transaction_id, position, account, amount_minor, currency)
            VALUES (:environment, :transaction, :position, 'cash', :amount, :currency)
        """),
        {
            "environment": world.environment,
            "transaction": transaction,
            "position": position,
            "amount": amount,
            "currency": currency,
        },
    )
