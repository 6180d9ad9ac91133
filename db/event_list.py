"""Events out of the log, as they came, and what became of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.usage_voids import BY_ID
from domain.errors import NotFound
from domain.metering.voiding import Void

Place = tuple[datetime, int]
"""Where an event stands in the order of times, those of the same time in the order of arrival."""


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """`customer` and `subscription` are keys. `void` has taken it back; `voids` is what it takes back, where it is a void
    itself, for the `reason`.
    """

    id: str
    event_name: str
    customer: str
    subscription: str | None
    time: datetime
    properties: Mapping[str, object]
    received_at: datetime
    seq: int
    voids: str | None
    reason: str | None
    void: Void | None


@dataclass(frozen=True, slots=True)
class Sought:
    """Which events: of a customer (an id), of a name, timed in `[since, until)`; None for any. Voids, which are events
    too, only with `voids`.
    """

    customer: str | None = None
    event_name: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    voids: bool = False


_COLUMNS = """
    e.id, e.event_name, e.customer_key, s.key, e.time, e.properties, e.received_at, e.seq, e.voids,
    own.reason, v.void_id, v.reason AS void_reason, v.at AS void_at
"""
_BESIDE = """
    LEFT JOIN subscriptions s ON s.environment_id = e.environment_id AND s.id = e.subscription_id
    LEFT JOIN usage_voids v ON v.environment_id = e.environment_id AND v.event_id = e.id
    LEFT JOIN usage_voids own ON own.environment_id = e.environment_id AND own.event_id = e.voids
"""
_FIND = text(f"""
    SELECT {_COLUMNS} FROM usage_events e {_BESIDE}
    WHERE (:voids OR e.voids IS NULL)
        AND (CAST(:customer AS text) IS NULL OR e.customer_id = :customer)
        AND (CAST(:event_name AS text) IS NULL OR e.event_name = :event_name)
        AND (CAST(:since AS timestamptz) IS NULL OR e.time >= :since)
        AND (CAST(:until AS timestamptz) IS NULL OR e.time < :until)
        AND (CAST(:after_time AS timestamptz) IS NULL OR (e.time, e.seq) > (:after_time, :after_seq))
    ORDER BY e.time, e.seq LIMIT :limit
""")
_FIND_ONE = text(f"SELECT {_COLUMNS} FROM ({BY_ID}) e {_BESIDE}")


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
            "voids": sought.voids,
            "after_time": None if after is None else after[0],
            "after_seq": None if after is None else after[1],
            "limit": limit,
        },
    )
    return [_event(row) for row in rows]


async def find_event(connection: AsyncConnection, id: str) -> KeptEvent:
    """An event, or a void, by its id. Raises `NotFound`."""
    row = (await connection.execute(_FIND_ONE, {"id": id})).one_or_none()
    if row is None:
        raise NotFound(f"there is no event {id}")
    return _event(row)


def _event(row: Row[Any]) -> KeptEvent:
    members = list(row)
    void = None if row.void_id is None else Void(row.void_id, row.void_reason, row.void_at)
    return KeptEvent(*[*members[:-3], void])
