"""Rollups: sums of an hour's measures from which any longer period is aggregated, exactly, without its events."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import assert_never, cast

from domain.calendar import Period
from domain.metering.aggregation import NOTHING_CARRIED, Carried, usage_of
from domain.metering.measuring import GroupKey, Measure
from domain.metering.meter import Meter
from domain.pricing.usage import Groups, Quantity

HOUR = timedelta(hours=1)
_MICROSECOND = timedelta(microseconds=1)

Latest = tuple[datetime, int, Fraction]
"""The time, the arrival and the value of the measure that comes last."""


@dataclass(frozen=True, slots=True)
class Rollup:
    """What is kept of the measures of one group: enough for `count`, `sum`, `max`, `min`, `avg` and `latest`."""

    count: int
    total: Fraction
    highest: Fraction | None
    lowest: Fraction | None
    latest: Latest | None


NOTHING = Rollup(0, Fraction(0), None, None, None)


def rolls_up(meter: Meter) -> bool:
    """Whether rollups give a meter's quantity exactly; other meters need their events."""
    needs_events = meter.aggregation in ("unique_count", "weighted_sum", "percentile")
    return not needs_events and meter.window is None


def roll_up(measures: Iterable[Measure]) -> Rollup:
    """The rollup of the measures of one group."""
    counted = [(m.time, m.arrival, cast(Fraction, m.value)) for m in measures]
    values = [value for _, _, value in counted]
    return Rollup(
        count=len(values),
        total=sum(values, Fraction(0)),
        highest=max(values, default=None),
        lowest=min(values, default=None),
        latest=max(counted, default=None),
    )


def merge(a: Rollup, b: Rollup) -> Rollup:
    """The rollup of the measures of both. It does not matter how measures are parted, or in which order."""
    return Rollup(
        count=a.count + b.count,
        total=a.total + b.total,
        highest=max((x for x in (a.highest, b.highest) if x is not None), default=None),
        lowest=min((x for x in (a.lowest, b.lowest) if x is not None), default=None),
        latest=max((x for x in (a.latest, b.latest) if x is not None), default=None),
    )


def quantity_of(
    meter: Meter, rollups: Mapping[GroupKey, Rollup], carried_in: Carried = NOTHING_CARRIED
) -> Quantity | Groups:
    """The quantity of a period from its rollups by group: what `aggregate` makes of their measures.

    Raises ValueError for a meter that does not roll up.
    """
    carried = carried_in if meter.carry_over else NOTHING_CARRIED
    return usage_of(
        meter,
        {
            key: _quantity(meter, rollups.get(key, NOTHING), carried.get(key))
            for key in _keys(meter, rollups, carried)
        },
    )


def level_of(
    meter: Meter, rollups: Mapping[GroupKey, Rollup], carried_in: Carried = NOTHING_CARRIED
) -> dict[GroupKey, Fraction]:
    """The level that the next period starts with, as `level_at_end` says."""
    if not meter.carry_over:
        return {}
    levels: dict[GroupKey, Fraction] = {}
    for key in _keys(meter, rollups, carried_in):
        rollup, before = rollups.get(key, NOTHING), carried_in.get(key, Fraction(0))
        if meter.aggregation == "sum":
            level = before + rollup.total
        else:
            level = rollup.latest[-1] if rollup.latest else before
        levels[key] = max(Fraction(0), level)
    return levels


def whole_hours(
    period: Period, without: Sequence[Period] = ()
) -> tuple[list[Period], list[Period]]:
    """Part a period, but for the periods `without`, into stretches of whole hours (UTC) that rollups cover and
    the edges of these, whose events must be read.
    """
    hours: list[Period] = []
    edges: list[Period] = []
    for stretch in _left(period, without):
        first, last = hour_of(stretch.start + HOUR - _MICROSECOND), hour_of(stretch.end)
        if first >= last:
            edges.append(stretch)
            continue
        hours.append(Period(first, last))
        around = (Period(stretch.start, first), Period(last, stretch.end))
        edges.extend(part for part in around if part.start < part.end)
    return hours, edges


def hour_of(at: datetime) -> datetime:
    """The start of the hour (UTC) whose rollup an instant belongs to."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _left(period: Period, without: Sequence[Period]) -> Iterator[Period]:
    start = period.start
    for left_out in sorted(without, key=lambda left_out: left_out.start):
        if start < min(left_out.start, period.end):
            yield Period(start, min(left_out.start, period.end))
        start = max(start, left_out.end)
    if start < period.end:
        yield Period(start, period.end)


def _keys(meter: Meter, rollups: Mapping[GroupKey, Rollup], carried: Carried) -> Iterable[GroupKey]:
    if not meter.group_by:
        return [()]
    return {*rollups, *carried}


def _quantity(meter: Meter, rollup: Rollup, before: Fraction | None) -> Fraction:
    zero = Fraction(0)
    match meter.aggregation:
        case "count":
            return Fraction(rollup.count)
        case "sum":
            return rollup.total + (before or zero)
        case "max":
            return max((x for x in (rollup.highest, before) if x is not None), default=zero)
        case "min":
            return zero if rollup.lowest is None else rollup.lowest
        case "avg":
            return rollup.total / rollup.count if rollup.count else zero
        case "latest":
            return rollup.latest[-1] if rollup.latest else before or zero
        case "unique_count" | "weighted_sum" | "percentile":
            raise ValueError(f"{meter.aggregation} needs its events")
        case _:
            assert_never(meter.aggregation)
