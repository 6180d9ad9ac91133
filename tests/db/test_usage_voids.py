"""An event that was voided counts for nothing from its void on, and for everything before: at any cut-off, rolled up or
not, and whoever comes first.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from db import usage_tail
from db.event_list import KeptEvent, Sought, find_event, find_events
from db.events import ingest
from db.session import Database
from db.tenants import Environment
from db.usage import usage_in
from db.usage_horizon import cut_off, wait_for_horizon
from db.usage_late import ClosedWindow, late_windows
from db.usage_measures import Consumer
from db.usage_pump import pump_once, pump_step
from db.usage_voids import void_event
from domain.calendar import Period
from domain.errors import Conflict, NotFound
from domain.metering.consumption import consumption
from domain.metering.events import UsageEvent
from domain.metering.incoming import IncomingEvent
from domain.metering.measuring import measure
from domain.metering.meter import read_meter
from domain.pricing.usage import UsageShape
from domain.reading import instant
from tests import billing_world
from tests.billing_world import open_world
from tests.conftest import fresh_environment
from tests.usage_world import (
    TOKENS,
    add_clock,
    add_customer,
    add_meter,
    add_subscription,
    an_event,
    send,
)

JANUARY = Period(instant("2026-01-01T00:00:00Z"), instant("2026-02-01T00:00:00Z"))
START = datetime(2026, 1, 31, 20, tzinfo=UTC)
WINDOWS = (
    Period(START, START + timedelta(hours=6)),
    Period(START + timedelta(minutes=30), START + timedelta(hours=4, minutes=7)),
)
KINDS: Sequence[Mapping[str, Any]] = (
    {"aggregation": "count"},
    {"aggregation": "sum", "value": "tokens", "group_by": ["model"]},
    {"aggregation": "max", "value": "tokens"},
    {"aggregation": "min", "value": "tokens", "carry_over": False},
    {"aggregation": "avg", "value": "tokens"},
    {"aggregation": "latest", "value": "tokens", "carry_over": True},
    {"aggregation": "max", "value": "tokens", "carry_over": True, "group_by": ["model"]},
    {"aggregation": "unique_count", "value": "model"},
    {"aggregation": "percentile", "value": "tokens", "percentile": "50"},
    {"aggregation": "weighted_sum", "value": "tokens"},
    {"aggregation": "weighted_sum", "value": "tokens", "level": "set", "carry_over": True},
    {"aggregation": "max", "value": "tokens", "window": "hour"},
    {"aggregation": "sum", "value": "tokens", "window": "minute"},
)
DOCUMENTS = [{"key": f"m{n}", "event_name": "llm", **kind} for n, kind in enumerate(KINDS)]
METERS = [read_meter(document) for document in DOCUMENTS]
SHAPES: Sequence[UsageShape] = ("quantity", "groups", "events")


async def void(
    database: Database, environment: str, event: str, reason: str = "sent twice"
) -> KeptEvent:
    async with database.transaction(environment) as connection:
        await void_event(connection, environment, event, reason)
        return await find_event(connection, event)


@dataclass
class World:
    """Acme with two subscriptions, and what stands of what was sent, in the order of arrival."""

    database: Database
    environment: str
    customer: str
    subscriptions: Sequence[str]
    standing: dict[str, UsageEvent] = field(default_factory=dict)
    sent: int = 0

    async def use(self, chance: random.Random) -> None:
        events = [self._event(chance) for _ in range(chance.randint(1, 6))]
        assert (await send(self.database, self.environment, events)).accepted == len(events)
        for event in events:
            assert event.time is not None
            named = (event.event_name, event.customer, event.time, event.properties)
            usage = UsageEvent(event.id, *named, event.subscription, arrival=self.sent)
            self.standing[event.id] = usage
            self.sent += 1

    async def void_some(self, chance: random.Random) -> None:
        for id in chance.sample(sorted(self.standing), min(2, len(self.standing))):
            await void(self.database, self.environment, id)
            del self.standing[id]

    async def cut_off(self) -> "CutOff":
        return CutOff(await wait_for_horizon(self.database), tuple(self.standing.values()))

    def _event(self, chance: random.Random) -> IncomingEvent:
        minute = timedelta(minutes=1)
        return IncomingEvent(
            id=f"e{self.sent}-{chance.random()}",
            event_name=chance.choice(("llm", "llm", "llm", "other")),
            customer="acme",
            time=chance.choice((WINDOWS[0].start, WINDOWS[1].start, START + minute * chance.randrange(-60, 420))),
            properties={
                "tokens": chance.choice(("1", "-2.5", "0.001", 7)),
                "model": chance.choice(("large", "small", "tiny")),
            },
            subscription=chance.choice((None, None, *self.subscriptions)),
        )  # fmt: skip


@dataclass(frozen=True)
class CutOff:
    """A horizon of the log, and what stood there."""

    horizon: int
    standing: tuple[UsageEvent, ...]


@pytest.fixture
async def world(database: Database, environment: Environment) -> World:
    async with database.transaction(environment.id) as connection:
        customer = await add_customer(connection, environment.id, "acme")
        keys = [await add_subscription(connection, environment.id, customer, key) for key in "ab"]
        for document in DOCUMENTS:
            await add_meter(connection, environment.id, document)
    return World(database, environment.id, customer, keys)


async def check_every_number(world: World, at: CutOff, chance: random.Random) -> None:
    async with world.database.transaction(world.environment) as connection:
        for meter in METERS:
            window, shape = chance.choice(WINDOWS), chance.choice(SHAPES)
            subscription = chance.choice((None, *world.subscriptions))
            consumer = Consumer(world.customer, subscription)
            used = await usage_in(connection, consumer, meter, window, shape, at.horizon)
            events = [
                e for e in at.standing if subscription is None or e.subscription in (None, subscription)
            ]  # fmt: skip
            measures = [m for event in events if (m := measure(meter, event)) is not None]
            assert used == consumption(meter, measures, window, shape), meter


@pytest.mark.parametrize("seed", range(6))
async def test_at_every_cut_off_what_counts_is_what_stood_there(
    world: World, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    if seed % 2:
        monkeypatch.setattr(usage_tail, "MOST_READ_WHOLE", 1)
    cut_offs: list[CutOff] = []
    for turn in range(6):
        await world.use(chance)
        if turn % 2:
            await world.void_some(chance)
        match chance.choice(("nothing", "a step", "all")):
            case "a step":
                await pump_step(world.database, world.environment, limit=chance.randint(1, 5))
            case "all":
                await wait_for_horizon(world.database)
                await pump_once(world.database, world.environment)
        cut_offs.append(await world.cut_off())
        for at in cut_offs[-3:]:
            await check_every_number(world, at, chance)
    await pump_once(world.database, world.environment)
    for at in cut_offs:
        await check_every_number(world, at, chance)


@pytest.fixture
async def acme(database: Database, environment: Environment) -> str:
    async with database.transaction(environment.id) as connection:
        await add_meter(connection, environment.id, TOKENS)
        return await add_customer(connection, environment.id, "acme")


async def test_a_void_is_an_event_like_the_one_it_voids(
    database: Database, environment: Environment, acme: str
) -> None:
    await send(database, environment.id, [an_event("e1", properties={"tokens": "0.10", "n": 7})])
    voided = await void(database, environment.id, "e1", "sent twice")
    assert voided.void is not None
    assert voided.void.reason == "sent twice"
    async with database.transaction(environment.id) as connection:
        own = await find_event(connection, voided.void.id)
        shown = await find_events(connection, Sought(), 10)
        everything = await find_events(connection, Sought(voids=True), 10)
    assert (own.voids, own.reason, own.void) == ("e1", "sent twice", None)
    assert own == replace(
        voided,
        id=own.id,
        void=None,
        voids="e1",
        reason="sent twice",
        seq=own.seq,
        received_at=own.received_at,
    )
    assert [event.id for event in shown] == ["e1"]
    assert [event.id for event in everything] == ["e1", own.id]


async def test_the_first_void_stands(
    database: Database, environment: Environment, acme: str
) -> None:
    await send(database, environment.id, [an_event("e1")])
    first = await void(database, environment.id, "e1", "sent twice")
    assert await void(database, environment.id, "e1", "another reason") == first
    assert first.void is not None
    with pytest.raises(Conflict, match="a void is not voided"):
        await void(database, environment.id, first.void.id)
    assert await count(database, environment) == (2, 1)


async def test_an_id_that_was_voided_stays_taken(
    database: Database, environment: Environment, acme: str
) -> None:
    await send(database, environment.id, [an_event("e1")])
    voided = await void(database, environment.id, "e1")
    assert voided.void is not None
    again = [an_event("e1"), an_event("e1", properties={"tokens": "1"}), an_event(voided.void.id)]
    answer = await send(database, environment.id, again)
    assert (answer.accepted, answer.duplicates) == (0, 1)
    assert [rejected.path for rejected in answer.rejected] == ["id", "id"]
    assert await used(database, environment, acme) == 0


async def test_what_is_not_there_is_not_voided(
    database: Database, environment: Environment, acme: str
) -> None:
    await send(database, environment.id, [an_event("e1")])
    stranger = await fresh_environment(database)
    for asked, id in ((environment.id, "e2"), (stranger.id, "e1")):
        with pytest.raises(NotFound, match=f"there is no event {id}"):
            await void(database, asked, id)
    assert await count(database, environment) == (1, 0)


async def test_a_void_happens_when_the_customers_clock_says(
    database: Database, environment: Environment
) -> None:
    now = instant("2031-05-06T07:08:09Z")
    async with database.transaction(environment.id) as connection:
        await add_customer(
            connection, environment.id, "acme", await add_clock(connection, environment.id, now)
        )
        await add_customer(connection, environment.id, "globex")
    await send(database, environment.id, [an_event("e1"), an_event("e2", customer="globex")])
    on_clock = await void(database, environment.id, "e1")
    real = await void(database, environment.id, "e2")
    assert on_clock.void is not None
    assert real.void is not None
    assert (on_clock.void.at == now, real.void.at == now) == (True, False)


async def test_an_event_from_before_transactions_were_noted_is_found(
    database: Database, environment: Environment, acme: str, owner_of: Any
) -> None:
    await send(database, environment.id, [an_event("e1"), an_event("e2")])
    await owner_of("UPDATE usage_event_keys SET tx = NULL", environment.id)
    await void(database, environment.id, "e1")
    assert await used(database, environment, acme) == 10


@pytest.fixture
def owner_of(database_urls: Mapping[str, str]) -> Any:
    """Change rows as only the owner may, in one environment."""

    async def run(statement: str, environment: str) -> None:
        async with await psycopg.AsyncConnection.connect(database_urls["owner"]) as connection:
            asked = "SELECT set_config('weir.environment', %s, true)"
            await connection.execute(asked, (environment,))
            await connection.execute(
                f"{statement} WHERE environment_id = %s".encode(), (environment,)
            )

    return run


async def test_racing_voids_are_one(
    database: Database, environment: Environment, acme: str
) -> None:
    await send(database, environment.id, [an_event("e1")])
    voided = await asyncio.gather(
        *(void(database, environment.id, "e1", f"reason {n}") for n in range(8))
    )
    assert len({event.void for event in voided}) == 1
    assert await count(database, environment) == (2, 1)


async def test_a_void_that_races_its_event_finds_it_or_does_not(
    database: Database, environment: Environment, acme: str
) -> None:
    """While the event is being added it is not there yet; once it is, a void takes it back."""
    async with database.transaction(environment.id) as connection:
        await ingest(connection, environment.id, [an_event("e1")])
        with pytest.raises(NotFound):
            await void(database, environment.id, "e1")
    assert await used(database, environment, acme) == 10
    both = await asyncio.gather(
        void(database, environment.id, "e1"), send(database, environment.id, [an_event("e1")])
    )
    assert both[0].void is not None
    assert both[1].duplicates == 1
    assert await used(database, environment, acme) == 0


@pytest.mark.parametrize("pumped", [False, True], ids=["at the end of the log", "rolled up"])
async def test_a_void_is_in_a_cut_off_or_makes_its_window_late(
    database: Database, environment: Environment, acme: str, pumped: bool
) -> None:
    """A void whose transaction is open when a cut-off is fixed is after it, whenever it commits."""
    meter, consumer = read_meter(TOKENS), Consumer(acme)
    await send(database, environment.id, [an_event("e1"), an_event("e2")])
    await wait_for_horizon(database)  # other databases of the server have open transactions too
    async with database.transaction(environment.id) as connection:
        await void_event(connection, environment.id, "e1", "sent twice")
        async with database.transaction(environment.id) as reader:
            billed = await cut_off(reader)
            before = await usage_in(reader, consumer, meter, JANUARY, "quantity", billed)
    until = await wait_for_horizon(database)
    if pumped:
        await pump_once(database, environment.id)
    async with database.transaction(environment.id) as reader:
        then = await usage_in(reader, consumer, meter, JANUARY, "quantity", billed)
        now = await usage_in(reader, consumer, meter, JANUARY, "quantity", until)
        closed = [ClosedWindow(meter, JANUARY, billed), ClosedWindow(meter, JANUARY, until)]
        late = await late_windows(reader, consumer, closed, until)
    assert (total(before), total(then), total(now)) == (20, 20, 10)
    assert late == (0,)


@pytest.mark.parametrize("attempt", range(3))
async def test_a_void_that_races_the_close_is_billed_once(
    database: Database, environment: Environment, attempt: int
) -> None:
    """In January's invoice or late on February's, but in one of them: 5 tokens at a cent, and 20.00 a month."""
    world = await open_world(database, environment)
    await world.begin()
    await world.use("e1", 5, billing_world.JANUARY)
    await world.use("e2", 700, billing_world.JANUARY)
    await asyncio.gather(world.end_period(), void(database, environment.id, "e2"))
    await world.end_period(billing_world.MARCH)
    billed = await world.rows("SELECT sum(subtotal_minor) FROM invoices")
    assert billed == [(3 * 2000 + 5,)]


def total(used: Any) -> int:
    return int(used.total)


async def used(database: Database, environment: Environment, customer: str) -> int:
    """Acme's tokens of January, by all that has been committed."""
    until = await wait_for_horizon(database)
    async with database.transaction(environment.id) as connection:
        consumer, meter = Consumer(customer), read_meter(TOKENS)
        return total(await usage_in(connection, consumer, meter, JANUARY, "quantity", until))


async def count(database: Database, environment: Environment) -> tuple[int, int]:
    """How many rows the log has, and how many voids there are."""
    async with database.transaction(environment.id) as connection:
        asked = "SELECT (SELECT count(*) FROM usage_events), (SELECT count(*) FROM usage_voids)"
        events, voids = (await connection.execute(text(asked))).one()
        return int(events), int(voids)
