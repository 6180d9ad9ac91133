"""Events out of the log, as they came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

Place = tuple[datetime, int]
"""Where an event stands in the order of times, those of the same time in the order of arrival."""


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """`customer` and `subscription` are keys."""

    id: str
    event_name: str
    customer: str
    subscription: str | None
    time: datetime
    properties: Mapping[str, object]
    received_at: datetime
    seq: int


@dataclass(frozen=True, slots=True)
class Sought:
    """Which events: of a customer (an id), of a name, timed in `[since, until)`; None for any."""

    customer: str | None = None
    event_name: str | None = None
    since: datetime | None = None
    until: datetime | None = None


_FIND = text("""
    SELECT e.id, e.event_name, e.customer_key, s.key, e.time, e.properties, e.received_at, e.seq
    FROM usage_events e
    LEFT JOIN subscriptions s ON s.environment_id = e.environment_id AND s.id = e.subscription_id
    WHERE (CAST(:customer AS text) IS NULL OR e.customer_id = :customer)
        AND (CAST(:event_name AS text) IS NULL OR e.event_name = :event_name)
        AND (CAST(:since AS timestamptz) IS NULL OR e.time >= :since)
        AND (CAST(:until AS timestamptz) IS NULL OR e.time < :until)
        AND (CAST(:after_time AS timestamptz) IS NULL OR (e.time, e.seq) > (:after_time, :after_seq))
    ORDER BY e.time, e.seq LIMIT :limit
""")


async def find_events(
    connection: AsyncConnection, sought: Sought, limit: int, after: Place | None = None
) -> Sequence[KeptEvent]:
    """In the order of their times, from after a place on."""
    rows = await connection.execute(
        _FIND,
        {
            "customer": sought.customer,
            "event_name": sought.event_name,
            "since": sought.since,
            "until": sought.until,
            "after_time": None if after is None else after[0],
            "after_seq": None if after is None else after[1],
            "limit": limit,
        },
    )
    return [KeptEvent(*row) for row in rows]
