"""What has been used, exactly: from rollups of whole grains, the events of the grains at the edges, and the end of the
log that has not been rolled up. The same numbers for the bill, for a forecast and for whoever asks.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from functools import partial
from itertools import accumulate, chain
from typing import Literal, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from db.usage_levels import levels_set
from db.usage_measures import (
    Consumer,
    Tail,
    measures_by_time,
    measures_of_tail,
    voided_times,
)
from db.usage_rollups import KeptRollups, kept_rollups, standing
from db.usage_values import counted, quantities_of_values
from domain.account import Need
from domain.calendar import Period
from domain.charges import total_quantity
from domain.metering.consumption import (
    BEGINNING,
    by_dimensions,
    consumption,
    consumption_of_quantities,
    consumption_of_rollups,
    group_of,
    merged,
    merged_by_window,
    stretches_before,
)
from domain.metering.grains import Part, by_grains, grain_at, grain_of, parts_of
from domain.metering.measuring import GroupKey, Measure
from domain.metering.meter import Meter
from domain.metering.rollups import (
    Sums,
    SumsByWindow,
    keeps_values,
    quantity_of,
    roll_up,
    sets_level,
    without_windows,
)
from domain.pricing.usage import Usage, UsageShape


@dataclass(frozen=True, slots=True)
class _Read:
    """Some periods of a meter: what was kept, the parts that it covers, and the measures of all that it does not."""

    kept: KeptRollups
    covered: Sequence[Sequence[Part]]
    fresh: Sequence[Sequence[tuple[Part, Measure]]]

    def sums(self, meter: Meter) -> list[SumsByWindow]:
        parts = zip(self.kept.sums, self.fresh, strict=True)
        return [merged_by_window(meter, kept, rolled_up(fresh)) for kept, fresh in parts]


async def usage_for(
    connection: AsyncConnection,
    consumer: Consumer,
    needs: Iterable[Need],
    meters: Mapping[str, Meter],
    cutoff: int,
) -> dict[Need, Usage]:
    """The usage that answers each need, of events of transactions before `cutoff`: a horizon, of now or of an earlier
    day. `meters` are by key.
    """
    return {
        need: await usage_in(
            connection,
            consumer,
            meters[need.meter],
            need.window,
            need.shape,
            cutoff,
            need.without,
            need.closings,
        )
        for need in needs
    }


async def usage_in(
    connection: AsyncConnection,
    consumer: Consumer,
    meter: Meter,
    window: Period,
    shape: UsageShape,
    cutoff: int,
    without: Sequence[Period] = (),
    closings: Sequence[datetime] = (),
) -> Usage:
    """The usage of one meter in one window, leaving out some stretches of it (`closings`: see `consumption`). `meter`
    may group by fewer dimensions than the one that is kept under its key.
    """
    zone = consumer.timezone
    if shape == "events":
        measures = await measures_by_time(connection, consumer, meter, (window,), until=cutoff)
        return consumption(meter, measures, window, shape, zone, without)
    used = await _usage(connection, consumer, meter, (window,), shape, cutoff, without, closings)
    if used is not None:
        return used[0]
    measures = await _measures(connection, consumer, meter, window, cutoff)
    return consumption(meter, measures, window, shape, zone, without, closings)


async def usage_by_window(
    connection: AsyncConnection,
    consumer: Consumer,
    meter: Meter,
    windows: Sequence[Period],
    shape: Literal["quantity", "groups"],
    cutoff: int,
    closings: Sequence[datetime] = (),
) -> list[Usage]:
    """The usage of one meter in each of some windows that follow on each other; `closings` are those before all."""
    if not windows:
        return []
    used = await _usage(connection, consumer, meter, windows, shape, cutoff, (), closings)
    if used is not None:
        return used
    whole = Period(windows[0].start, windows[-1].end)
    measures = await _measures(connection, consumer, meter, whole, cutoff)
    if meter.carry_over:
        return [
            consumption(meter, measures, each, shape, consumer.timezone, (), closings)
            for each in windows
        ]
    parts = parted(measures, windows)
    return [
        consumption(meter, part, window, shape, consumer.timezone)
        for part, window in zip(parts, windows, strict=True)
    ]


async def measured_in(
    connection: AsyncConnection, consumer: Consumer, meter: Meter, window: Period, cutoff: int
) -> Fraction:
    """All that a meter that counts or adds up measured in a window, exact: neither rounded nor cut at 0."""
    exact = replace(by_dimensions(meter, ()), rounding=None)
    parts = parts_of(exact, window, consumer.timezone)
    sums = await _sums(connection, consumer, exact, (), [parts], cutoff)
    if sums is None:
        measures = await measures_by_time(connection, consumer, exact, (window,), until=cutoff)
        return sum((cast(Fraction, measure.value) for measure in measures), Fraction(0))
    (own,) = sums
    return total_quantity(quantity_of(exact, merged_by_window(exact, own), window))


def parted(measures: Iterable[Measure], windows: Sequence[Period]) -> list[list[Measure]]:
    """The measures of each of some windows that are in order and do not overlap."""
    starts = [window.start for window in windows]
    parts: list[list[Measure]] = [[] for _ in windows]
    for measure in measures:
        place = bisect_right(starts, measure.time) - 1
        if place >= 0 and windows[place].contains(measure.time):
            parts[place].append(measure)
    return parts


async def _measures(
    connection: AsyncConnection, consumer: Consumer, meter: Meter, window: Period, cutoff: int
) -> list[Measure]:
    """All that must be known of a window: what came before it, too, where the meter carries over."""
    stretch = replace(window, start=BEGINNING) if meter.carry_over else window
    return await measures_by_time(connection, consumer, meter, (stretch,), until=cutoff)


async def _usage(
    connection: AsyncConnection,
    consumer: Consumer,
    meter: Meter,
    windows: Sequence[Period],
    shape: Literal["quantity", "groups"],
    cutoff: int,
    without: Sequence[Period] = (),
    closings: Sequence[datetime] = (),
) -> list[Usage] | None:
    """The usage of each window by rollups, as far as they go; None where they are no help."""
    zone = consumer.timezone
    past = stretches_before(windows[0], closings) if meter.carry_over else []
    before = [parts_of(meter, period, zone) for period in past]
    own = [parts_of(meter, window, zone, without) for window in windows]
    if shape == "quantity" and (keeps_values(meter) or sets_level(meter)):
        meter = by_dimensions(meter, ())
    if keeps_values(meter):
        quantities = await _quantities(connection, consumer, meter, own, cutoff)
        if quantities is None:
            return None
        return [consumption_of_quantities(meter, each, shape) for each in quantities]
    sums = await _sums(connection, consumer, meter, before, own, cutoff)
    if sums is None:
        return None
    of_past, of_windows = sums[: len(past)], sums[len(past) :]
    earlier = [without_windows(each) for each in of_past]
    # A level that was not cut where the first window begins goes on through it.
    goes_on = bool(earlier) and windows[0].start not in closings
    last: Sums = earlier.pop() if goes_on else {}
    passed = accumulate(map(without_windows, of_windows), partial(merged, meter), initial=last)
    return [
        consumption_of_rollups(
            meter, own, [*earlier, before] if past else (), window, shape, zone, without
        )
        for own, before, window in zip(of_windows, passed, windows, strict=False)
    ]


async def _sums(
    connection: AsyncConnection,
    consumer: Consumer,
    meter: Meter,
    before: Sequence[Sequence[Part]],
    own: Sequence[Sequence[Part]],
    cutoff: int,
) -> list[SumsByWindow] | None:
    """The sums of what came before and of some periods. Of a level that is set, only its latest value lasts."""
    if not sets_level(meter):
        read = await _read(connection, consumer, meter, [*before, *own], cutoff)
        return None if read is None else read.sums(meter)
    levels = await levels_set(connection, consumer, meter, own, cutoff)
    if not before or levels is None:
        return levels
    latest = replace(meter, aggregation="latest", level="change")
    read = await _read(connection, consumer, latest, before, cutoff)
    return None if read is None else [*read.sums(meter), *levels]


async def _read(
    connection: AsyncConnection,
    consumer: Consumer,
    meter: Meter,
    periods: Sequence[Sequence[Part]],
    cutoff: int,
) -> _Read | None:
    """Rollups, edges and tail of some periods; None where nothing has been rolled up, or is being just now."""
    parts = tuple(chain.from_iterable(periods))
    stretches = tuple(part.stretch for part in parts)
    stands = await standing(connection, consumer, meter, cutoff)
    if not stands.watermark:
        return None
    tail = Tail(stands.watermark, cutoff, stands.tail_is_long)
    voided = await voided_times(connection, consumer, meter, stretches, tail)
    grain = grain_of(meter)
    apart = {*stands.stale, *(grain_at(time, grain) for time in voided)}
    covered, edges = zip(*(by_grains(parts, grain, apart) for parts in periods), strict=True)
    kept = await kept_rollups(connection, consumer, meter, covered)
    if kept.watermark != stands.watermark:
        return None
    at_edges = await measures_by_time(
        connection, consumer, meter, tuple(chain(*edges)), until=cutoff
    )
    in_grains = tuple(part.stretch for part in chain(*covered))
    last = await measures_of_tail(connection, consumer, meter, in_grains, tail)
    each = iter(parted((*at_edges, *last), stretches))
    fresh = [[(p, m) for p in parts for m in next(each)] for parts in periods]
    return _Read(kept, covered, fresh)


async def _quantities(
    connection: AsyncConnection,
    consumer: Consumer,
    meter: Meter,
    periods: Sequence[Sequence[Part]],
    cutoff: int,
) -> list[dict[GroupKey, Fraction]] | None:
    """What is counted or ranked of distinct values in each of some periods, by group."""
    read = await _read(connection, consumer, meter, periods, cutoff)
    if read is None:
        return None
    groups = {group for sums in read.kept.sums for group in sums}
    fresh = [
        counted((group_of(meter, m.group), part.window_of(m.time), m.value) for part, m in measured)
        for measured in read.fresh
    ]
    found = await quantities_of_values(connection, consumer, meter, read.covered, groups, fresh)
    stands = await standing(connection, consumer, meter, cutoff)
    return found if stands.watermark == read.kept.watermark else None


def rolled_up(measures: Iterable[tuple[Part, Measure]]) -> SumsByWindow:
    by_window: dict[GroupKey, dict[datetime, list[Measure]]] = {}
    for part, measure in measures:
        windows = by_window.setdefault(measure.group, {})
        windows.setdefault(part.window_of(measure.time), []).append(measure)
    return {
        group: {start: roll_up(members) for start, members in windows.items()}
        for group, windows in by_window.items()
    }
