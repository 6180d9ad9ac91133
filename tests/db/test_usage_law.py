"""What is billed from rollups, edges and tail is what all events together give: the same numbers whatever the pump has
done so far, in whatever order events came, and with writers that commit late.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from db import usage_tail
from db.events import ingest
from db.meters import kept_meters
from db.session import Database
from db.tenants import Environment
from db.usage import usage_in
from db.usage_horizon import cut_off, wait_for_horizon
from db.usage_measures import Consumer
from db.usage_of_many import Asked, usage_of_many
from db.usage_pump import pump_once, pump_step
from domain.account import Need
from domain.calendar import Period
from domain.metering.consumption import consumption
from domain.metering.events import UsageEvent
from domain.metering.incoming import IncomingEvent
from domain.metering.measuring import Measure, measure
from domain.metering.meter import Meter, read_meter
from domain.pricing.usage import UsageShape
from tests.usage_world import add_customer, add_meter, add_subscription, send

START = datetime(2026, 1, 31, 20, tzinfo=UTC)
WINDOWS = (
    Period(START, START + timedelta(hours=8)),
    Period(START + timedelta(minutes=30), START + timedelta(hours=7, minutes=15, microseconds=1)),
    Period(START + timedelta(minutes=10), START + timedelta(minutes=50)),
    Period(START + timedelta(hours=2), START + timedelta(hours=2)),
)
PAUSES = (
    (),
    (Period(START + timedelta(hours=2, minutes=20), START + timedelta(hours=4)),),
    (
        Period(START + timedelta(hours=1), START + timedelta(hours=2)),
        Period(START + timedelta(hours=3, minutes=1), START + timedelta(hours=3, minutes=2)),
    ),
)
SHAPES: tuple[UsageShape, ...] = ("quantity", "groups", "events")


def documents() -> tuple[Mapping[str, Any], ...]:
    """A meter of each kind."""
    plain: list[dict[str, Any]] = [
        {"aggregation": kind, "value": "tokens"}
        for kind in ("sum", "max", "min", "avg", "latest", "unique_count", "weighted_sum")
    ]
    kinds = [
        *plain,
        {"aggregation": "count"},
        {"aggregation": "percentile", "value": "tokens", "percentile": "90"},
        {"aggregation": "sum", "value": "2 * tokens + 0.5", "group_by": ["model"]},
        {"aggregation": "latest", "value": "tokens", "group_by": ["model", "zone"]},
        {"aggregation": "sum", "value": "tokens", "carry_over": True},
        {"aggregation": "max", "value": "tokens", "carry_over": True, "group_by": ["model"]},
        {"aggregation": "latest", "value": "tokens", "carry_over": True},
        {"aggregation": "max", "value": "tokens", "window": "hour"},
        {"aggregation": "sum", "value": "tokens", "rounding": {"mode": "up", "scale": 1}},
        {
            "aggregation": "sum",
            "value": "tokens",
            "filters": [{"property": "model", "in": ["large"]}],
        },
    ]
    return tuple({"key": f"m{n}", "event_name": "llm", **kind} for n, kind in enumerate(kinds))


METERS = tuple(read_meter(document) for document in documents())


@dataclass
class World:
    """A customer with two subscriptions, all that was sent of it in the order of arrival, and where it is kept."""

    database: Database
    environment: str
    customer: str
    subscriptions: Sequence[str]
    sent: list[IncomingEvent]

    def measures(self, meter: Meter, subscription: str | None) -> list[Measure]:
        events = [
            UsageEvent(e.id, e.event_name, e.customer, e.time, e.properties, arrival=arrival)
            for arrival, e in enumerate(self.sent)
            if e.time is not None
            and (subscription is None or e.subscription in (None, subscription))
        ]
        return [m for event in events if (m := measure(meter, event)) is not None]


@pytest.fixture
async def world(database: Database, environment: Environment) -> World:
    async with database.transaction(environment.id) as connection:
        customer = await add_customer(connection, environment.id, "acme")
        await add_customer(connection, environment.id, "globex")
        keys = [await add_subscription(connection, environment.id, customer, key) for key in "ab"]
    return World(database, environment.id, customer, keys, [])


async def add_meters(world: World, documents: Sequence[Mapping[str, Any]]) -> None:
    async with world.database.transaction(world.environment) as connection:
        for document in documents:
            await add_meter(connection, world.environment, document)


def some_events(world: World, chance: random.Random, prefix: str) -> list[IncomingEvent]:
    """Out of order, doubled, negative, on bounds, of others too."""
    events = [an_event(world, chance, f"{prefix}{n}") for n in range(chance.randint(1, 25))]
    return [*events, *chance.sample(events, len(events) // 3)]


def an_event(world: World, chance: random.Random, id: str) -> IncomingEvent:
    bounds = [bound for window in WINDOWS for bound in (window.start, window.end)]
    anywhere = START + timedelta(microseconds=chance.randrange(9 * 3600 * 10**6), hours=-1)
    customer = "globex" if chance.random() < 0.1 else "acme"
    named = None if customer == "globex" else chance.choice((None, None, *world.subscriptions))
    return IncomingEvent(
        id=id,
        event_name=chance.choice(("llm", "llm", "llm", "other")),
        customer=customer,
        time=chance.choice((anywhere, anywhere, *bounds)),
        properties={
            "tokens": chance.choice(("1", "-2.5", "0.001", "12345678901234567890.000000000001", 7)),
            "model": chance.choice(("large", "small", None, 5)),
            **({"zone": "eu"} if chance.random() < 0.5 else {}),
        },
        subscription=named,
    )


async def send_some(world: World, chance: random.Random, prefix: str) -> None:
    events = some_events(world, chance, prefix)
    answer = await send(world.database, world.environment, events)
    assert not answer.rejected
    remember(world, events)


def remember(world: World, events: Sequence[IncomingEvent]) -> None:
    known = {event.id for event in world.sent}
    for event in events:
        if event.id not in known and event.customer == "acme":
            world.sent.append(event)
        known.add(event.id)


async def check_every_number(world: World, chance: random.Random) -> None:
    """Each meter over a window, a pause, a shape and a subscription that are drawn anew."""
    await wait_for_horizon(world.database)
    async with world.database.transaction(world.environment) as connection:
        cutoff = await cut_off(connection)
        for meter in METERS:
            window, pause = chance.choice(WINDOWS), chance.choice(PAUSES)
            shape = chance.choice(SHAPES)
            subscription = chance.choice((None, *world.subscriptions))
            zone = chance.choice(("UTC", "Asia/Kolkata"))
            used = await usage_in(
                connection,
                Consumer(world.customer, subscription, zone),
                meter,
                window,
                shape,
                cutoff,
                pause,
            )
            measures = world.measures(meter, subscription)
            assert used == consumption(meter, measures, window, shape, zone, pause), meter


@pytest.mark.parametrize("seed", range(8))
async def test_rollups_edges_and_tail_give_what_all_events_give(
    world: World, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    if seed % 2:
        monkeypatch.setattr(usage_tail, "MOST_READ_WHOLE", 1)
    late = chance.randint(0, len(METERS))
    await add_meters(world, documents()[late:])
    for turn in range(6):
        await send_some(world, chance, f"{turn}-")
        if turn == 3:
            await add_meters(world, documents()[:late])  # these start at the log's beginning
        match chance.choice(("nothing", "a step", "all")):
            case "a step":
                await pump_step(world.database, world.environment, limit=chance.randint(1, 20))
            case "all":
                await pump_once(world.database, world.environment, limit=chance.randint(1, 40))
        if turn > 2:
            await check_every_number(world, chance)


@pytest.mark.parametrize("seed", range(3))
async def test_many_at_once_are_given_what_each_is_given(world: World, seed: int) -> None:
    chance = random.Random(seed)
    await add_meters(world, documents()[1:])
    await send_some(world, chance, "0-")
    await wait_for_horizon(world.database)
    await pump_once(world.database, world.environment)
    await add_meters(world, documents()[:1])  # of which nothing is rolled up
    asked = [
        Asked(
            Consumer(world.customer, subscription, zone),
            Need("item", meter.key, chance.choice(WINDOWS), chance.choice(PAUSES), shape),
        )
        for meter in METERS
        for shape in SHAPES
        for subscription in (None, *world.subscriptions)
        for zone in ("UTC", "Asia/Kolkata")
    ]
    async with world.database.transaction(world.environment, "REPEATABLE READ") as connection:
        kept = {each.meter.key: each for each in await kept_meters(connection)}
        cutoff = max(each.rolled_up_to for each in kept.values())
        used = await usage_of_many(connection, asked, kept, cutoff)
    for each in asked:
        need, who = each.need, each.consumer
        meter = kept[need.meter].meter
        measures = world.measures(meter, who.subscription)
        whole = consumption(meter, measures, need.window, need.shape, who.timezone, need.without)
        assert used[each] == whole, each


async def test_what_commits_late_is_never_lost(world: World) -> None:
    """Events of an open transaction arrive, by their numbers, before events that are already rolled up."""
    chance = random.Random(1)
    await add_meters(world, documents())
    # Whoever comes first in a month makes its partition, and others wait: here both months are there already.
    for n, time in enumerate((START, START + timedelta(hours=8))):
        first = IncomingEvent(f"first-{n}", "llm", "globex", time, {"tokens": "1"})
        await send(world.database, world.environment, [first])
    await wait_for_horizon(world.database)
    await pump_once(world.database, world.environment)
    late = some_events(world, chance, "late-")
    async with world.database.transaction(world.environment) as connection:
        await ingest(connection, world.environment, late)
        early = some_events(world, chance, "early-")
        await send(world.database, world.environment, early)
        assert await pump_once(world.database, world.environment) == 0
        async with world.database.transaction(world.environment) as reader:
            before = await cut_off(reader)
    remember(world, late)
    remember(world, early)
    await check_every_number(world, chance)
    await pump_once(world.database, world.environment)
    await check_every_number(world, chance)

    sums = METERS[0]
    async with world.database.transaction(world.environment) as connection:
        consumer = Consumer(world.customer)
        then = await usage_in(connection, consumer, sums, WINDOWS[0], "quantity", before)
    assert then == consumption(sums, [], WINDOWS[0], "quantity")  # a cut-off stays what it was


async def test_writers_and_pumps_side_by_side_lose_and_double_nothing(world: World) -> None:
    chance = random.Random(2)
    await add_meters(world, documents())
    batches = [some_events(world, chance, f"{n}-") for n in range(30)]
    done = asyncio.Event()

    async def write(share: Sequence[list[IncomingEvent]]) -> None:
        for batch in share:
            await send(world.database, world.environment, batch)

    async def pump() -> None:
        while not done.is_set():
            await pump_once(world.database, world.environment, limit=20)

    pumps = [asyncio.create_task(pump()) for _ in range(2)]
    await asyncio.gather(*(write(batches[n::4]) for n in range(4)))
    done.set()
    await asyncio.gather(*pumps)
    await arrivals_from_log(world)
    await check_every_number(world, chance)
    await wait_for_horizon(world.database)
    await pump_once(world.database, world.environment)
    await check_every_number(world, chance)
    assert await pump_once(world.database, world.environment) == 0


async def arrivals_from_log(world: World) -> None:
    """Racing writers decide the order of arrival between them: take it as it came to be."""
    async with world.database.transaction(world.environment) as connection:
        rows = await connection.execute(
            text(
                "SELECT id, event_name, time, properties, subscription_id FROM usage_events"
                " WHERE customer_key = 'acme' ORDER BY seq"
            )
        )
        world.sent[:] = [
            IncomingEvent(id, event_name, "acme", time, properties, subscription)
            for id, event_name, time, properties, subscription in rows
        ]
