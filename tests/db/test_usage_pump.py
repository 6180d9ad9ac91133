"""The pump: bounded steps, nothing twice, and no writing where nothing is new."""

import asyncio
from fractions import Fraction

import pytest
from sqlalchemy import text

from db.session import Database
from db.tenants import Environment
from db.usage_horizon import wait_for_horizon
from db.usage_pump import pump_once, pump_step
from db.usage_voids import void_event
from domain.metering.rollups import Rollup
from tests.usage_world import TOKENS, add_customer, add_meter, an_event, send

ROLLUP = text("""
    SELECT count, total::text, highest::text, lowest::text FROM usage_rollups
    WHERE customer_id = :customer AND meter = :meter
""")


@pytest.fixture
async def acme(database: Database, environment: Environment) -> str:
    async with database.transaction(environment.id) as connection:
        await add_meter(connection, environment.id, TOKENS)
        return await add_customer(connection, environment.id, "acme")


async def meter_row(database: Database, environment: Environment, key: str) -> tuple[int, int]:
    """The watermark of a meter, and how many events it could not read."""
    async with database.transaction(environment.id) as connection:
        row = await connection.execute(
            text("SELECT rolled_up_to::text, unreadable FROM meters WHERE key = :key"), {"key": key}
        )
        watermark, unreadable = row.one()
        return int(watermark), unreadable


async def rollup(
    database: Database, environment: Environment, customer: str, meter: str = "tokens"
) -> Rollup | None:
    async with database.transaction(environment.id) as connection:
        row = await connection.execute(ROLLUP, {"customer": customer, "meter": meter})
        found = row.one_or_none()
        if found is None:
            return None
        total, highest, lowest = map(Fraction, found[1:])
        return Rollup(found[0], total, highest, lowest)


async def test_each_event_is_rolled_up_once_however_often_it_runs(
    database: Database, environment: Environment, acme: str
) -> None:
    await send(database, environment.id, [an_event(f"e{n}") for n in range(7)])
    await wait_for_horizon(database)
    counts = [await pump_once(database, environment.id) for _ in range(3)]
    assert counts == [7, 0, 0]
    kept = await rollup(database, environment, acme)
    assert kept is not None
    assert (kept.count, kept.total) == (7, Fraction(70))


async def test_racing_pumps_do_not_double(
    database: Database, environment: Environment, acme: str
) -> None:
    await send(database, environment.id, [an_event(f"e{n}") for n in range(50)])
    await wait_for_horizon(database)
    counts = await asyncio.gather(*(pump_once(database, environment.id) for _ in range(5)))
    assert sum(counts) == 50
    kept = await rollup(database, environment, acme)
    assert kept is not None
    assert kept.count == 50


async def test_a_step_is_bounded_but_never_parts_a_transaction(
    database: Database, environment: Environment, acme: str
) -> None:
    for batch in ("abc", "de", "f", "ghijklm", "n"):
        await send(database, environment.id, [an_event(id) for id in batch])
    await wait_for_horizon(database)
    steps = []
    while True:
        step = await pump_step(database, environment.id, limit=4)
        steps.append(step.events)
        if not step.more:
            break
    assert sum(steps) == 14
    assert steps[:3] == [3, 3, 7]


async def test_transactions_are_followed_as_numbers_not_as_text(
    database: Database, environment: Environment, acme: str
) -> None:
    early = text("""
        INSERT INTO usage_events
            (environment_id, id, event_name, customer_id, customer_key, time, properties, tx)
        VALUES (:environment, :tx, 'llm', :customer, 'acme', '2026-01-01', '{"tokens": "1"}',
            CAST(CAST(:tx AS text) AS xid8))
    """)
    async with database.transaction(environment.id) as connection:
        for tx in ("100", "9", "10", "99", "8"):
            values = {"environment": environment.id, "customer": acme, "tx": tx}
            await connection.execute(early, values)
    await wait_for_horizon(database)
    assert await pump_once(database, environment.id, limit=1) == 5
    kept = await rollup(database, environment, acme)
    assert kept is not None
    assert kept.count == 5


async def test_an_idle_pump_writes_nothing(
    database: Database, environment: Environment, acme: str
) -> None:
    await send(database, environment.id, [an_event("e1"), an_event("free", event_name="free")])
    await wait_for_horizon(database)
    await pump_once(database, environment.id)
    after = await meter_row(database, environment, "tokens")
    await wait_for_horizon(database)  # takes a transaction: the horizon does move
    assert await pump_once(database, environment.id) == 0
    assert await meter_row(database, environment, "tokens") == after


async def test_events_that_no_meter_takes_are_passed_by_once(
    database: Database, environment: Environment, acme: str
) -> None:
    before = await meter_row(database, environment, "tokens")
    await send(database, environment.id, [an_event("free", event_name="free")])
    await wait_for_horizon(database)
    assert await pump_once(database, environment.id) == 0
    assert await meter_row(database, environment, "tokens") > before


async def test_a_meter_that_is_made_later_starts_at_the_beginning_and_counts_what_it_cannot_read(
    database: Database, environment: Environment, acme: str
) -> None:
    spoken = {"tokens": "1", "seconds": "2.5"}
    events = [an_event("e1"), an_event("e2", properties=spoken), an_event("e3")]
    await send(database, environment.id, events)
    await wait_for_horizon(database)
    await pump_once(database, environment.id)
    seconds = {**TOKENS, "key": "seconds", "value": "seconds"}
    async with database.transaction(environment.id) as connection:
        await add_meter(connection, environment.id, seconds)
    await send(database, environment.id, [an_event("e4", properties=spoken)])
    await wait_for_horizon(database)
    await pump_once(database, environment.id)
    kept = await rollup(database, environment, acme, "seconds")
    assert kept is not None
    assert (kept.count, kept.total) == (2, Fraction(5))
    assert (await meter_row(database, environment, "seconds"))[1] == 2
    assert (await meter_row(database, environment, "tokens"))[1] == 0


async def test_numbers_of_38_digits_on_both_sides_add_up_exactly(
    database: Database, environment: Environment, acme: str
) -> None:
    largest = "9" * 38 + "." + "9" * 38
    for n in range(3):
        events = [an_event(f"{n}", properties={"tokens": largest})]
        await send(database, environment.id, events)
        await wait_for_horizon(database)
        await pump_once(database, environment.id)
    kept = await rollup(database, environment, acme)
    assert kept is not None
    assert kept.total == 3 * Fraction(largest)
    assert kept.highest == kept.lowest == Fraction(largest)


PEOPLE = {**TOKENS, "key": "people", "aggregation": "unique_count", "value": "user"}
SEATS = {**TOKENS, "key": "seats", "aggregation": "weighted_sum", "level": "set"}
KEPT = text("""
    SELECT count AS number, total::text, held, last_tx::text FROM usage_rollups
    WHERE customer_id = :customer AND meter = :meter
""")
VALUES = text("""
    SELECT count FROM usage_values WHERE customer_id = :customer AND meter = :meter ORDER BY count
""")


async def pump(database: Database, environment: Environment) -> int:
    """Roll up all there is; a transaction that what comes next is not before."""
    horizon = await wait_for_horizon(database)
    await pump_once(database, environment.id)
    return horizon


async def void(database: Database, environment: Environment, event: str) -> None:
    async with database.transaction(environment.id) as connection:
        await void_event(connection, environment.id, event, "a mistake")


async def test_distinct_values_are_kept_with_how_often_each_came(
    database: Database, environment: Environment, acme: str
) -> None:
    async with database.transaction(environment.id) as connection:
        await add_meter(connection, environment.id, PEOPLE)
    for n, user in enumerate(("ann", "bob", "ann")):
        event = an_event(f"e{n}", properties={"tokens": "1", "user": user})
        await send(database, environment.id, [event])
        await pump(database, environment)
    async with database.transaction(environment.id) as connection:
        rows = await connection.execute(VALUES, {"customer": acme, "meter": "people"})
        assert list(rows.scalars()) == [1, 2]


# Ten until five past, and twenty for the five minutes after that; then five is found to have been set at two past.
async def test_what_comes_before_others_has_its_grain_measured_again(
    database: Database, environment: Environment, acme: str
) -> None:
    minute = 60 * 10**6
    async with database.transaction(environment.id) as connection:
        await add_meter(connection, environment.id, SEATS)
    held = []
    for time, tokens in (("00:00", "10"), ("00:05", "20"), ("00:10", "1"), ("00:02", "5")):
        event = an_event(time, time=f"2026-01-01T{time}:00Z", properties={"tokens": tokens})
        await send(database, environment.id, [event])
        await pump(database, environment)
        async with database.transaction(environment.id) as connection:
            row = await connection.execute(KEPT, {"customer": acme, "meter": "seats"})
            held.append(Fraction(row.one().held) / minute)
    assert held == [0, 10 * 5, 10 * 5 + 20 * 5, 10 * 2 + 5 * 3 + 20 * 5]


async def test_a_void_has_its_grain_measured_again_and_leaves_its_transaction_there(
    database: Database, environment: Environment, acme: str
) -> None:
    events = [an_event("e1"), an_event("e2", properties={"tokens": "7"})]
    await send(database, environment.id, events)
    before = await pump(database, environment)
    for event, left in (("e1", (1, "7")), ("e2", (0, None))):
        await void(database, environment, event)
        after = await pump(database, environment)
        async with database.transaction(environment.id) as connection:
            row = (await connection.execute(KEPT, {"customer": acme, "meter": "tokens"})).one()
        assert (row.number, row.total) == left
        assert before <= int(row.last_tx) < after
        before = after


@pytest.mark.parametrize("limit", [1, 100])
async def test_an_event_and_its_void_that_were_not_rolled_up_leave_a_rollup_of_nothing(
    database: Database, environment: Environment, acme: str, limit: int
) -> None:
    await send(
        database, environment.id, [an_event("e1"), an_event("e2", time="2026-01-02T00:00:00Z")]
    )
    await void(database, environment, "e1")
    await wait_for_horizon(database)
    await pump_once(database, environment.id, limit)
    async with database.transaction(environment.id) as connection:
        rows = await connection.execute(KEPT, {"customer": acme, "meter": "tokens"})
        assert sorted((row.number, row.total) for row in rows) == [(0, None), (1, "10")]


async def test_what_a_meter_does_not_count_is_no_void_of_its(
    database: Database, environment: Environment, acme: str
) -> None:
    large = {**TOKENS, "key": "large", "filters": [{"property": "model", "in": ["large"]}]}
    async with database.transaction(environment.id) as connection:
        await add_meter(connection, environment.id, large)
    await send(database, environment.id, [an_event("e1")])
    await void(database, environment, "e1")
    await pump(database, environment)
    async with database.transaction(environment.id) as connection:
        rows = await connection.execute(KEPT, {"customer": acme, "meter": "large"})
        assert rows.all() == []
