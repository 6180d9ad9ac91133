"""Alerts, how their thresholds stand for each customer, and what they have told."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.ids import new_id
from db.session import write_json
from domain.alerts import Alert, Crossing, Standing, read_alert
from domain.decimals import plain
from domain.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class AlertRow:
    """`customer` is the id of the one that it watches, if it watches one; `alert` is as it was given."""

    id: str
    alert: Alert
    document: Mapping[str, object]
    customer: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Threshold:
    """One threshold of an alert, for one customer."""

    alert: str
    customer: str
    threshold: Fraction


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """What was told; `period` is the start of the one it was in, `customer` a key."""

    id: str
    customer: str
    threshold: Fraction
    status: str
    period: datetime | None
    crossing: int
    value: str
    at: datetime
    seq: int


_COLUMNS = "id, document, customer_id, created_at"
_ADD = text("""
    INSERT INTO alerts (id, environment_id, key, customer_id, currency, document)
    VALUES (:id, :environment, :key, :customer, :currency, CAST(:document AS jsonb))
    ON CONFLICT DO NOTHING
""")
_FIND = text(f"""
    SELECT {_COLUMNS} FROM alerts WHERE key = :name OR id = :name ORDER BY key <> :name LIMIT 1
""")
_LIST = text(f"""
    SELECT {_COLUMNS} FROM alerts
    WHERE id > :after AND (CAST(:customer AS text) IS NULL OR customer_id = :customer)
    ORDER BY id LIMIT :limit
""")
_REMOVE = text("DELETE FROM alerts WHERE id = :id")
_CONCERNING = text(f"""
    SELECT {_COLUMNS} FROM alerts
    WHERE currency IS NOT DISTINCT FROM :currency
        AND (customer_id IS NULL OR customer_id = ANY(:customers))
    ORDER BY id
""")
_STANDINGS = text("""
    SELECT alert_id, customer_id, threshold, period, reached, crossings FROM alert_standings
    WHERE alert_id = ANY(:alerts) AND customer_id = ANY(:customers)
""")
_STAND = text("""
    INSERT INTO alert_standings (environment_id, alert_id, customer_id, threshold, period, reached, crossings)
    VALUES (:environment, :alert, :customer, :threshold, :period, :reached, :crossings)
    ON CONFLICT (environment_id, alert_id, customer_id, threshold) DO UPDATE SET
        period = excluded.period, reached = excluded.reached, crossings = excluded.crossings
""")
_TELL = text("""
    INSERT INTO alert_events (id, environment_id, alert_id, customer_id, threshold, status, period, crossing, value, at)
    VALUES (:id, :environment, :alert, :customer, :threshold, :status, :period, :crossing, :value, :at)
    ON CONFLICT DO NOTHING RETURNING id
""")
_EVENTS = text("""
    SELECT e.id, c.key, e.threshold, e.status, e.period, e.crossing, e.value, e.at, e.seq
    FROM alert_events e JOIN customers c ON c.environment_id = e.environment_id AND c.id = e.customer_id
    WHERE e.alert_id = :alert AND e.seq > :after
        AND (CAST(:customer AS text) IS NULL OR e.customer_id = :customer)
    ORDER BY e.seq LIMIT :limit
""")


async def add_alert(
    connection: AsyncConnection,
    environment: str,
    alert_id: str,
    document: Mapping[str, object],
    customer: str | None,
) -> AlertRow:
    """Add an alert; a repeat under the same id changes nothing. Raises `Conflict` for a taken key."""
    key, currency = str(document["key"]), document.get("currency")
    row = {"id": alert_id, "environment": environment, "key": key, "customer": customer}
    of = {"currency": currency, "document": write_json(document)}
    await connection.execute(_ADD, {**row, **of})
    kept = await find_alert(connection, key)
    if kept.id != alert_id:
        raise Conflict(f"there is an alert {key} already")
    return kept


async def find_alert(connection: AsyncConnection, name: str) -> AlertRow:
    """By key or id; a key goes before an id. Raises `NotFound`."""
    row = (await connection.execute(_FIND, {"name": name})).one_or_none()
    if row is None:
        raise NotFound(f"there is no alert {name}")
    return _read(row)


async def find_alerts(
    connection: AsyncConnection, limit: int, after: str = "", customer: str | None = None
) -> Sequence[AlertRow]:
    """Those with an id greater than `after`, oldest first; with `customer`, an id, those of that one alone."""
    asked = {"after": after, "limit": limit, "customer": customer}
    return [_read(row) for row in await connection.execute(_LIST, asked)]


async def remove_alert(connection: AsyncConnection, alert_id: str) -> None:
    """Take an alert away with all that it knew and told."""
    await connection.execute(_REMOVE, {"id": alert_id})


async def alerts_concerning(
    connection: AsyncConnection, currency: str | None, customers: Collection[str]
) -> Sequence[AlertRow]:
    """Those that watch one of these customers, by id, or everyone: money in that currency, or without one what they use."""
    asked = {"currency": currency, "customers": sorted(customers)}
    return [_read(row) for row in await connection.execute(_CONCERNING, asked)]


async def standings(
    connection: AsyncConnection, alerts: Collection[str], customers: Collection[str]
) -> Mapping[Threshold, Standing]:
    """How thresholds of these alerts stood for these customers; one never looked at is left out."""
    asked = {"alerts": sorted(alerts), "customers": sorted(customers)}
    return {
        Threshold(row.alert_id, row.customer_id, Fraction(row.threshold)): Standing(
            row.period, row.reached, row.crossings
        )
        for row in await connection.execute(_STANDINGS, asked)
    }


async def save_standing(
    connection: AsyncConnection, environment: str, of: Threshold, standing: Standing
) -> None:
    after = {"reached": standing.reached, "crossings": standing.crossings}
    row = {"environment": environment, **_named(of), "period": standing.period, **after}
    await connection.execute(_STAND, row)


async def add_alert_event(
    connection: AsyncConnection,
    environment: str,
    of: Threshold,
    period: datetime | None,
    crossing: Crossing,
    value: Fraction,
    at: datetime,
) -> bool:
    """Write down what is to be told; False where it was told before."""
    row = {"id": new_id("ale"), "environment": environment, **_named(of), "period": period}
    told = {"status": crossing.status, "crossing": crossing.number, "value": plain(value), "at": at}
    return (await connection.execute(_TELL, {**row, **told})).one_or_none() is not None


async def alert_events(
    connection: AsyncConnection, alert_id: str, limit: int, after: int, customer: str | None
) -> Sequence[AlertEvent]:
    """In order, from the first whose `seq` is greater than `after`; `customer` is an id."""
    asked = {"alert": alert_id, "limit": limit, "after": after, "customer": customer}
    rows = await connection.execute(_EVENTS, asked)
    return [AlertEvent(id, key, Fraction(threshold), *rest) for id, key, threshold, *rest in rows]


def _named(of: Threshold) -> dict[str, str]:
    return {"alert": of.alert, "customer": of.customer, "threshold": plain(of.threshold)}


def _read(row: Row[Any]) -> AlertRow:
    return AlertRow(row.id, read_alert(row.document), row.document, row.customer_id, row.created_at)
