from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import reduce
from itertools import groupby
from operator import mul
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import Period
from domain.decimals import RoundingMode
from domain.metering.aggregation import Carried, aggregate, level_at_end
from domain.metering.expressions import evaluate, read_expression
from domain.metering.measuring import GroupKey, Measure
from domain.metering.meter import Aggregation, Meter, Rounding, Window
from domain.metering.properties import Property
from domain.metering.rollups import (
    NOTHING,
    Rollup,
    hour_of,
    level_of,
    merge,
    quantity_of,
    roll_up,
    whole_hours,
)
from domain.pricing.usage import Quantity

ROLLED: tuple[Aggregation, ...] = ("count", "sum", "max", "min", "avg", "latest")
CARRYING: tuple[Aggregation, ...] = ("sum", "max", "latest", "weighted_sum")
ALL: tuple[Aggregation, ...] = (*ROLLED, "weighted_sum", "percentile")
WINDOWS: tuple[Window, ...] = ("minute", "hour", "day", "week", "month")
MODES: tuple[RoundingMode, ...] = ("up", "down", "half_up")
REGIONS: tuple[GroupKey, ...] = tuple((("region", name),) for name in ("eu", "us", None))
ZONES = ("UTC", "America/New_York", "Asia/Kolkata")

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


@given(uses(*ROLLED), periods, st.lists(periods, max_size=2), st.randoms())
def test_rollups_of_hours_give_what_the_events_give(
    use: Use, period: Period, pauses: list[Period], random: Random
) -> None:
    hours, edges = whole_hours(period, pauses)
    counted = [m for m in use.measures if any(part.contains(m.time) for part in (*hours, *edges))]
    random.shuffle(counted)
    parts: dict[tuple[GroupKey, datetime], Rollup] = {}
    for measure in counted:  # as they come in, each merged into the rollup of its own hour
        key = (measure.group, hour_of(measure.time))
        parts[key] = merge(parts.get(key, NOTHING), roll_up([measure]))
    rollups: dict[GroupKey, Rollup] = {}
    for (group, _), rollup in parts.items():
        rollups[group] = merge(rollup, rollups.get(group, NOTHING))
    assert quantity_of(use.meter, rollups, use.carried_in) == aggregate(
        use.meter, use.measures, period, carried_in=use.carried_in, without=pauses
    )
    assert level_of(use.meter, rollups, use.carried_in) == level_at_end(
        use.meter, counted, period, use.carried_in
    )


@given(periods, st.lists(periods, max_size=3), times)
def test_hours_and_edges_are_the_period_without_its_pauses(
    period: Period, pauses: list[Period], at: datetime
) -> None:
    hours, edges = whole_hours(period, pauses)
    expected = period.contains(at) and not any(pause.contains(at) for pause in pauses)
    assert sum(part.contains(at) for part in (*hours, *edges)) == expected
    assert all(hour_of(end) == end for part in hours for end in (part.start, part.end))
    assert all(edge.length < timedelta(hours=2) for edge in edges)


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


def joined(left: Spelt, operator: str, right: Spelt) -> Spelt:
    (text, value), (other_text, other) = left, right
    results = {"+": value + other, "-": value - other, "*": value * other}
    return f"({text} {operator} {other_text})", results[operator]


operands = st.sampled_from(
    [("a", Fraction("2.5")), ("b.c", Fraction(-7)), ('["d-e"]', Fraction("0.001"))]
) | st.integers(0, 10**9).map(lambda number: (f"0{number}.50", number + Fraction(1, 2)))
signed = operands | operands.map(lambda spelt: (f"-{spelt[0]}", -spelt[1]))
expressions = st.recursive(
    signed, lambda inner: st.builds(joined, inner, st.sampled_from("+-*"), inner), max_leaves=12
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
