"""Distinct values in rows, with how often each came: what is counted or ranked and cannot be added up."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import chain

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.usage_measures import Consumer
from db.usage_rollups import (
    RollupKey,
    as_json,
    group_hash,
    of_consumer,
    parts_asked,
    short_hash,
)
from domain.decimals import plain
from domain.metering.consumption import group_of
from domain.metering.grains import Part
from domain.metering.measuring import GroupKey
from domain.metering.meter import Meter

Value = Fraction | str
Values = Mapping[tuple[GroupKey, datetime, Value], int]
"""How often each value came, by group and by the start of the window it lies in."""


@dataclass(frozen=True, slots=True)
class NewValues:
    key: RollupKey
    counts: Mapping[Value, int]


_ADD = text("""
    INSERT INTO usage_values AS kept (environment_id, customer_id, subscription_id, meter, grain,
        group_hash, value_hash, value, count)
    SELECT :environment, customer, subscription, meter, grain, decode(group_hash, 'hex'),
        decode(value_hash, 'hex'), value::numeric, count
    FROM json_to_recordset(CAST(:values AS json)) AS new (customer text, subscription text,
        meter text, grain timestamptz, group_hash text, value_hash text, value text, count bigint)
    ON CONFLICT (environment_id, customer_id, meter, grain, subscription_id, group_hash, value_hash)
    DO UPDATE SET count = kept.count + excluded.count
""")

# What is kept and what has just been read, by the groups that are asked for.
_FOUND = f"""
    found AS (
        SELECT p.place, date_bin(p.length, k.grain, p.origin) AS start, g.place AS "group",
            k.value_hash, k.value, k.count
        FROM {of_consumer("usage_values")}
        JOIN unnest(CAST(:hashes AS text[]), CAST(:groups AS integer[])) AS g (hash, place)
            ON k.group_hash = decode(g.hash, 'hex')
        UNION ALL
        SELECT place, start, "group", decode(value_hash, 'hex'), value::numeric, count
        FROM json_to_recordset(CAST(:fresh AS json)) AS new (place integer, start timestamptz,
            "group" integer, value_hash text, value text, count bigint)
    )
"""
_DISTINCT = text(f"""
    WITH {_FOUND}
    SELECT place, "group", count(*)::text FROM (
        SELECT DISTINCT place, start, "group", value_hash FROM found
    ) each GROUP BY place, "group"
""")
# The nearest rank: the lowest value that so many of a hundred do not exceed.
_RANKED = text(f"""
    WITH {_FOUND}, counted AS (
        SELECT place, start, "group", value, sum(count) AS count FROM found
        GROUP BY place, start, "group", value
    ), ranked AS (
        SELECT place, start, "group", value,
            sum(count) OVER (PARTITION BY place, start, "group" ORDER BY value) AS rank,
            sum(count) OVER (PARTITION BY place, start, "group") AS highest_rank
        FROM counted
    )
    SELECT place, "group", sum(value)::text FROM (
        SELECT place, start, "group", min(value) AS value FROM ranked
        WHERE 100 * rank >= highest_rank * CAST(CAST(:percentile AS text) AS numeric)
        GROUP BY place, start, "group"
    ) each GROUP BY place, "group"
""")


async def add_values(
    connection: AsyncConnection, environment: str, added: Iterable[NewValues]
) -> None:
    """Add to what is kept."""
    rows = list(chain.from_iterable(_rows(new) for new in added))
    if rows:
        await connection.execute(_ADD, {"environment": environment, "values": as_json(rows)})


async def quantities_of_values(
    connection: AsyncConnection,
    consumer: Consumer,
    meter: Meter,
    periods: Sequence[Sequence[Part]],
    groups: Iterable[GroupKey],
    fresh: Sequence[Values],
) -> list[dict[GroupKey, Fraction]]:
    """What a meter that counts or ranks values has of some periods, each given as its parts of whole grains and the
    values that are in no rollup yet, by the meter's own dimensions; windows are added up, exactly.

    `groups` are those that were kept. They may have more dimensions than the meter.
    """
    kept = sorted(set(groups), key=as_json)
    wanted = {group_of(meter, group) for group in kept}
    wanted |= {group for values in fresh for group, _, _ in values}
    places = {group: place for place, group in enumerate(sorted(wanted, key=as_json))}
    asked = parts_asked(consumer, meter, periods) | {
        "hashes": [group_hash(group) for group in kept],
        "groups": [places[group_of(meter, group)] for group in kept],
        "fresh": as_json(_fresh_rows(fresh, places)),
    }
    if meter.percentile is None:
        rows = await connection.execute(_DISTINCT, asked)
    else:
        rows = await connection.execute(_RANKED, asked | {"percentile": plain(meter.percentile)})
    found: list[dict[GroupKey, Fraction]] = [{} for _ in periods]
    by_place = list(places)
    for place, group, quantity in rows:
        found[place][by_place[group]] = Fraction(quantity)
    return found


def counted(values: Iterable[tuple[GroupKey, datetime, Value]]) -> Values:
    return Counter(values)


def _rows(new: NewValues) -> Iterable[Mapping[str, object]]:
    key = new.key
    common = {
        "customer": key.customer,
        "subscription": key.subscription,
        "meter": key.meter,
        "grain": key.grain.isoformat(),
        "group_hash": group_hash(key.group),
    }
    for value, count in new.counts.items():
        yield {**common, **_written(value), "count": count}


def _fresh_rows(
    fresh: Sequence[Values], groups: Mapping[GroupKey, int]
) -> list[Mapping[str, object]]:
    return [
        {
            "place": place,
            "start": start.isoformat(),
            "group": groups[group],
            "count": count,
            **_written(value),
        }
        for place, values in enumerate(fresh)
        for (group, start, value), count in values.items()
    ]


def _written(value: Value) -> Mapping[str, str | None]:
    if isinstance(value, str):
        return {"value_hash": short_hash(as_json(value)), "value": None}
    number = plain(value)
    return {"value_hash": short_hash(number), "value": number}
