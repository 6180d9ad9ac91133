"""Rollups: sums of the measures of a stretch of time from which any longer period is aggregated, exactly, without its
events.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from typing import assert_never, cast

from domain.calendar import Period
from domain.metering.aggregation import NOTHING_CARRIED, Carried, usage_of
from domain.metering.grains import Held, held_of
from domain.metering.measuring import GroupKey, Measure
from domain.metering.meter import Meter
from domain.pricing.usage import Groups, Quantity

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ZERO = Fraction(0)

Latest = tuple[datetime, int, Fraction]
"""The time, the arrival and the value of the measure that comes last."""


@dataclass(frozen=True, slots=True)
class Rollup:
    """What is kept of the measures of one group: enough for all but distinct values. `moment` is the sum of value x
    microseconds since 1970. Of a level that values set, `held` is the sum of level x microseconds from the first measure
    to the last; None where it is not known.
    """

    count: int
    total: Fraction = _ZERO
    highest: Fraction | None = None
    lowest: Fraction | None = None
    latest: Latest | None = None
    moment: Fraction = _ZERO
    first: datetime | None = None
    held: Fraction | None = None


NOTHING = Rollup(0)

Sums = Mapping[GroupKey, Rollup]
SumsByWindow = Mapping[GroupKey, Mapping[datetime, Rollup]]
"""By group, and by the start of the window (of the stretch, for a level that is held) that the measures lie in."""


def sets_level(meter: Meter) -> bool:
    """Whether what a value is worth depends on when the next one comes, so that rollups add up in their order alone."""
    return meter.aggregation == "weighted_sum" and meter.level == "set"


def keeps_values(meter: Meter) -> bool:
    """Whether a meter's rollups are distinct values, each with how often it came, instead of sums."""
    return meter.aggregation in ("unique_count", "percentile")


def roll_up(measures: Iterable[Measure]) -> Rollup:
    """The rollup of the measures of one group, which are numbers."""
    counted = [(m.time, m.arrival, cast(Fraction, m.value)) for m in measures]
    values = [value for _, _, value in counted]
    return Rollup(
        count=len(values),
        total=sum(values, _ZERO),
        highest=max(values, default=None),
        lowest=min(values, default=None),
        latest=max(counted, default=None),
        moment=sum((value * _microseconds(time) for time, _, value in counted), _ZERO),
    )


def roll_up_in_order(measures: Iterable[Measure]) -> Rollup:
    """The same with what a level that they set was held, from the first of them to the last."""
    known = sorted(measures, key=lambda measure: (measure.time, measure.arrival))
    held = (
        cast(Fraction, a.value) * ((b.time - a.time) // _MICROSECOND) for a, b in pairwise(known)
    )
    first = known[0].time if known else None
    return replace(roll_up(known), first=first, held=sum(held, _ZERO))


def joined(rollups: Iterable[Rollup]) -> Rollup:
    """The rollup of measures that set a level, from rollups between whose first and last measures no other's are."""
    ordered = sorted((r for r in rollups if r.latest), key=lambda r: (r.first, r.latest))
    return reduce(_followed, ordered, NOTHING)


def _followed(a: Rollup, b: Rollup) -> Rollup:
    if a.latest is None or b.first is None or a.held is None or b.held is None:
        return b
    between = a.latest[-1] * ((b.first - a.latest[0]) // _MICROSECOND)
    return replace(merge(a, b), first=a.first, held=a.held + between + b.held)


def merge(a: Rollup, b: Rollup) -> Rollup:
    """The rollup of the measures of both. It does not matter how measures are parted, or in which order."""
    return Rollup(
        count=a.count + b.count,
        total=a.total + b.total,
        highest=max((x for x in (a.highest, b.highest) if x is not None), default=None),
        lowest=min((x for x in (a.lowest, b.lowest) if x is not None), default=None),
        latest=max((x for x in (a.latest, b.latest) if x is not None), default=None),
        moment=a.moment + b.moment,
    )  # what a level was held is lost: only `joined` knows the order


def quantity_of(
    meter: Meter,
    sums: SumsByWindow,
    period: Period,
    timezone: str = "UTC",
    without: Sequence[Period] = (),
    carried_in: Carried = NOTHING_CARRIED,
) -> Quantity | Groups:
    """The quantity of a period from rollups of its `grains.parts_of`: what `aggregate` makes of their measures.

    Raises ValueError for a meter whose rollups are no sums.
    """
    carried = carried_in if meter.carry_over else NOTHING_CARRIED
    level = meter.aggregation == "weighted_sum"
    held = held_of(meter, period, timezone, without) if level else ()
    quantities: dict[GroupKey, Fraction] = {}
    for key in {*sums, *carried} if meter.group_by else [()]:
        windows, before = sums.get(key, {}), carried.get(key)
        if level:
            quantities[key] = _held(meter, windows, held, before or _ZERO)
        elif meter.window is None:
            quantities[key] = _quantity(meter, _together(windows), before)
        else:
            each = (_quantity(meter, rollup, None) for rollup in windows.values())
            quantities[key] = sum(each, _ZERO)
    return usage_of(meter, quantities)


def level_of(
    meter: Meter, sums: Sums, carried_in: Carried = NOTHING_CARRIED
) -> dict[GroupKey, Fraction]:
    """The level that the next period starts with, as `level_at_end` says."""
    if not meter.carry_over:
        return {}
    levels: dict[GroupKey, Fraction] = {}
    for key in {*sums, *carried_in} if meter.group_by else [()]:
        rollup, before = sums.get(key, NOTHING), carried_in.get(key, _ZERO)
        levels[key] = max(_ZERO, _level_after(meter, rollup, before))
    return levels


def without_windows(sums: SumsByWindow) -> dict[GroupKey, Rollup]:
    return {key: _together(windows) for key, windows in sums.items()}


def _together(windows: Mapping[datetime, Rollup]) -> Rollup:
    whole = NOTHING
    for rollup in windows.values():
        whole = merge(whole, rollup) if whole.count else rollup
    return whole


def _held(
    meter: Meter, windows: Mapping[datetime, Rollup], held: Iterable[Held], initial: Fraction
) -> Fraction:
    """A level held over time, averaged over each window."""
    level, average = initial, _ZERO
    for part in held:
        rollup = windows.get(part.stretch.start, NOTHING)
        if part.counts:
            area = _area_set if sets_level(meter) else _area_changed
            average += area(level, rollup, part.stretch) / (part.length // _MICROSECOND)
        level = _level_after(meter, rollup, level)
    return average


def _area_changed(level: Fraction, rollup: Rollup, stretch: Period) -> Fraction:
    """Level x microseconds of a stretch: what came within it was held to its end."""
    until_end = rollup.total * _microseconds(stretch.end) - rollup.moment
    return level * (stretch.length // _MICROSECOND) + until_end


def _area_set(level: Fraction, rollup: Rollup, stretch: Period) -> Fraction:
    """The same of a level that is set: the one before to the first measure, and the last one to the end."""
    if rollup.latest is None:
        return level * (stretch.length // _MICROSECOND)
    if rollup.first is None or rollup.held is None:
        raise ValueError("the order of these measures is not known")
    last, _, value = rollup.latest
    before = level * ((rollup.first - stretch.start) // _MICROSECOND)
    return before + rollup.held + value * ((stretch.end - last) // _MICROSECOND)


def _level_after(meter: Meter, rollup: Rollup, before: Fraction) -> Fraction:
    if meter.aggregation == "sum" or (
        meter.aggregation == "weighted_sum" and not sets_level(meter)
    ):
        return before + rollup.total
    return rollup.latest[-1] if rollup.latest else before


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _quantity(meter: Meter, rollup: Rollup, before: Fraction | None) -> Fraction:
    match meter.aggregation:
        case "count":
            return Fraction(rollup.count)
        case "sum":
            return rollup.total + (before or _ZERO)
        case "max":
            return max((x for x in (rollup.highest, before) if x is not None), default=_ZERO)
        case "min":
            return _ZERO if rollup.lowest is None else rollup.lowest
        case "avg":
            return rollup.total / rollup.count if rollup.count else _ZERO
        case "latest":
            return rollup.latest[-1] if rollup.latest else before or _ZERO
        case "unique_count" | "weighted_sum" | "percentile":
            raise ValueError(f"{meter.aggregation} is made of no such sums")
        case _:
            assert_never(meter.aggregation)
