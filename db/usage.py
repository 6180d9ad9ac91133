"""What has been used, exactly: from rollups of whole hours, the events of the hours at the edges, and the end of the
log that has not been rolled up. The same numbers for the bill, for a forecast and for whoever asks.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate, chain
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from db.usage_measures import Consumer, measures_by_time, measures_by_transaction
from db.usage_rollups import kept_rollups
from domain.account import Need
from domain.calendar import Period
from domain.metering.consumption import BEGINNING, consumption, consumption_of_rollups, merged
from domain.metering.measuring import GroupKey, Measure
from domain.metering.meter import Meter
from domain.metering.rollups import Rollup, roll_up, rolls_up, whole_hours
from domain.pricing.usage import Usage, UsageShape

Sums = Mapping[GroupKey, Rollup]


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
) -> Usage:
    """The usage of one meter in one window, leaving out some stretches of it. `meter` may group by fewer dimensions
    than the one that is kept under its key.
    """
    if rolls_up(meter) and shape != "events":
        sums = await _sums(connection, consumer, meter, (window,), without, cutoff)
        before = await _sums_before(connection, consumer, meter, window, cutoff)
        if sums is not None and before is not None:
            return consumption_of_rollups(meter, sums[0], before, shape)
    measures = await _measures(connection, consumer, meter, window, cutoff)
    return consumption(meter, measures, window, shape, consumer.timezone, without)


async def usage_by_window(
    connection: AsyncConnection,
    consumer: Consumer,
    meter: Meter,
    windows: Sequence[Period],
    shape: Literal["quantity", "groups"],
    cutoff: int,
) -> list[Usage]:
    """The usage of one meter in each of some windows that follow on each other."""
    if not windows:
        return []
    whole = Period(windows[0].start, windows[-1].end)
    if rolls_up(meter):
        sums = await _sums(connection, consumer, meter, windows, (), cutoff)
        first = await _sums_before(connection, consumer, meter, whole, cutoff)
        if sums is not None and first is not None:
            before = accumulate(sums[:-1], partial(merged, meter), initial=first)
            pairs = zip(sums, before, strict=True)
            return [consumption_of_rollups(meter, own, past, shape) for own, past in pairs]
    measures = await _measures(connection, consumer, meter, whole, cutoff)
    if meter.carry_over:
        return [consumption(meter, measures, w, shape, consumer.timezone) for w in windows]
    parts = parted(measures, windows)
    return [
        consumption(meter, part, window, shape, consumer.timezone)
        for part, window in zip(parts, windows, strict=True)
    ]


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


async def _sums_before(
    connection: AsyncConnection, consumer: Consumer, meter: Meter, window: Period, cutoff: int
) -> Sums | None:
    """Of all that came before a window, for a meter whose level carries over."""
    if not meter.carry_over:
        return {}
    past = Period(BEGINNING, window.start)
    sums = await _sums(connection, consumer, meter, (past,), (), cutoff)
    return None if sums is None else sums[0]


async def _sums(
    connection: AsyncConnection,
    consumer: Consumer,
    meter: Meter,
    windows: Sequence[Period],
    without: Sequence[Period],
    cutoff: int,
) -> list[Sums] | None:
    """The sums of each window by group; None where the rollups are no help: they hold events from after the cut-off
    already, or nothing yet.
    """
    hours, edges = zip(*(whole_hours(window, without) for window in windows), strict=True)
    kept = await kept_rollups(connection, consumer, meter.key, hours)
    if not 0 < kept.watermark <= cutoff:
        return None
    at_edges = await measures_by_time(
        connection, consumer, meter, tuple(chain(*edges)), until=cutoff
    )
    last = await measures_by_transaction(
        connection, consumer, meter, tuple(chain(*hours)), since=kept.watermark, until=cutoff
    )
    fresh = parted((*at_edges, *last), windows)
    return [
        merged(meter, rollups, _rolled_up(measures))
        for rollups, measures in zip(kept.windows, fresh, strict=True)
    ]


def _rolled_up(measures: Iterable[Measure]) -> Sums:
    by_group: dict[GroupKey, list[Measure]] = {}
    for measure in measures:
        by_group.setdefault(measure.group, []).append(measure)
    return {group: roll_up(members) for group, members in by_group.items()}
