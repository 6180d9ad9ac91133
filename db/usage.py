"""What has been used, exactly: from rollups of whole hours, the events of the hours at the edges, and the end of the
log that has not been rolled up. The same numbers for the bill, for a forecast and for whoever asks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from db.usage_measures import Consumer, measures_by_time, measures_by_transaction
from db.usage_rollups import kept_rollups
from domain.account import Need
from domain.calendar import Period
from domain.metering.consumption import BEGINNING, consumption, consumption_of_rollups
from domain.metering.measuring import GroupKey, Measure
from domain.metering.meter import Meter
from domain.metering.rollups import Rollup, merge, roll_up, rolls_up, whole_hours
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
    without: Iterable[Period] = (),
) -> Usage:
    """The usage of one meter in one window, leaving out some stretches of it."""
    left_out = tuple(without)
    if rolls_up(meter) and shape != "events":
        sums = await _sums(connection, consumer, meter, window, left_out, cutoff)
        before = await _sums_before(connection, consumer, meter, window, cutoff)
        if sums is not None and before is not None:
            return consumption_of_rollups(meter, sums, before, shape)
    stretch = replace(window, start=BEGINNING) if meter.carry_over else window
    measures = await measures_by_time(connection, consumer, meter, (stretch,), until=cutoff)
    return consumption(meter, measures, window, shape, consumer.timezone, left_out)


async def _sums_before(
    connection: AsyncConnection, consumer: Consumer, meter: Meter, window: Period, cutoff: int
) -> Sums | None:
    """Of all that came before a window, for a meter whose level carries over."""
    if not meter.carry_over:
        return {}
    past = Period(BEGINNING, window.start)
    return await _sums(connection, consumer, meter, past, (), cutoff)


async def _sums(
    connection: AsyncConnection,
    consumer: Consumer,
    meter: Meter,
    window: Period,
    without: tuple[Period, ...],
    cutoff: int,
) -> Sums | None:
    """The sums of a window by group; None where the rollups hold events from after the cut-off already."""
    hours, edges = whole_hours(window, without)
    kept = await kept_rollups(
        connection, consumer.customer, consumer.subscription, meter.key, hours
    )
    if kept.watermark > cutoff:
        return None
    at_edges = await measures_by_time(connection, consumer, meter, edges, until=cutoff)
    last = await measures_by_transaction(
        connection, consumer, meter, hours, since=kept.watermark, until=cutoff
    )
    return _merged(kept.groups, (*at_edges, *last))


def _merged(kept: Sums, measures: Iterable[Measure]) -> Sums:
    by_group: dict[GroupKey, list[Measure]] = {}
    for measure in measures:
        by_group.setdefault(measure.group, []).append(measure)
    fresh = {group: roll_up(members) for group, members in by_group.items()}
    both = {group: merge(kept[group], fresh[group]) for group in kept.keys() & fresh.keys()}
    return {**kept, **fresh, **both}
