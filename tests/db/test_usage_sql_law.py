"""What SQL makes of rollups, edges and the end of the log is what the domain makes of all events: of any meter, for any
period, any shape and any cut-off, in whatever order events came, however often, whatever was voided, and whoever belonged
to whom at the time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, Literal, get_args

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from db.session import Database
from db.usage import usage_by_window, usage_in
from db.usage_horizon import wait_for_horizon
from db.usage_measures import Consumer
from db.usage_pump import pump_once, pump_step
from db.usage_voids import void_event
from domain.calendar import Period
from domain.families import EVER, Member
from domain.metering.consumption import BEGINNING, by_dimensions, consumption
from domain.metering.events import UsageEvent
from domain.metering.incoming import IncomingEvent
from domain.metering.measuring import measure
from domain.metering.meter import Aggregation, Meter, Window, adds_up, read_meter
from tests.conftest import fresh_environment
from tests.usage_world import add_customer, add_meter, add_subscription, send

# Evenings before clocks are set, before a Sunday and a Monday that begin a month and a week, and one of a time when
# a clock was 44 minutes and 30 seconds behind.
ZONES: Mapping[str, str] = {
    "UTC": "2026-01-31T20:00:00Z",
    "Asia/Kolkata": "2026-01-31T12:00:00Z",
    "America/St_Johns": "2026-10-31T20:00:00Z",
    "Europe/Vienna": "2026-03-28T18:00:00Z",
    "Australia/Lord_Howe": "2026-04-04T09:00:00Z",
    "Africa/Monrovia": "1972-01-06T18:00:00Z",
}
CARRYING = ("sum", "max", "latest", "weighted_sum")
DIMENSIONS = ("model", "zone")

# Bounds of grains and windows, what lies next to them, and anything else.
minutes = st.integers(0, 160).map(lambda n: timedelta(minutes=15 * n))
nearby = st.sampled_from([timedelta(0), timedelta(microseconds=-1), timedelta(microseconds=1)])
moments = st.one_of(
    minutes,
    st.builds(lambda a, b: a + b, minutes, nearby),
    st.integers(0, 40 * 3600 * 10**6).map(lambda n: timedelta(microseconds=n)),
)
ALL_OF_IT = [timedelta(hours=-1), timedelta(hours=41)]


@dataclass(frozen=True, slots=True)
class Turn:
    """What happens before the next look: events are sent, some earlier ones voided, and the pump works or not."""

    events: list[tuple[timedelta, dict[str, Any], str | None, str]]
    again: bool
    voids: list[int]
    pump: Literal["nothing", "a step", "all"]
    limit: int


@dataclass(frozen=True, slots=True)
class Story:
    zone: str
    meters: list[dict[str, Any]]
    made_in: list[int]
    turns: list[Turn]
    bounds: list[timedelta]
    pauses: list[timedelta]
    joined: list[timedelta]
    has_twin: bool

    @property
    def belonging(self) -> list[tuple[str, Period]]:
        """When kid was acme's, time and again, and whether twin always was."""
        at = sorted(self.base + moment for moment in self.joined)
        kid = [("kid", Period(*each)) for each in zip(at[::2], at[1::2], strict=False)]
        return [*kid, *([("twin", Period(BEGINNING, EVER))] if self.has_twin else [])]

    def is_counted(self, customer: str, at: datetime) -> bool:
        return customer == "acme" or any(
            child == customer and period.contains(at) for child, period in self.belonging
        )

    @property
    def base(self) -> datetime:
        return datetime.fromisoformat(ZONES[self.zone]).astimezone(UTC)

    @property
    def period(self) -> Period:
        return Period(self.base + min(self.bounds), self.base + max(self.bounds))

    @property
    def without(self) -> list[Period]:
        at = sorted(self.base + pause for pause in self.pauses)
        return [Period(*each) for each in zip(at[::2], at[1::2], strict=False)]


@st.composite
def meter_documents(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(
        st.sampled_from([*get_args(Aggregation), "weighted_sum", "weighted_sum", "percentile"])
    )
    document: dict[str, Any] = {"event_name": "llm", "aggregation": kind}
    if kind == "unique_count":
        document["value"] = "user"
    elif kind != "count":
        document["value"] = draw(st.sampled_from(["tokens", "2 * tokens - 0.5"]))
    if kind == "percentile":
        document["percentile"] = draw(st.sampled_from(["0", "50", "33.3", "95", "100"]))
    if kind == "weighted_sum":
        document["level"] = draw(st.sampled_from(["change", "set"]))
    document["group_by"] = draw(st.sampled_from([[], ["model"], list(DIMENSIONS)]))
    if kind in CARRYING and draw(st.booleans()):
        document["carry_over"] = True
    else:
        document["window"] = draw(st.sampled_from([None, *get_args(Window)]))
    if draw(st.booleans()):
        mode = draw(st.sampled_from(["up", "down", "half_up"]))
        document["rounding"] = {"mode": mode, "scale": draw(st.integers(-1, 2))}
    if draw(st.booleans()):
        document["filters"] = [{"property": "model", "not_in": ["small"]}]
    return document


values = st.sampled_from(
    ["1", "-2.5", "0.001", "-0.3", 7, "100.10", "12345678901234567890.000000000001"]
)
properties = st.fixed_dictionaries(
    {"tokens": values, "user": st.sampled_from(["ann", "bob", "cyd", 5])},
    optional={"model": st.sampled_from(["large", "small", 5]), "zone": st.just("eu")},
)


def turns(some: Sequence[timedelta]) -> st.SearchStrategy[Turn]:
    """Events at a few moments and around them, so that grains have several."""
    later = st.sampled_from(
        [timedelta(0), timedelta(0), timedelta(minutes=1), timedelta(minutes=7)]
    )
    times = st.builds(lambda a, b: a + b, st.sampled_from(some), later)
    events = st.tuples(
        times,
        properties,
        st.sampled_from([None, None, "a", "b"]),
        st.sampled_from(["acme", "acme", "kid", "twin"]),
    )
    return st.builds(
        Turn,
        events=st.lists(events, max_size=8),
        again=st.booleans(),
        voids=st.lists(st.integers(0, 9), max_size=2),
        pump=st.sampled_from(["nothing", "a step", "all"]),
        limit=st.integers(1, 40),
    )


@st.composite
def stories(draw: st.DrawFn) -> Story:
    meters = draw(st.lists(meter_documents(), min_size=4, max_size=4))
    some = draw(st.lists(moments, min_size=2, max_size=5))
    return Story(
        zone=draw(st.sampled_from(sorted(ZONES))),
        meters=[{"key": f"m{n}", **meter} for n, meter in enumerate(meters)],
        made_in=[draw(st.integers(0, 2)) for _ in meters],
        turns=draw(st.lists(turns(some), min_size=2, max_size=5)),
        bounds=draw(st.just(ALL_OF_IT) | st.lists(moments, min_size=2, max_size=2)),
        pauses=draw(st.lists(moments, max_size=4, unique=True)),
        joined=draw(st.lists(moments, max_size=4, unique=True)),
        has_twin=draw(st.booleans()),
    )


@dataclass
class World:
    """Acme with two subscriptions and two children, and what was sent of all up to each cut-off."""

    database: Database
    environment: str
    customers: Mapping[str, str]
    subscriptions: Mapping[str, str]
    sent: list[IncomingEvent] = field(default_factory=list)
    voided: set[str] = field(default_factory=set)
    looks: list[tuple[int, list[IncomingEvent]]] = field(default_factory=list)

    async def live(self, story: Story) -> None:
        for number, turn in enumerate(story.turns):
            await self._make(story, {number})
            await self._send(story, turn, number)
            await self._void(turn)
            await self._pump(turn)
            cutoff = await wait_for_horizon(self.database)
            standing = [event for event in self.sent if event.id not in self.voided]
            self.looks.append((cutoff, standing))
        await self._make(story, set(range(len(story.turns), 9)))

    async def _make(self, story: Story, turns: set[int]) -> None:
        async with self.database.transaction(self.environment) as connection:
            for document, made_in in zip(story.meters, story.made_in, strict=True):
                if made_in in turns:
                    await add_meter(connection, self.environment, document)

    async def _send(self, story: Story, turn: Turn, number: int) -> None:
        new = [
            IncomingEvent(
                f"{number}-{n}",
                "llm",
                whose,
                story.base + time,
                properties,
                named if whose == "acme" else None,
            )
            for n, (time, properties, named, whose) in enumerate(turn.events)
        ]
        sent = [*new, *(self.sent[-3:] if turn.again else [])]
        answer = await send(self.database, self.environment, sent)
        assert not answer.rejected
        assert answer.accepted == len(new)
        self.sent.extend(new)

    async def _void(self, turn: Turn) -> None:
        for place in turn.voids:
            if place < len(self.sent):
                async with self.database.transaction(self.environment) as connection:
                    id = self.sent[-1 - place].id
                    await void_event(connection, self.environment, id, "a mistake")
                self.voided.add(id)

    async def _pump(self, turn: Turn) -> None:
        await wait_for_horizon(self.database)
        if turn.pump == "a step":
            await pump_step(self.database, self.environment, turn.limit)
        elif turn.pump == "all":
            await pump_once(self.database, self.environment, turn.limit)

    async def check(self, story: Story, meter: Meter, named: str | None) -> None:
        """Every shape of a meter at every cut-off there has been."""
        of = None if named is None else self.subscriptions[named]
        children = tuple(
            Member(self.customers[child], period.start, period.end)
            for child, period in story.belonging
        )
        consumer = Consumer(self.customers["acme"], of, story.zone, children)
        middle = story.period.start + story.period.length // 2
        halves = [Period(story.period.start, middle), Period(middle, story.period.end)]
        shapes: tuple[Literal["quantity", "groups"], ...] = ("quantity", "groups")
        start, third = story.period.start, story.period.length // 3
        closed = [(start - third,), (start - third, start)] if adds_up(meter) else []
        ends: list[tuple[datetime, ...]] = [(), *closed]
        for cutoff, sent in self.looks:
            arrivals = [
                UsageEvent(e.id, e.event_name, "acme", e.time, e.properties, arrival=n)
                for n, e in enumerate(sent)
                if e.time is not None and story.is_counted(e.customer, e.time)
                if named is None or e.subscription in (None, named)
            ]
            measures = [m for event in arrivals if (m := measure(meter, event)) is not None]
            async with self.database.transaction(self.environment) as connection:
                for shape, closings in product(shapes, ends):
                    window, without = story.period, story.without
                    used = await usage_in(
                        connection, consumer, meter, window, shape, cutoff, without, closings
                    )
                    assert used == consumption(
                        meter, measures, window, shape, story.zone, without, closings
                    )
                    each = await usage_by_window(
                        connection, consumer, meter, halves, shape, cutoff, closings
                    )
                    assert each == [
                        consumption(meter, measures, half, shape, story.zone, (), closings)
                        for half in halves
                    ]


@settings(
    max_examples=16,  # new ones at every run
    deadline=None,
    phases=[
        Phase.explicit,
        Phase.reuse,
        Phase.generate,
    ],  # a story takes a second: shrinking one, minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(stories(), st.sampled_from([None, "a"]))
async def test_sql_gives_what_the_domain_gives(
    database: Database, story: Story, named: str | None
) -> None:
    environment = (await fresh_environment(database)).id
    async with database.transaction(environment) as connection:
        customers = {
            key: await add_customer(connection, environment, key) for key in ("acme", "kid", "twin")
        }
        subscriptions = {
            key: await add_subscription(connection, environment, customers["acme"], key)
            for key in "ab"
        }
    world = World(database, environment, customers, subscriptions)
    await world.live(story)
    for document in story.meters:
        meter = read_meter(document)
        await world.check(story, meter, named)
        if meter.group_by:
            await world.check(story, by_dimensions(meter, {"model"}), named)
