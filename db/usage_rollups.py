"""Rollups in rows: an hour of a customer's measures by meter and group, added to by the pump, read by whoever bills."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from hashlib import blake2b
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.usage_measures import Consumer
from domain.calendar import Period
from domain.decimals import plain
from domain.errors import Corrupt
from domain.metering.measuring import GroupKey
from domain.metering.rollups import Rollup

HASH_BYTES = 16


@dataclass(frozen=True, slots=True)
class RollupKey:
    """`subscription` is the one that the events name, empty for those that name none."""

    customer: str
    subscription: str
    meter: str
    hour: datetime
    group: GroupKey


@dataclass(frozen=True, slots=True)
class NewRollup:
    """Measures to add: how many, the last transaction they are of, and their sums where the meter rolls up."""

    key: RollupKey
    count: int
    last_tx: int
    sums: Rollup | None


@dataclass(frozen=True, slots=True)
class KeptRollups:
    """What has been rolled up of a meter in some windows, by group, from the events of transactions before
    `watermark`.
    """

    watermark: int
    windows: Sequence[Mapping[GroupKey, Rollup]]


_text = json.JSONEncoder(separators=(",", ":")).encode

# Racing pumps of one environment wait for each other before they read, so nothing is ever added twice.
_ADD = text("""
    INSERT INTO usage_rollups AS kept (environment_id, customer_id, subscription_id, meter, hour,
        group_hash, group_key, count, last_tx, total, highest, lowest,
        latest_time, latest_arrival, latest_value)
    SELECT :environment, customer, subscription, meter, hour, decode(group_hash, 'hex'),
        group_key::jsonb, count, last_tx::xid8, total::numeric, highest::numeric, lowest::numeric,
        latest_time, latest_arrival, latest_value::numeric
    FROM json_to_recordset(CAST(:rollups AS json)) AS new (customer text, subscription text,
        meter text, hour timestamptz, group_hash text, group_key text, count bigint, last_tx text,
        total text, highest text, lowest text,
        latest_time timestamptz, latest_arrival bigint, latest_value text)
    ON CONFLICT (environment_id, customer_id, meter, hour, subscription_id, group_hash)
    DO UPDATE SET
        count = kept.count + excluded.count,
        last_tx = greatest(kept.last_tx, excluded.last_tx),
        total = kept.total + excluded.total,
        highest = greatest(kept.highest, excluded.highest),
        lowest = least(kept.lowest, excluded.lowest),
        (latest_time, latest_arrival, latest_value) = (
            SELECT latest.time, latest.arrival, latest.value
            FROM (VALUES
                (kept.latest_time, kept.latest_arrival, kept.latest_value),
                (excluded.latest_time, excluded.latest_arrival, excluded.latest_value)
            ) AS latest (time, arrival, value)
            ORDER BY latest.time DESC, latest.arrival DESC LIMIT 1
        )
""")

# The watermark and the rollups in one statement: between two of them a pump might move both.
_READ = text("""
    SELECT m.rolled_up_to::text AS watermark, r.* FROM meters m
    LEFT JOIN LATERAL (
        SELECT hours.place, k.group_key, sum(k.count)::bigint AS counted, sum(k.total)::text AS total,
            max(k.highest)::text AS highest, min(k.lowest)::text AS lowest,
            (array_agg(k.latest_time ORDER BY k.latest_time DESC, k.latest_arrival DESC))[1]
                AS latest_time,
            (array_agg(k.latest_arrival ORDER BY k.latest_time DESC, k.latest_arrival DESC))[1]
                AS latest_arrival,
            (array_agg(k.latest_value ORDER BY k.latest_time DESC, k.latest_arrival DESC))[1]::text
                AS latest_value
        FROM unnest(CAST(:places AS integer[]), CAST(:starts AS timestamptz[]),
            CAST(:ends AS timestamptz[])) AS hours (place, start, stop)
        JOIN usage_rollups k ON k.environment_id = m.environment_id AND k.customer_id = :customer
            AND k.meter = m.key AND k.hour >= hours.start AND k.hour < hours.stop
        WHERE CAST(:subscription AS text) IS NULL OR k.subscription_id IN ('', :subscription)
        GROUP BY hours.place, k.group_hash, k.group_key
    ) r ON true
    WHERE m.key = :meter
""")


async def add_rollups(
    connection: AsyncConnection, environment: str, added: Iterable[NewRollup]
) -> None:
    """Add to what is kept."""
    rollups = tuple(added)
    if not rollups:
        return
    rows = [_row(rollup) for rollup in rollups]
    await connection.execute(_ADD, {"environment": environment, "rollups": _text(rows)})


def _row(new: NewRollup) -> Mapping[str, object]:
    key, group = new.key, _text(new.key.group)
    row = {
        "customer": key.customer,
        "subscription": key.subscription,
        "meter": key.meter,
        "hour": key.hour.isoformat(),
        "group_hash": _hash(group),
        "group_key": group,
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
    }


async def kept_rollups(
    connection: AsyncConnection,
    consumer: Consumer,
    meter: str,
    windows: Sequence[Sequence[Period]],
) -> KeptRollups:
    """The rollups of windows, each given as its stretches of whole hours. Raises `Corrupt` without such a meter."""
    hours = [(place, hours) for place, window in enumerate(windows) for hours in window]
    rows = await connection.execute(
        _READ,
        {
            "customer": consumer.customer,
            "subscription": consumer.subscription,
            "meter": meter,
            "places": [place for place, _ in hours],
            "starts": [stretch.start for _, stretch in hours],
            "ends": [stretch.end for _, stretch in hours],
        },
    )
    found = rows.all()
    if not found:
        raise Corrupt(f"there is no meter {meter}")
    kept: list[dict[GroupKey, Rollup]] = [{} for _ in windows]
    for row in found:
        if row.place is not None:
            kept[row.place][_group(row.group_key)] = _rollup(row)
    return KeptRollups(int(found[0].watermark), kept)


def _rollup(row: Row[Any]) -> Rollup:
    latest = (row.latest_time, row.latest_arrival, Fraction(row.latest_value))
    return Rollup(
        row.counted, Fraction(row.total), Fraction(row.highest), Fraction(row.lowest), latest
    )


def _group(kept: Sequence[Sequence[str | None]]) -> GroupKey:
    return tuple((str(name), value) for name, value in kept)


def _hash(group: str) -> str:
    """Short enough for a key, however long the values are."""
    return blake2b(group.encode(), digest_size=HASH_BYTES).hexdigest()
