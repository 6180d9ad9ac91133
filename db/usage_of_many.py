"""What many consumers have used at once: where it has all been rolled up, a meter is one statement for all of them, and
their edges another. The same numbers as `db.usage` has, which is asked for the others one by one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal, cast

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.meters import KeptMeter
from db.usage import parted, rolled_up, usage_for
from db.usage_measures import Consumer
from db.usage_rollups import AGGREGATES, group_of_row, rollup_of_row
from db.usage_voids import STANDS
from domain.account import Need
from domain.metering.consumption import consumption_of_rollups, merged_by_window
from domain.metering.grains import Part, by_grains, grain_of, parts_of
from domain.metering.measuring import GroupKey, Measure, readable
from domain.metering.meter import Meter
from domain.metering.rollups import Rollup, SumsByWindow, keeps_values, sets_level
from domain.pricing.usage import Usage


@dataclass(frozen=True, slots=True)
class Asked:
    """What one consumer must know."""

    consumer: Consumer
    need: Need


@dataclass(frozen=True, slots=True)
class _Covered:
    """A need by its parts: those that whole grains cover, and the edges of these."""

    asked: Asked
    whole: Sequence[Part]
    edges: Sequence[Part]


_ASKED = """
    unnest(CAST(:places AS integer[]), CAST(:customers AS text[]), CAST(:subscriptions AS text[]),
        CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]),
        CAST(:origins AS timestamptz[]), CAST(:lengths AS interval[]))
        AS a (place, customer, subscription, start, stop, origin, length)
"""
_AT_EDGES = text(f"""
    SELECT a.place, e.time, e.seq, e.properties FROM {_ASKED} CROSS JOIN LATERAL (
        SELECT * FROM usage_events
        WHERE customer_id = a.customer AND time >= a.start AND time < a.stop OFFSET 0
    ) e
    WHERE e.event_name = :event_name AND {STANDS} AND e.tx < CAST(CAST(:until AS text) AS xid8)
        AND (a.subscription IS NULL OR coalesce(e.subscription_id, a.subscription) = a.subscription)
""")


async def usage_of_many(
    connection: AsyncConnection,
    asked: Sequence[Asked],
    meters: Mapping[str, KeptMeter],
    cutoff: int,
) -> dict[Asked, Usage]:
    """In a transaction that is REPEATABLE READ, of which `meters` are, with events of transactions before `cutoff`."""
    found: dict[Asked, Usage] = {}
    by_meter: dict[str, list[Asked]] = {}
    for each in dict.fromkeys(asked):
        if _is_rolled_up(each, meters[each.need.meter], cutoff):
            by_meter.setdefault(each.need.meter, []).append(each)
        else:
            one = {each.need.meter: meters[each.need.meter].meter}
            used = await usage_for(connection, each.consumer, [each.need], one, cutoff)
            found[each] = used[each.need]
    for key, those in by_meter.items():
        found |= await _of_meter(connection, meters[key].meter, those, cutoff)
    return found


def _is_rolled_up(asked: Asked, kept: KeptMeter, cutoff: int) -> bool:
    """Whether nothing is to be looked for but rollups of one customer and its edges."""
    meter, need = kept.meter, asked.need
    by_itself = keeps_values(meter) or sets_level(meter) or meter.carry_over
    is_plain = need.shape != "events" and not by_itself and not asked.consumer.children
    return is_plain and kept.rolled_up_to == cutoff


async def _of_meter(
    connection: AsyncConnection, meter: Meter, asked: Sequence[Asked], cutoff: int
) -> dict[Asked, Usage]:
    covered = [_covered(meter, each) for each in asked]
    kept = await _kept(connection, meter, covered)
    fresh = await _at_edges(connection, meter, covered, cutoff)
    return {
        each: consumption_of_rollups(
            meter,
            merged_by_window(meter, sums, rolled_up(measured)),
            (),
            each.need.window,
            cast(Literal["quantity", "groups"], each.need.shape),
            each.consumer.timezone,
            each.need.without,
        )
        for each, sums, measured in zip(asked, kept, fresh, strict=True)
    }


def _covered(meter: Meter, asked: Asked) -> _Covered:
    need = asked.need
    parts = parts_of(meter, need.window, asked.consumer.timezone, need.without)
    by_part = [(part, *by_grains([part], grain_of(meter))) for part in parts]
    whole = [each for _, inner, _ in by_part for each in inner]
    edges = [Part(edge, part.origin, part.length) for part, _, around in by_part for edge in around]
    return _Covered(asked, whole, edges)


async def _kept(
    connection: AsyncConnection, meter: Meter, covered: Sequence[_Covered]
) -> list[SumsByWindow]:
    aggregates = AGGREGATES[meter.aggregation]
    kept: list[dict[GroupKey, dict[datetime, Rollup]]] = [{} for _ in covered]
    groups: dict[bytes, GroupKey] = {}
    rows = [(place, each.asked, part) for place, each in enumerate(covered) for part in each.whole]
    if rows:
        asked = {**_columns(rows), "meter": meter.key}
        statement = _reading(frozenset(aggregates.items()))
        for row in await connection.execute(statement, asked):
            group = groups.get(row.group_hash)
            if group is None:
                group = groups[row.group_hash] = group_of_row(row.group_key)
            kept[row.place].setdefault(group, {})[row.start] = rollup_of_row(row, aggregates)
    return list(kept)


async def _at_edges(
    connection: AsyncConnection, meter: Meter, covered: Sequence[_Covered], cutoff: int
) -> list[list[tuple[Part, Measure]]]:
    measured: list[list[Measure]] = [[] for _ in covered]
    rows = [(place, each.asked, part) for place, each in enumerate(covered) for part in each.edges]
    if rows:
        asked = {**_columns(rows), "event_name": meter.event_name, "until": str(cutoff)}
        for place, time, seq, properties in await connection.execute(_AT_EDGES, asked):
            if (measure := readable(meter, time, seq, properties)) is not None:
                measured[place].append(measure)
    return [_by_part(each.edges, those) for each, those in zip(covered, measured, strict=True)]


def _by_part(edges: Sequence[Part], measures: Iterable[Measure]) -> list[tuple[Part, Measure]]:
    each = parted(measures, [edge.stretch for edge in edges])
    return [(edge, m) for edge, those in zip(edges, each, strict=True) for m in those]


@cache
def _reading(aggregates: frozenset[tuple[str, str]]) -> TextClause:
    columns = "".join(f", {aggregate} AS {name}" for name, aggregate in sorted(aggregates))
    return text(f"""
        SELECT a.place, date_bin(a.length, k.grain, a.origin) AS start, k.group_hash, k.group_key,
            sum(k.count)::bigint AS counted {columns}
        FROM {_ASKED} CROSS JOIN LATERAL (
            SELECT * FROM usage_rollups
            WHERE customer_id = a.customer AND meter = :meter AND grain >= a.start AND grain < a.stop
                AND (a.subscription IS NULL OR subscription_id IN ('', a.subscription))
            OFFSET 0
        ) k WHERE k.count > 0
        GROUP BY a.place, date_bin(a.length, k.grain, a.origin), k.group_hash, k.group_key
    """)


def _columns(rows: Sequence[tuple[int, Asked, Part]]) -> dict[str, list[Any]]:
    return {
        "places": [place for place, _, _ in rows],
        "customers": [asked.consumer.customer for _, asked, _ in rows],
        "subscriptions": [asked.consumer.subscription for _, asked, _ in rows],
        "starts": [part.stretch.start for _, _, part in rows],
        "ends": [part.stretch.end for _, _, part in rows],
        "origins": [part.origin for _, _, part in rows],
        "lengths": [part.length for _, _, part in rows],
    }
