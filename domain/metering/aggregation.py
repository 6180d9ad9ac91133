"""A period's quantity: what was measured of its events, aggregated, in whatever order it is given."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from math import ceil
from types import MappingProxyType
from typing import assert_never, cast

from domain.calendar import Period
from domain.metering.levels import Change, HeldLevel, level_after
from domain.metering.measuring import GroupKey, Measure
from domain.metering.meter import Level, Meter, OfEvents, Window
from domain.metering.windows import window_containing, windows_of
from domain.pricing.usage import Group, Groups, Quantity

Carried = Mapping[GroupKey, Fraction]
"""The level that a period starts with, by group: `{(): level}` for a meter that does not group."""

NOTHING_CARRIED: Carried = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Frame:
    """What is aggregated over: a period on a local clock, but for some parts of it."""

    period: Period
    timezone: str
    without: tuple[Period, ...]

    def contains(self, at: datetime) -> bool:
        return self.period.contains(at) and not any(part.contains(at) for part in self.without)


def aggregate(
    meter: Meter,
    measures: Iterable[Measure],
    period: Period,
    timezone: str = "UTC",
    carried_in: Carried = NOTHING_CARRIED,
    without: Sequence[Period] = (),
) -> Quantity | Groups:
    """The quantity of a period, or that of each group, sorted by key; rounded as the meter says.

    What lies outside the period counts nothing, and what lies in the periods `without` neither: a level that is
    held over time does change there, but bears nothing. `carried_in` is looked at only if the meter carries over.
    A quantity can be negative, by corrections: `consumption` is what bills none below 0.
    """
    frame = _Frame(period, timezone, tuple(without))
    carried = carried_in if meter.carry_over else NOTHING_CARRIED
    counts = period.contains if meter.aggregation == "weighted_sum" else frame.contains
    groups = _grouped(meter, (m for m in measures if counts(m.time)), carried)
    quantities = {
        key: _quantity(meter, group, carried.get(key), frame) for key, group in groups.items()
    }
    return usage_of(meter, quantities)


def level_at_end(
    meter: Meter,
    measures: Iterable[Measure],
    period: Period,
    carried_in: Carried = NOTHING_CARRIED,
) -> dict[GroupKey, Fraction]:
    """The level that the next period starts with, by group, exact: nothing unless the meter carries over.

    A level that corrections have brought below 0 is carried as 0.
    """
    if not meter.carry_over:
        return {}
    level: Level = "set" if meter.aggregation in ("latest", "max") else meter.level
    zero = Fraction(0)
    groups = _grouped(meter, (m for m in measures if period.contains(m.time)), carried_in)
    return {
        key: max(zero, level_after(_changes(group), carried_in.get(key, zero), level))
        for key, group in groups.items()
    }


def usage_of(meter: Meter, quantities: Mapping[GroupKey, Fraction]) -> Quantity | Groups:
    """Exact quantities by group as they are billed: rounded one by one, sorted by key, missing values last."""
    rounding = meter.rounding
    billed = {
        key: rounding.applied(exact) if rounding else exact for key, exact in quantities.items()
    }
    if not meter.group_by:
        return Quantity(billed[()])
    return Groups(tuple(Group(key, billed[key]) for key in sorted(billed, key=_missing_last)))


def _missing_last(key: GroupKey) -> list[tuple[bool, str]]:
    return [(value is None, value or "") for _, value in key]


def _grouped(
    meter: Meter, measures: Iterable[Measure], carried: Carried
) -> dict[GroupKey, list[Measure]]:
    """Measures by group. Every group that carries a level is there, and so is the only one of a meter that does
    not group.
    """
    groups: dict[GroupKey, list[Measure]] = {key: [] for key in carried}
    if not meter.group_by:
        groups.setdefault((), [])
    for measure in measures:
        groups.setdefault(measure.group, []).append(measure)
    return groups


def _quantity(
    meter: Meter, measures: Sequence[Measure], carried: Fraction | None, frame: _Frame
) -> Fraction:
    aggregation = meter.aggregation
    if aggregation == "weighted_sum":
        return _held(meter, measures, carried or Fraction(0), frame)
    if meter.window is None:
        before = [] if carried is None else [carried]
        return _aggregated(aggregation, measures, before, meter.percentile)
    windows = _by_window(measures, meter.window, frame.timezone)
    each = (_aggregated(aggregation, window, [], meter.percentile) for window in windows)
    return sum(each, Fraction(0))


def _held(meter: Meter, measures: Sequence[Measure], initial: Fraction, frame: _Frame) -> Fraction:
    """A level held over time: its average over the period, or the sum of those over its windows."""
    level = HeldLevel(frame.period.start, _changes(measures), initial, meter.level)
    if meter.window is None:
        return level.average(frame.period, frame.without)
    windows = windows_of(frame.period, meter.window, frame.timezone)
    return sum((level.average(window, frame.without) for window in windows), Fraction(0))


def _by_window(measures: Sequence[Measure], window: Window, timezone: str) -> list[list[Measure]]:
    """The measures of each window that has any."""
    windows: list[list[Measure]] = []
    end: datetime | None = None
    for measure in sorted(measures, key=lambda measure: measure.time):
        if end is None or measure.time >= end:
            end = window_containing(measure.time, window, timezone).end
            windows.append([])
        windows[-1].append(measure)
    return windows


def _aggregated(
    aggregation: OfEvents,
    measures: Sequence[Measure],
    before: Sequence[Fraction],
    percentile: Fraction | None,
) -> Fraction:
    """The quantity of some measures and, where there is one, the level `before` them; 0 where there is neither."""
    if not measures and not before:
        return Fraction(0)
    match aggregation:
        case "count":
            return Fraction(len(measures))
        case "unique_count":
            return Fraction(len({measure.value for measure in measures}))
        case "sum":
            return sum(_numbers(measures), sum(before, Fraction(0)))
        case "max":
            return max([*before, *_numbers(measures)])
        case "min":
            return min(_numbers(measures))
        case "avg":
            return sum(_numbers(measures), Fraction(0)) / len(measures)
        case "latest":
            return [*before, *(value for _, value in _changes(measures))][-1]
        case "percentile":
            rank = ceil(len(measures) * (percentile or Fraction(0)) / 100)
            return sorted(_numbers(measures))[max(rank, 1) - 1]
        case _:
            assert_never(aggregation)


def _numbers(measures: Iterable[Measure]) -> list[Fraction]:
    return [cast(Fraction, measure.value) for measure in measures]


def _changes(measures: Iterable[Measure]) -> list[Change]:
    """Times and values in the order in which events count: by time, then by arrival."""
    ordered = sorted((m.time, m.arrival, cast(Fraction, m.value)) for m in measures)
    return [(time, value) for time, _, value in ordered]
