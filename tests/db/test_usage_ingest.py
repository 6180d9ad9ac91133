import asyncio
from datetime import datetime
from typing import NamedTuple

import pytest
from sqlalchemy import text

from db.session import Database
from db.tenants import Environment
from domain.metering.incoming import IncomingEvent
from domain.reading import instant, written
from tests.usage_world import TOKENS, add_clock, add_customer, add_meter, an_event, send

WRITERS = 20


class Kept(NamedTuple):
    id: str
    time: datetime
    properties: object


@pytest.fixture
async def acme(database: Database, environment: Environment) -> str:
    async with database.transaction(environment.id) as connection:
        await add_meter(connection, environment.id, TOKENS)
        return await add_customer(connection, environment.id, "acme")


async def log(database: Database, environment: Environment) -> list[Kept]:
    async with database.transaction(environment.id) as connection:
        rows = await connection.execute(
            text("SELECT id, time, properties FROM usage_events ORDER BY seq")
        )
        return [Kept(*row) for row in rows]


async def test_good_events_are_kept_in_the_order_they_were_sent(
    database: Database, environment: Environment, acme: str
) -> None:
    events = [an_event(f"e{n}", properties={"tokens": str(n)}) for n in (3, 1, 2)]
    assert (await send(database, environment.id, events)).accepted == 3
    assert [event.id for event in await log(database, environment)] == ["e3", "e1", "e2"]


async def test_numbers_and_text_come_back_as_they_were_sent(
    database: Database, environment: Environment, acme: str
) -> None:
    sent = {
        "tokens": "0.10",
        "whole": 12345678901234567890123456789,
        "nested": {"list": [1, None, True, "ä\u2028"], "empty": {}},
    }
    await send(database, environment.id, [an_event("e1", properties=sent)])
    assert [event.properties for event in await log(database, environment)] == [sent]


async def test_sending_again_is_no_error_and_adds_nothing(
    database: Database, environment: Environment, acme: str
) -> None:
    first = await send(database, environment.id, [an_event("e1"), an_event("e2")])
    again = await send(database, environment.id, [an_event("e2"), an_event("e3"), an_event("e1")])
    assert (first.accepted, first.duplicates) == (2, 0)
    assert (again.accepted, again.duplicates, again.rejected) == (1, 2, ())
    assert len(await log(database, environment)) == 3


@pytest.mark.parametrize(
    "other",
    [
        an_event("e1", properties={"tokens": "11"}),
        an_event("e1", properties={"tokens": 10}),
        an_event("e1", time="2026-03-01T00:00:00Z"),
        an_event("e1", event_name="other"),
        an_event("e1", customer="globex"),
    ],
    ids=["value", "type", "time", "name", "customer"],
)
async def test_an_id_stands_for_one_content_for_ever(
    database: Database, environment: Environment, acme: str, other: IncomingEvent
) -> None:
    async with database.transaction(environment.id) as connection:
        await add_customer(connection, environment.id, "globex")
    await send(database, environment.id, [an_event("e1")])
    answer = await send(database, environment.id, [other, an_event("e2")])
    assert answer.accepted == 1
    (rejected,) = answer.rejected
    assert (rejected.index, rejected.id, rejected.path) == (0, "e1", "id")
    assert "conflict" in rejected.message


async def test_the_same_customer_and_instant_named_otherwise_is_the_same_content(
    database: Database, environment: Environment, acme: str
) -> None:
    await send(database, environment.id, [an_event("e1")])
    same = an_event("e1", customer=acme, time="2026-01-01T01:00:00+01:00")
    assert (await send(database, environment.id, [same])).duplicates == 1


async def test_an_id_counts_once_within_a_batch(
    database: Database, environment: Environment, acme: str
) -> None:
    batch = [
        an_event("e1", properties={"tokens": "none"}),
        an_event("e1"),
        an_event("e1"),
        an_event("e1", properties={"tokens": "11"}),
    ]
    answer = await send(database, environment.id, batch)
    assert (answer.accepted, answer.duplicates) == (1, 1)
    assert [(r.index, r.path) for r in answer.rejected] == [(0, "properties.tokens"), (3, "id")]


@pytest.mark.parametrize(
    ("event", "path"),
    [
        (an_event("bad", customer="nobody"), "customer"),
        (an_event("bad", subscription="sub_of_nobody"), "subscription"),
        (an_event("bad", properties={}), "properties.tokens"),
        (an_event("bad", properties={"tokens": None}), "properties.tokens"),
        (an_event("bad", properties={"tokens": "many"}), "properties.tokens"),
        (an_event("bad", properties={"tokens": True}), "properties.tokens"),
        (an_event("bad", properties={"tokens": "1e3"}), "properties.tokens"),
    ],
    ids=lambda value: None if isinstance(value, IncomingEvent) else value,
)
async def test_a_bad_event_is_named_and_the_others_are_kept(
    database: Database, environment: Environment, acme: str, event: IncomingEvent, path: str
) -> None:
    answer = await send(database, environment.id, [an_event("e1"), event, an_event("e2")])
    assert (answer.accepted, answer.duplicates) == (2, 0)
    assert [(r.index, r.id, r.path) for r in answer.rejected] == [(1, "bad", path)]
    assert [kept.id for kept in await log(database, environment)] == ["e1", "e2"]


async def test_events_of_no_meter_are_kept_for_meters_to_come(
    database: Database, environment: Environment, acme: str
) -> None:
    answer = await send(
        database, environment.id, [an_event("e1", event_name="free", properties={})]
    )
    assert answer.accepted == 1


async def test_an_archived_meter_refuses_nothing(
    database: Database, environment: Environment, acme: str
) -> None:
    async with database.transaction(environment.id) as connection:
        await connection.execute(text("UPDATE meters SET archived_at = now()"))
    assert (await send(database, environment.id, [an_event("e1", properties={})])).accepted == 1


async def test_sending_again_what_a_later_meter_cannot_read_is_still_a_duplicate(
    database: Database, environment: Environment, acme: str
) -> None:
    await send(database, environment.id, [an_event("e1")])
    async with database.transaction(environment.id) as connection:
        await add_meter(connection, environment.id, TOKENS | {"key": "late", "value": "seconds"})
    answer = await send(database, environment.id, [an_event("e1"), an_event("e2")])
    assert answer.duplicates == 1
    assert [(r.id, r.path) for r in answer.rejected] == [("e2", "properties.seconds")]


async def test_an_event_without_a_time_happens_when_the_customers_clock_says(
    database: Database, environment: Environment
) -> None:
    now = instant("2031-05-06T07:08:09Z")
    async with database.transaction(environment.id) as connection:
        clock = await add_clock(connection, environment.id, now)
        await add_customer(connection, environment.id, "acme", clock)
        await add_customer(connection, environment.id, "globex")
    untimed = [an_event("e1", time=None), an_event("e2", time=None, customer="globex")]
    for _ in range(2):
        answer = await send(database, environment.id, untimed)
    assert answer.duplicates == 2
    on_clock, real = await log(database, environment)
    assert on_clock.time == now
    assert real.time != now

    timed = an_event("e1", time=written(now))
    assert (await send(database, environment.id, [timed])).duplicates == 1
    async with database.transaction(environment.id) as connection:
        await connection.execute(text("UPDATE test_clocks SET now = now + interval '1 second'"))
    later = await send(database, environment.id, untimed)
    assert [rejected.id for rejected in later.rejected] == ["e1"]  # it is another time there
    assert later.duplicates == 1


async def test_any_time_is_kept(database: Database, environment: Environment, acme: str) -> None:
    times = ["1971-01-01T00:00:00Z", "2026-02-28T23:59:59.999999Z", "2026-03-01T00:00:00Z"]
    times += ["2999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"]
    events = [an_event(f"e{n}", time=time) for n, time in enumerate(times)]
    assert (await send(database, environment.id, events)).accepted == len(times)
    assert [event.time for event in await log(database, environment)] == [
        instant(time) for time in times
    ]


async def test_racing_writers_add_each_event_once(
    database: Database, environment: Environment, acme: str
) -> None:
    """Each sends the same ids, half of them in the other order and across months that have no partition yet."""
    events = [an_event(f"e{n}", time=f"2027-{n % 12 + 1:02}-01T00:00:00Z") for n in range(60)]
    answers = await asyncio.gather(
        *(send(database, environment.id, events[:: 1 if n % 2 else -1]) for n in range(WRITERS))
    )
    assert sum(answer.accepted for answer in answers) == len(events)
    assert sum(answer.duplicates for answer in answers) == len(events) * (WRITERS - 1)
    assert len(await log(database, environment)) == len(events)
