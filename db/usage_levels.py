"""Levels that values set, from the rollups of single grains in their order, and from events where that order is lost."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain

from sqlalchemy.ext.asyncio import AsyncConnection

from db.usage_measures import (
    Consumer,
    Tail,
    measures_by_time,
    measures_of_tail,
    voided_times,
)
from db.usage_rollups import IN_ORDER, kept_rollups, standing
from domain.metering.consumption import group_of
from domain.metering.grains import Part, by_grains, grain_at, grain_of
from domain.metering.measuring import GroupKey
from domain.metering.meter import Meter
from domain.metering.rollups import Rollup, SumsByWindow, joined, roll_up_in_order

_Piece = tuple[datetime, GroupKey, Rollup]
"""A rollup by a group of the meter's, and the time it begins at, of a grain or of one event."""


async def levels_set(
    connection: AsyncConnection,
    consumer: Consumer,
    meter: Meter,
    periods: Sequence[Sequence[Part]],
    cutoff: int,
) -> list[SumsByWindow] | None:
    """The rollups of each part of some periods; None where nothing has been rolled up, or is being just now.

    A grain is read from its events where the log says more of it than its rollup, and where two rollups are of one
    level: of events that name the subscription and that name none, or of groups that are taken together.
    """
    parts = tuple(chain.from_iterable(periods))
    stretches = tuple(part.stretch for part in parts)
    grain = grain_of(meter)
    stands = await standing(connection, consumer, meter, cutoff)
    if not stands.watermark:
        return None
    tail = Tail(stands.watermark, cutoff, stands.tail_is_long)
    last = await measures_of_tail(connection, consumer, meter, stretches, tail)
    voided = await voided_times(connection, consumer, meter, stretches, tail)
    fresh = {grain_at(time, grain) for time in (*(m.time for m in last), *voided)}
    apart = {*fresh, *stands.stale}
    covered, _ = by_grains(parts, grain, apart)
    grains = [replace(part, origin=part.stretch.start, length=grain) for part in covered]
    kept = await kept_rollups(connection, consumer, meter, (grains,), IN_ORDER)
    if kept.watermark != stands.watermark:
        return None
    pieces = list(_pieces(meter, kept.sums[0]))
    apart |= _tangled(pieces)
    _, edges = by_grains(parts, grain, apart)
    measures = await measures_by_time(connection, consumer, meter, tuple(edges), until=cutoff)
    single = [(m.time, group_of(meter, m.group), roll_up_in_order([m])) for m in measures]
    pieces = [*(piece for piece in pieces if piece[0] not in apart), *single]
    each = iter(_parted(pieces, parts))
    return [_by_group([(part, next(each)) for part in own]) for own in periods]


def _pieces(meter: Meter, sums: SumsByWindow) -> Iterator[_Piece]:
    for group, grains in sums.items():
        for start, rollup in grains.items():
            yield start, group_of(meter, group), rollup


def _tangled(pieces: Iterable[_Piece]) -> set[datetime]:
    """The grains in which the order of measures is lost."""
    of_one = Counter((start, group) for start, group, _ in pieces)
    unknown = {start for start, _, rollup in pieces if rollup.held is None}
    return unknown | {start for (start, _), number in of_one.items() if number > 1}


def _parted(pieces: Iterable[_Piece], parts: Sequence[Part]) -> list[list[_Piece]]:
    """The pieces of each part: parts are in order, and every piece is in one."""
    starts = [part.stretch.start for part in parts]
    parted: list[list[_Piece]] = [[] for _ in parts]
    for piece in pieces:
        parted[bisect_right(starts, piece[0]) - 1].append(piece)
    return parted


def _by_group(parts: Iterable[tuple[Part, list[_Piece]]]) -> SumsByWindow:
    sums: dict[GroupKey, dict[datetime, Rollup]] = {}
    for part, pieces in parts:
        for group in {group for _, group, _ in pieces}:
            own = (rollup for _, of, rollup in pieces if of == group)
            sums.setdefault(group, {})[part.origin] = joined(own)
    return sums
