"""What a customer has used in a stretch of time, in the shape that a price takes: the one way from measures to what
is billed, shown or simulated.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from operator import attrgetter
from typing import Literal, assert_never

from domain.calendar import Period
from domain.metering.aggregation import (
    NOTHING_CARRIED,
    Carried,
    aggregate,
    level_at_end,
    usage_of,
)
from domain.metering.measuring import GroupKey, Measure
from domain.metering.meter import Meter
from domain.metering.rollups import Rollup, Sums, SumsByWindow, level_of, merge, quantity_of
from domain.pricing.usage import (
    Events,
    Group,
    Groups,
    PricedEvent,
    Quantity,
    Usage,
    UsageShape,
)

BEGINNING = datetime.min.replace(tzinfo=UTC)

_time = attrgetter("time")


def consumption(
    meter: Meter,
    measures: Iterable[Measure],
    window: Period,
    shape: UsageShape,
    timezone: str = "UTC",
    without: Sequence[Period] = (),
    closings: Sequence[datetime] = (),
) -> Usage:
    """The usage of a window, leaving out the stretches `without`; never below 0, since the excess of a correction is
    not carried. `closings` are the ends of earlier windows, at each of which a level that is carried was cut at 0.

    `measures` are the meter's, in any order; what lies before the window counts only if the meter carries over, and
    must be there then. A price of one quantity takes all groups together; a price of groups takes a meter that does
    not group as a single group without dimensions.
    """
    match shape:
        case "events":
            return _events(measures, window, without)
        case "quantity":
            whole = by_dimensions(meter, ())
            regrouped = _regrouped(whole, measures)
            return _aggregated(whole, regrouped, window, timezone, without, closings)
        case "groups":
            grouped = _regrouped(meter, measures)
            return _in_groups(_aggregated(meter, grouped, window, timezone, without, closings))
        case _:
            assert_never(shape)


def consumption_of_rollups(
    meter: Meter,
    sums: SumsByWindow,
    before: Sequence[Sums],
    window: Period,
    shape: Literal["quantity", "groups"],
    timezone: str = "UTC",
    without: Sequence[Period] = (),
) -> Usage:
    """The same from the rollups of a window's measures, and, where the meter carries over, of those of each of the
    `stretches_before` it.
    """
    if shape == "quantity":
        meter = by_dimensions(meter, ())
    carried_in: Carried = NOTHING_CARRIED
    for stretch in before:
        carried_in = level_of(meter, merged(meter, stretch), carried_in)
    sums = merged_by_window(meter, sums)
    return _billed(quantity_of(meter, sums, window, timezone, without, carried_in), shape)


def consumption_of_quantities(
    meter: Meter, quantities: Mapping[GroupKey, Fraction], shape: Literal["quantity", "groups"]
) -> Usage:
    """The same from what was counted, exactly, of each group that the shape has. A group without any is not there."""
    if shape == "quantity":
        meter = by_dimensions(meter, ())
    none: dict[GroupKey, Fraction] = {} if meter.group_by else {(): Fraction(0)}
    return _billed(usage_of(meter, none | dict(quantities)), shape)


def stretches_before(window: Period, closings: Sequence[datetime]) -> list[Period]:
    """All time before a window, parted where a level was cut at 0."""
    ends = sorted({end for end in closings if end < window.start} | {window.start})
    return [Period(start, end) for start, end in pairwise([BEGINNING, *ends])]


def by_dimensions(meter: Meter, names: Collection[str]) -> Meter:
    """The meter as if it grouped by these of its dimensions alone."""
    return replace(meter, group_by=tuple(d for d in meter.group_by if d.name in names))


def merged(meter: Meter, *parts: Sums) -> Sums:
    """The rollups of all parts together, by the meter's dimensions."""
    whole: dict[GroupKey, Rollup] = {}
    for sums in parts:
        for key, rollup in sums.items():
            group = group_of(meter, key)
            whole[group] = merge(whole[group], rollup) if group in whole else rollup
    return whole


def merged_by_window(meter: Meter, *parts: SumsByWindow) -> SumsByWindow:
    """The same, each window for itself."""
    whole: dict[GroupKey, dict[datetime, Rollup]] = {}
    for sums in parts:
        for key, windows in sums.items():
            known = whole.setdefault(group_of(meter, key), {})
            for start, rollup in windows.items():
                known[start] = merge(known[start], rollup) if start in known else rollup
    return whole


def group_of(meter: Meter, key: GroupKey) -> GroupKey:
    """The group, by the meter's dimensions, of one that may have more of them."""
    if len(key) == len(meter.group_by):
        return key
    names = {dimension.name for dimension in meter.group_by}
    return tuple((name, value) for name, value in key if name in names)


def _regrouped(meter: Meter, measures: Iterable[Measure]) -> Iterator[Measure]:
    for measure in measures:
        group = group_of(meter, measure.group)
        yield measure if group == measure.group else replace(measure, group=group)


def _billed(usage: Quantity | Groups, shape: Literal["quantity", "groups"]) -> Usage:
    usage = at_least_nothing(usage)
    return usage if shape == "quantity" else _in_groups(usage)


def at_least_nothing(usage: Quantity | Groups) -> Quantity | Groups:
    """The usage without what corrections took below 0."""
    zero = Fraction(0)
    if isinstance(usage, Quantity):
        return Quantity(max(zero, usage.total))
    return Groups(tuple(Group(group.key, max(zero, group.quantity)) for group in usage.groups))


def _in_groups(usage: Quantity | Groups) -> Groups:
    return usage if isinstance(usage, Groups) else Groups((Group((), usage.total),))


def _aggregated(
    meter: Meter,
    measures: Iterable[Measure],
    window: Period,
    timezone: str,
    without: Sequence[Period],
    closings: Sequence[datetime],
) -> Quantity | Groups:
    known = tuple(measures)
    carried_in = _carried_into(meter, known, window, closings)
    if meter.aggregation != "weighted_sum":  # whose level does change in what is left out
        known = tuple(_outside(known, without))
    return at_least_nothing(aggregate(meter, known, window, timezone, carried_in, without))


def _carried_into(
    meter: Meter, measures: Sequence[Measure], window: Period, closings: Sequence[datetime]
) -> Carried:
    """The level that a window begins with. Each stretch looks at its own measures alone: there may be many of both."""
    carried_in: Carried = NOTHING_CARRIED
    if not meter.carry_over:
        return carried_in
    ordered = sorted(measures, key=_time)
    first = 0
    for stretch in stretches_before(window, closings):
        last = bisect_left(ordered, stretch.end, first, key=_time)
        carried_in = level_at_end(meter, ordered[first:last], stretch, carried_in)
        first = last
    return carried_in


def _outside(measures: Iterable[Measure], without: Sequence[Period]) -> Iterator[Measure]:
    """A group that was used in what is left out alone is no group: no price need know it."""
    return (m for m in measures if not any(left_out.contains(m.time) for left_out in without))


def _events(measures: Iterable[Measure], window: Period, without: Sequence[Period]) -> Events:
    """Event by event, by time and then arrival. What is measured is the quantity to a price that charges a part of
    it, and the amount to one that passes amounts on.
    """
    counted = [m for m in _outside(measures, without) if window.contains(m.time)]
    ordered = sorted(counted, key=lambda measure: (measure.time, measure.arrival))
    values = [m.value if isinstance(m.value, Fraction) else Fraction(1) for m in ordered]
    return Events(tuple(PricedEvent(value, value) for value in values))
