"""A closed window is late from the moment that an event of it comes after its cut-off, rolled up or not."""

import asyncio
from datetime import timedelta

import pytest

from db import usage_tail
from db.events import ingest
from db.session import Database
from db.tenants import Environment
from db.usage_horizon import cut_off, wait_for_horizon
from db.usage_late import ClosedWindow, late_windows
from db.usage_measures import Consumer
from db.usage_pump import pump_once
from domain.calendar import Period
from domain.errors import Unavailable
from domain.metering.meter import read_meter
from domain.reading import instant
from tests.usage_world import TOKENS, add_customer, add_meter, add_subscription, an_event, send

PEOPLE = {"key": "people", "event_name": "llm", "aggregation": "unique_count", "value": "user"}
SEATS = {**TOKENS, "key": "seats", "carry_over": True}
METERS = (TOKENS, PEOPLE, SEATS)
JANUARY = Period(instant("2026-01-01T00:30:00Z"), instant("2026-02-01T00:30:00Z"))


class Books:
    """Three meters of a customer whose January was billed at a cut-off."""

    def __init__(self, database: Database, environment: str, pumped: bool) -> None:
        self.database, self.environment, self.pumped = database, environment, pumped
        self.customer = self.own = self.other = ""
        self.cutoff = 0

    async def send(self, time: str, **members: object) -> None:
        name = f"{time}{members}"
        properties = {"tokens": "1", "user": "ann"}
        event = an_event(name, time=time, properties=properties, **members)
        answer = await send(self.database, self.environment, [event])
        assert answer.accepted == 1
        await wait_for_horizon(self.database)
        if self.pumped:
            await pump_once(self.database, self.environment)

    async def late(self, cutoff: int | None = None) -> list[str]:
        """The meters whose January is late."""
        until = await wait_for_horizon(self.database)
        windows = [
            ClosedWindow(read_meter(m), JANUARY, self.cutoff if cutoff is None else cutoff)
            for m in METERS
        ]
        async with self.database.transaction(self.environment) as connection:
            consumer = Consumer(self.customer, self.own)
            places = await late_windows(connection, consumer, windows, until)
        return [str(METERS[place]["key"]) for place in places]


@pytest.fixture(params=["rolled up", "at the end of the log", "at the end of a long log"])
async def books(
    request: pytest.FixtureRequest,
    database: Database,
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
) -> Books:
    if request.param == "at the end of a long log":
        monkeypatch.setattr(usage_tail, "MOST_READ_WHOLE", 1)
    books = Books(database, environment.id, pumped=request.param == "rolled up")
    async with database.transaction(environment.id) as connection:
        for meter in METERS:
            await add_meter(connection, environment.id, meter)
        books.customer = await add_customer(connection, environment.id, "acme")
        await add_customer(connection, environment.id, "globex")
        books.own, books.other = [
            await add_subscription(connection, environment.id, books.customer, key)
            for key in ("own", "other")
        ]
    await books.send("2026-01-15T12:00:00Z")
    await books.send("2025-12-01T00:00:00Z")
    books.cutoff = await wait_for_horizon(database)
    return books


@pytest.mark.parametrize(
    ("time", "late"),
    [
        ("2026-01-01T00:30:00Z", ["tokens", "people", "seats"]),
        ("2026-01-20T00:00:00Z", ["tokens", "people", "seats"]),
        ("2026-02-01T00:29:59.999999Z", ["tokens", "people", "seats"]),
        ("2026-01-01T00:29:59Z", ["seats"]),
        ("2025-06-01T00:00:00Z", ["seats"]),
        ("2026-02-01T00:30:00Z", []),
        ("2026-02-01T00:45:00Z", []),
    ],
)
async def test_events_from_after_the_cut_off_make_a_window_late(
    books: Books, time: str, late: list[str]
) -> None:
    assert await books.late() == []
    await books.send(time)
    assert await books.late() == late


@pytest.mark.parametrize(
    "members", [{"customer": "globex"}, {"event_name": "other"}, {"subscription": "other"}]
)
async def test_what_is_not_its_own_makes_no_window_late(
    books: Books, members: dict[str, str]
) -> None:
    await books.send("2026-01-20T00:00:00Z", **members)
    assert await books.late() == []


async def test_an_event_that_names_the_subscription_makes_it_late(books: Books) -> None:
    await books.send("2026-01-20T00:00:00Z", subscription="own")
    assert await books.late() == ["tokens", "people", "seats"]


async def test_once_billed_again_a_window_is_late_no_more(books: Books) -> None:
    await books.send("2026-01-20T00:00:00Z")
    assert await books.late(await wait_for_horizon(books.database)) == []


async def test_the_horizon_waits_for_whoever_began_before(
    database: Database, environment: Environment
) -> None:
    async with database.transaction(environment.id) as connection:
        await add_customer(connection, environment.id, "acme")
        await ingest(connection, environment.id, [an_event("e1")])
        with pytest.raises(Unavailable):
            await wait_for_horizon(database, patience=timedelta(0))
        waiting = asyncio.create_task(wait_for_horizon(database))
        before = await cut_off(connection)
    assert await waiting > before
