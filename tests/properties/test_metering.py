from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import reduce
from itertools import groupby, pairwise
from operator import mul
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import Period
from domain.decimals import RoundingMode
from domain.metering.aggregation import Carried, aggregate, level_at_end
from domain.metering.expressions import evaluate, read_expression
from domain.metering.grains import by_grains, grain_at, grain_of, parts_of
from domain.metering.measuring import GroupKey, Measure
from domain.metering.meter import Aggregation, Meter, Rounding, Window
from domain.metering.properties import Property
from domain.metering.rollups import (
    NOTHING,
    Rollup,
    joined,
    level_of,
    merge,
    quantity_of,
    roll_up,
    roll_up_in_order,
    sets_level,
    without_windows,
)
from domain.metering.windows import runs_of, windows_of
from domain.pricing.usage import Quantity
from domain.timezones import offset_change

SUMMED: tuple[Aggregation, ...] = ("count", "sum", "max", "min", "avg", "latest")
ROLLED: tuple[Aggregation, ...] = (*SUMMED, "weighted_sum")
CARRYING: tuple[Aggregation, ...] = ("sum", "max", "latest", "weighted_sum")
ALL: tuple[Aggregation, ...] = (*ROLLED, "percentile")
WINDOWS: tuple[Window, ...] = ("minute", "hour", "day", "week", "month")
MODES: tuple[RoundingMode, ...] = ("up", "down", "half_up")
REGIONS: tuple[GroupKey, ...] = tuple((("region", name),) for name in ("eu", "us", None))
ZONES = ("UTC", "America/New_York", "Asia/Kolkata", "America/St_Johns", "Australia/Lord_Howe")

EVENING = datetime(2026, 10, 31, 20, tzinfo=UTC)  # of the day before clocks are put back

# Few times, on bounds more often than not, so that order and bounds matter.
times = st.integers(0, 64).map(lambda quarter: EVENING + timedelta(minutes=15 * quarter))
values = st.integers(-1000, 1000).map(lambda thousandths: Fraction(thousandths, 1000))
periods = st.lists(times, min_size=2, max_size=2, unique=True).map(
    lambda ends: Period(min(ends), max(ends))
)


@dataclass(frozen=True, slots=True)
class Use:
    """A meter with what it measured, and with the level it carries."""

    meter: Meter
    measures: tuple[Measure, ...]
    carried_in: Carried


@st.composite
def uses(draw: st.DrawFn, *aggregations: Aggregation) -> Use:
    aggregation = draw(st.sampled_from(aggregations))
    group_by = draw(st.sampled_from(((), (Property(("region",)),))))
    groups = st.sampled_from(REGIONS) if group_by else st.just(())
    meter = Meter(
        key="m",
        event_name="e",
        aggregation=aggregation,
        value=Property(("v",)),
        group_by=group_by,
        rounding=draw(st.none() | st.builds(Rounding, st.sampled_from(MODES), st.integers(-2, 2))),
        level="set" if aggregation == "weighted_sum" and draw(st.booleans()) else "change",
        carry_over=aggregation in CARRYING and draw(st.booleans()),
        percentile=Fraction(95) if aggregation == "percentile" else None,
    )
    drawn = draw(st.lists(st.tuples(times, groups, values), max_size=25))
    measures = tuple(Measure(time, n, group, value) for n, (time, group, value) in enumerate(drawn))
    return Use(meter, measures, draw(st.dictionaries(groups, values, max_size=2)))


@given(
    uses(*ALL), periods, st.none() | st.sampled_from(WINDOWS), st.sampled_from(ZONES), st.randoms()
)
def test_the_order_of_events_does_not_matter(
    use: Use, period: Period, window: Window | None, zone: str, random: Random
) -> None:
    meter = replace(use.meter, window=window, carry_over=use.meter.carry_over and not window)
    shuffled = list(use.measures)
    random.shuffle(shuffled)
    in_order = aggregate(meter, use.measures, period, zone, use.carried_in)
    assert aggregate(meter, shuffled, period, zone, use.carried_in) == in_order
    assert level_at_end(meter, shuffled, period, use.carried_in) == level_at_end(
        meter, use.measures, period, use.carried_in
    )


@given(
    uses(*ROLLED),
    periods,
    st.none() | st.sampled_from(WINDOWS),
    st.sampled_from(ZONES),
    st.lists(periods, max_size=2),
    st.lists(times, max_size=2),
    st.randoms(),
)
def test_rollups_of_grains_give_what_the_events_give(
    use: Use,
    period: Period,
    window: Window | None,
    zone: str,
    pauses: list[Period],
    stale: list[datetime],
    random: Random,
) -> None:
    meter = replace(use.meter, window=window, carry_over=use.meter.carry_over and not window)
    grain = grain_of(meter)
    parts = parts_of(meter, period, zone, pauses)
    whole, edges = by_grains(parts, grain, (grain_at(at, grain) for at in stale))
    shuffled = list(use.measures)
    random.shuffle(shuffled)
    kept: dict[tuple[GroupKey, datetime, datetime], list[Measure]] = {}
    for measure in shuffled:  # a grain's come into its window by where the grain begins
        start = grain_at(measure.time, grain)
        for part in whole:
            if part.stretch.contains(measure.time):
                key = (measure.group, part.window_of(start), start)
                kept.setdefault(key, []).append(measure)
        if any(edge.contains(measure.time) for edge in edges):
            for part in parts:
                if part.stretch.contains(measure.time):
                    key = (measure.group, part.window_of(measure.time), measure.time)
                    kept.setdefault(key, []).append(measure)
    pieces: dict[tuple[GroupKey, datetime], list[Rollup]] = {}
    for (group, window_start, _), measures in kept.items():
        rollup = roll_up_in_order(measures) if sets_level(meter) else roll_up(measures)
        pieces.setdefault((group, window_start), []).append(rollup)
    sums: dict[GroupKey, dict[datetime, Rollup]] = {}
    for (group, window_start), rollups in pieces.items():
        together = joined(rollups) if sets_level(meter) else reduce(merge, rollups, NOTHING)
        sums.setdefault(group, {})[window_start] = together
    assert quantity_of(meter, sums, period, zone, pauses, use.carried_in) == aggregate(
        meter, use.measures, period, zone, use.carried_in, pauses
    )
    if not pauses:
        levels = level_of(meter, without_windows(sums), use.carried_in)
        assert levels == level_at_end(meter, use.measures, period, use.carried_in)


@given(
    uses(*ALL),
    periods,
    st.sampled_from(WINDOWS),
    st.sampled_from(ZONES),
    st.lists(periods, max_size=3),
    st.lists(times, max_size=3),
    times,
)
def test_grains_and_edges_are_the_period_without_its_pauses(
    use: Use,
    period: Period,
    window: Window,
    zone: str,
    pauses: list[Period],
    stale: list[datetime],
    at: datetime,
) -> None:
    meter = replace(use.meter, window=window, carry_over=False)
    grain = grain_of(meter)
    again = {grain_at(each, grain) for each in stale}
    whole, edges = by_grains(parts_of(meter, period, zone, pauses), grain, again)
    paused = any(pause.contains(at) for pause in pauses)
    expected = period.contains(at) and (not paused or meter.aggregation == "weighted_sum")
    assert sum(part.contains(at) for part in (*(p.stretch for p in whole), *edges)) == expected
    assert not any(part.stretch.contains(start) for part in whole for start in again)
    for part in whole:
        assert grain_at(part.stretch.start, grain) == part.stretch.start
        assert grain_at(part.stretch.end, grain) == part.stretch.end


# Clocks with odd offsets, local mean times, and changes of less and more than an hour.
ODD_ZONES = (
    *ZONES,
    "Europe/Amsterdam",
    "Africa/Monrovia",
    "Pacific/Apia",
    "Europe/Dublin",
    "Asia/Kathmandu",
)


@given(
    st.sampled_from(ODD_ZONES),
    st.datetimes(EVENING.replace(1880, tzinfo=None), EVENING.replace(2030, tzinfo=None)),
    st.integers(0, 9 * 3600 * 10**6),
    st.sampled_from(WINDOWS),
)
def test_runs_are_the_windows(zone: str, start: datetime, length: int, window: Window) -> None:
    first = start.replace(tzinfo=UTC)
    period = Period(first, first + timedelta(microseconds=length))
    each = [
        Period(run.period.start + n * run.length, run.period.start + (n + 1) * run.length)
        for run in runs_of(period, window, zone)
        for n in range(run.period.length // run.length)
    ]
    assert each == list(windows_of(period, window, zone))


@pytest.mark.parametrize("zone", ODD_ZONES)
@pytest.mark.parametrize("window", ["minute", "hour", "day"])
def test_runs_are_the_windows_where_clocks_change(zone: str, window: Window) -> None:
    changes = clock_changes(zone)
    assert changes or zone in ("UTC",)
    for change in changes:
        period = Period(change - timedelta(minutes=95, seconds=7), change + timedelta(hours=3))
        each = [
            run.period.start + n * run.length
            for run in runs_of(period, window, zone)
            for n in range(run.period.length // run.length)
        ]
        assert each == [one.start for one in windows_of(period, window, zone)]


def clock_changes(zone: str) -> list[datetime]:
    """The first few instants, and some later ones, at which the clock of a zone was set."""
    days = [datetime(1880, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(365 * 150)]
    clock = ZoneInfo(zone)
    found = [
        offset_change(before, after, clock)
        for before, after in pairwise(days)
        if before.astimezone(clock).utcoffset() != after.astimezone(clock).utcoffset()
    ]
    return [*found[:6], *found[6::20]]


@given(uses("weighted_sum"), st.lists(times, min_size=3, max_size=3, unique=True))
def test_a_level_held_in_two_periods_is_held_in_both_together(
    use: Use, bounds: list[datetime]
) -> None:
    meter = replace(use.meter, group_by=(), rounding=None, carry_over=True)
    measures = [replace(m, group=(), value=abs(Fraction(m.value))) for m in use.measures]
    start, middle, end = sorted(bounds)
    whole, first, second = Period(start, end), Period(start, middle), Period(middle, end)
    carried = level_at_end(meter, measures, first)
    halves = held(meter, measures, first, {}) + held(meter, measures, second, carried)
    assert halves == held(meter, measures, whole, {})


def held(meter: Meter, measures: list[Measure], period: Period, carried_in: Carried) -> Fraction:
    usage = aggregate(meter, measures, period, carried_in=carried_in)
    assert isinstance(usage, Quantity)
    return usage.total * (period.length // timedelta(microseconds=1))


@given(uses("count", "sum"), periods, st.sampled_from(WINDOWS), st.sampled_from(ZONES))
def test_windows_neither_lose_nor_double_an_event(
    use: Use, period: Period, window: Window, zone: str
) -> None:
    meter = replace(use.meter, carry_over=False)
    in_windows = aggregate(replace(meter, window=window), use.measures, period, zone)
    assert in_windows == aggregate(meter, use.measures, period, zone)


@given(uses("max"), periods, st.sampled_from(("hour", "day")))
def test_peaks_of_windows_are_added(use: Use, period: Period, window: Window) -> None:
    meter = replace(use.meter, group_by=(), rounding=None, carry_over=False, window=window)
    within = sorted((m for m in use.measures if period.contains(m.time)), key=lambda m: m.time)
    size = 13 if window == "hour" else 10  # of the text of a time that names the window
    peaks = [
        max(Fraction(m.value) for m in of_window)
        for _, of_window in groupby(within, key=lambda m: m.time.isoformat()[:size])
    ]
    measures = [replace(m, group=()) for m in use.measures]
    assert aggregate(meter, measures, period) == Quantity(sum(peaks, Fraction(0)))


Spelt = tuple[str, Fraction]
"""The text of an expression, and its value."""

EVENT = {"a": "2.5", "b": {"c": -7}, "d-e": "0.001"}


def spelt_together(left: Spelt, operator: str, right: Spelt) -> Spelt:
    (text, value), (other_text, other) = left, right
    results = {"+": value + other, "-": value - other, "*": value * other}
    return f"({text} {operator} {other_text})", results[operator]


operands = st.sampled_from(
    [("a", Fraction("2.5")), ("b.c", Fraction(-7)), ('["d-e"]', Fraction("0.001"))]
) | st.integers(0, 10**9).map(lambda number: (f"0{number}.50", number + Fraction(1, 2)))
signed = operands | operands.map(lambda spelt: (f"-{spelt[0]}", -spelt[1]))
expressions = st.recursive(
    signed,
    lambda inner: st.builds(spelt_together, inner, st.sampled_from("+-*"), inner),
    max_leaves=12,
)


@given(expressions)
def test_expressions_are_calculated_exactly(spelt: Spelt) -> None:
    text, value = spelt
    assert evaluate(read_expression(text), EVENT) == value


@given(
    st.lists(
        st.tuples(st.sampled_from("+-"), st.lists(operands, min_size=1, max_size=4)),
        min_size=1,
        max_size=8,
    )
)
def test_products_come_before_sums(terms: list[tuple[str, list[Spelt]]]) -> None:
    text, value = "0", Fraction(0)
    for sign, factors in terms:
        text += f" {sign} " + "*".join(factor for factor, _ in factors)
        product = reduce(mul, (number for _, number in factors))
        value = value + product if sign == "+" else value - product
    assert evaluate(read_expression(text), EVENT) == value
