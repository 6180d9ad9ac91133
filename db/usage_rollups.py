"""Rollups in rows: a grain of a customer's measures by meter and group, added to by the pump, read by whoever bills."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import cache
from hashlib import blake2b
from typing import Any

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db import usage_tail
from db.usage_measures import MEMBERS, Consumer
from db.usage_tail import IS_LONG
from domain.decimals import plain
from domain.errors import Corrupt
from domain.metering.grains import Part, grain_of
from domain.metering.measuring import GroupKey
from domain.metering.meter import Meter
from domain.metering.rollups import Rollup, SumsByWindow

HASH_BYTES = 16


@dataclass(frozen=True, slots=True)
class RollupKey:
    """`subscription` is the one that the events name, empty for those that name none."""

    customer: str
    subscription: str
    meter: str
    grain: datetime
    group: GroupKey


@dataclass(frozen=True, slots=True)
class NewRollup:
    """Measures to add: how many, the last transaction they are of, and their sums where the meter keeps any."""

    key: RollupKey
    count: int
    last_tx: int
    sums: Rollup | None


@dataclass(frozen=True, slots=True)
class KeptRollups:
    """What has been rolled up of a meter in some periods, from the events of transactions before `watermark`."""

    watermark: int
    sums: Sequence[SumsByWindow]


as_json = json.JSONEncoder(separators=(",", ":")).encode

# Racing pumps of one environment wait for each other before they read, so nothing is ever added twice. What a level was
# held is added where the new measures come after those kept: the pump sees to that.
_ADD = text("""
    INSERT INTO usage_rollups AS kept (environment_id, customer_id, subscription_id, meter, grain,
        group_hash, group_key, count, last_tx, total, highest, lowest,
        latest_time, latest_arrival, latest_value, moment, first_time, held)
    SELECT :environment, customer, subscription, meter, grain, decode(group_hash, 'hex'),
        group_key::jsonb, count, last_tx::xid8, total::numeric, highest::numeric, lowest::numeric,
        latest_time, latest_arrival, latest_value::numeric, moment::numeric, first_time,
        held::numeric
    FROM json_to_recordset(CAST(:rollups AS json)) AS new (customer text, subscription text,
        meter text, grain timestamptz, group_hash text, group_key text, count bigint, last_tx text,
        total text, highest text, lowest text,
        latest_time timestamptz, latest_arrival bigint, latest_value text, moment text,
        first_time timestamptz, held text)
    ON CONFLICT (environment_id, customer_id, meter, grain, subscription_id, group_hash)
    DO UPDATE SET
        count = kept.count + excluded.count,
        last_tx = greatest(kept.last_tx, excluded.last_tx),
        total = coalesce(kept.total + excluded.total, kept.total, excluded.total),
        highest = greatest(kept.highest, excluded.highest),
        lowest = least(kept.lowest, excluded.lowest),
        (latest_time, latest_arrival, latest_value) = (
            SELECT latest.time, latest.arrival, latest.value
            FROM (VALUES
                (kept.latest_time, kept.latest_arrival, kept.latest_value),
                (excluded.latest_time, excluded.latest_arrival, excluded.latest_value)
            ) AS latest (time, arrival, value)
            ORDER BY latest.time DESC NULLS LAST, latest.arrival DESC LIMIT 1
        ),
        moment = coalesce(kept.moment + excluded.moment, kept.moment, excluded.moment),
        first_time = coalesce(kept.first_time, excluded.first_time),
        held = coalesce(
            kept.held + excluded.held + kept.latest_value * 1000000
                * extract(epoch FROM excluded.first_time - kept.latest_time),
            excluded.held, kept.held
        )
""")

_TOTAL = {"total": "sum(k.total)::text"}
_HIGHEST = {"highest": "max(k.highest)::text"}
_LATEST = {
    f"latest_{part}": f"(array_agg(k.latest_{part} ORDER BY k.latest_time DESC, k.latest_arrival DESC))[1]"
    for part in ("time", "arrival", "value")
}

AGGREGATES: Mapping[str, Mapping[str, str]] = {
    "count": {},
    "sum": _TOTAL,
    "avg": _TOTAL,
    "max": _HIGHEST,
    "min": {"lowest": "min(k.lowest)::text"},
    "latest": _LATEST,
    "weighted_sum": {**_TOTAL, "moment": "sum(k.moment)::text"},
    "unique_count": {},  # these two are counted and ranked in `db.usage_values`
    "percentile": {},
}
"""What each aggregation takes together of the rollups of a window, besides their counts."""

IN_ORDER = {
    **_LATEST,
    "first_time": "min(k.first_time)",
    "held": "CASE WHEN count(*) = 1 THEN min(k.held)::text END",
}
"""The same of a level that is set, for windows of one grain each: where two rows are of one, their order is lost."""

# The parts of some periods: places, bounds, and the windows within them.
PARTS = """
    unnest(CAST(:places AS integer[]), CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]),
        CAST(:origins AS timestamptz[]), CAST(:lengths AS interval[])) AS p (place, start, stop, origin, length)
"""


def of_consumer(table: str) -> str:
    """The rows of a table of grains in each part: a member's grains are whole or not there at all. Found by grain before
    anything else is asked (OFFSET 0 keeps it so): of arrays the planner knows nothing.
    """
    return f"""
        {PARTS} CROSS JOIN {MEMBERS} CROSS JOIN LATERAL (
            SELECT * FROM {table}
            WHERE customer_id = f.customer AND meter = :meter
                AND grain >= greatest(p.start, f.since) AND grain < least(p.stop, f.until)
                AND (CAST(:subscription AS text) IS NULL OR subscription_id IN ('', :subscription))
            OFFSET 0
        ) k
    """


@cache
def _reading(aggregates: frozenset[tuple[str, str]]) -> TextClause:
    """The watermark and the rollups in one statement: between two of them a pump might move both."""
    columns = "".join(f", {aggregate} AS {name}" for name, aggregate in sorted(aggregates))
    return text(f"""
        SELECT m.rolled_up_to::text AS watermark, r.* FROM meters m
        LEFT JOIN LATERAL (
            SELECT p.place, date_bin(p.length, k.grain, p.origin) AS start, k.group_hash, k.group_key,
                sum(k.count)::bigint AS counted {columns}
            FROM {of_consumer("usage_rollups")} WHERE k.count > 0
            GROUP BY p.place, date_bin(p.length, k.grain, p.origin), k.group_hash, k.group_key
        ) r ON true
        WHERE m.key = :meter
    """)


_STANDING = text(f"""
    SELECT m.rolled_up_to::text, array(
        SELECT DISTINCT k.grain FROM usage_rollups k
        WHERE k.customer_id = ANY(:customers) AND k.meter = :meter
            AND k.last_tx >= CAST(CAST(:until AS text) AS xid8)
    ), {IS_LONG.format(since="m.rolled_up_to")}
    FROM meters m WHERE m.key = :meter
""")


async def add_rollups(
    connection: AsyncConnection, environment: str, added: Iterable[NewRollup]
) -> None:
    """Add to what is kept."""
    rows = [_row(rollup) for rollup in added]
    if rows:
        await connection.execute(_ADD, {"environment": environment, "rollups": as_json(rows)})


@dataclass(frozen=True, slots=True)
class Standing:
    """The watermark of a meter, the grains whose rollups are no help, with transactions from a cut-off on, and where
    somebody joined or parted; and whether the log is long from the watermark to the cut-off.
    """

    watermark: int
    stale: Collection[datetime]
    tail_is_long: bool


async def standing(
    connection: AsyncConnection, consumer: Consumer, meter: Meter, cutoff: int
) -> Standing:
    """Raises `Corrupt` without such a meter."""
    asked = {
        **consumer.asked,
        "meter": meter.key,
        "until": str(cutoff),
        "most_read_whole": usage_tail.MOST_READ_WHOLE,
    }
    row = (await connection.execute(_STANDING, asked)).one_or_none()
    if row is None:
        raise Corrupt(f"there is no meter {meter.key}")
    return Standing(int(row[0]), {*row[1], *consumer.divided(grain_of(meter))}, row[2])


async def kept_rollups(
    connection: AsyncConnection,
    consumer: Consumer,
    meter: Meter,
    periods: Sequence[Sequence[Part]],
    aggregates: Mapping[str, str] | None = None,
) -> KeptRollups:
    """The rollups of periods, each given as its parts of whole grains. Raises `Corrupt` without such a meter."""
    if aggregates is None:
        aggregates = AGGREGATES[meter.aggregation]
        if meter.carry_over and meter.aggregation == "max":
            aggregates = {**aggregates, **_LATEST}  # the level that is carried on
    asked = parts_asked(consumer, meter, periods)
    found = (await connection.execute(_reading(frozenset(aggregates.items())), asked)).all()
    if not found:
        raise Corrupt(f"there is no meter {meter.key}")
    kept: list[dict[GroupKey, dict[datetime, Rollup]]] = [{} for _ in periods]
    groups: dict[bytes, GroupKey] = {}
    for row in found:
        if row.place is not None:
            group = groups.get(row.group_hash)
            if group is None:
                group = groups[row.group_hash] = group_of_row(row.group_key)
            kept[row.place].setdefault(group, {})[row.start] = rollup_of_row(row, aggregates)
    return KeptRollups(int(found[0].watermark), kept)


def parts_asked(
    consumer: Consumer, meter: Meter, periods: Sequence[Sequence[Part]]
) -> dict[str, Any]:
    placed = [(place, part) for place, parts in enumerate(periods) for part in parts]
    return {
        **consumer.asked,
        "meter": meter.key,
        "places": [place for place, _ in placed],
        "starts": [part.stretch.start for _, part in placed],
        "ends": [part.stretch.end for _, part in placed],
        "origins": [part.origin for _, part in placed],
        "lengths": [part.length for _, part in placed],
    }


def group_hash(group: GroupKey) -> str:
    """Short enough for a key, however long the values are; in hexadecimal."""
    return short_hash(as_json(group))


def short_hash(written: str) -> str:
    return blake2b(written.encode(), digest_size=HASH_BYTES).hexdigest()


def _row(new: NewRollup) -> Mapping[str, object]:
    key = new.key
    row = {
        "customer": key.customer,
        "subscription": key.subscription,
        "meter": key.meter,
        "grain": key.grain.isoformat(),
        "group_hash": group_hash(key.group),
        "group_key": as_json(key.group),
        "count": new.count,
        "last_tx": str(new.last_tx),
    }
    return row if new.sums is None else {**row, **_sums(new.sums)}


def _sums(rollup: Rollup) -> Mapping[str, object]:
    """As text that `numeric` reads exactly: what events measure always ends."""
    if rollup.latest is None or rollup.highest is None or rollup.lowest is None:
        raise ValueError("there is nothing to add")
    time, arrival, value = rollup.latest
    return {
        "total": plain(rollup.total),
        "highest": plain(rollup.highest),
        "lowest": plain(rollup.lowest),
        "latest_time": time.isoformat(),
        "latest_arrival": arrival,
        "latest_value": plain(value),
        "moment": plain(rollup.moment),
        "first_time": None if rollup.first is None else rollup.first.isoformat(),
        "held": None if rollup.held is None else plain(rollup.held),
    }


def rollup_of_row(row: Row[Any], aggregates: Mapping[str, str]) -> Rollup:
    def number(name: str) -> Fraction | None:
        found = getattr(row, name) if name in aggregates else None
        return None if found is None else Fraction(found)

    latest = number("latest_value")
    return Rollup(
        count=row.counted,
        total=number("total") or Fraction(0),
        highest=number("highest"),
        lowest=number("lowest"),
        latest=None if latest is None else (row.latest_time, row.latest_arrival, latest),
        moment=number("moment") or Fraction(0),
        first=row.first_time if "first_time" in aggregates else None,
        held=number("held"),
    )


def group_of_row(kept: Sequence[Sequence[str | None]]) -> GroupKey:
    return tuple((str(name), value) for name, value in kept)
