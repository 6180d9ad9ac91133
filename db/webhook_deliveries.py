"""Deliveries: one of each notification to each endpoint that wants it, and what came of the attempts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.ids import new_id
from db.outbox import dispatched, undispatched
from db.webhook_endpoints import enabled_endpoints
from domain.errors import NotFound
from domain.webhooks.attempts import Attempt, DeliveryStatus, Verdict
from domain.webhooks.notification import Notification
from domain.webhooks.topics import wants


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """`duration_ms`, `response_…` and `error` are those of the last attempt."""

    id: str
    notification: str
    topic: str
    status: DeliveryStatus
    attempts: int
    next_attempt_at: datetime | None
    last_attempt_at: datetime | None
    response_status: int | None
    response_body: str | None
    error: str | None
    duration_ms: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that is the caller's to attempt. `attempts` is how many there were."""

    id: str
    attempts: int
    notification: Notification


_ADD = text("""
    INSERT INTO webhook_deliveries (id, environment_id, endpoint_id, notification_id)
    SELECT d.id, :environment, d.endpoint, d.notification FROM
        unnest(CAST(:ids AS text[]), CAST(:endpoints AS text[]), CAST(:notifications AS text[]))
        AS d (id, endpoint, notification)
    ON CONFLICT DO NOTHING
""")
_WITH_DUE = text("""
    SELECT e.id FROM webhook_endpoints e
    WHERE e.disabled_at IS NULL AND e.deleted_at IS NULL AND EXISTS (
        SELECT FROM webhook_deliveries d WHERE d.environment_id = e.environment_id
        AND d.endpoint_id = e.id AND d.status = 'pending' AND d.next_attempt_at <= now())
    ORDER BY e.id
""")
_TO_TELL = text("SELECT environments_with_something_to_tell() AS id")
_CLAIM = text("""
    WITH due AS MATERIALIZED (
        SELECT id FROM webhook_deliveries
        WHERE endpoint_id = :endpoint AND status = 'pending' AND next_attempt_at <= now()
        ORDER BY next_attempt_at, id LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    UPDATE webhook_deliveries d SET next_attempt_at = now() + CAST(:lease AS interval)
    FROM due, outbox o WHERE d.id = due.id AND o.id = d.notification_id
    RETURNING d.id, d.attempts, o.id AS notification, o.topic, o.subject, o.at, o.body
""")
_NOTE = text("""
    UPDATE webhook_deliveries SET status = :status, next_attempt_at = :next_attempt_at,
        attempts = attempts + 1, last_attempt_at = :at, response_status = :response_status,
        response_body = :response_body, error = :error, duration_ms = :duration_ms
    WHERE id = :id AND status = 'pending'
""")
_SELECT = """
    SELECT d.id, d.notification_id AS notification, o.topic, d.status, d.attempts, d.next_attempt_at,
        d.last_attempt_at, d.response_status, d.response_body, d.error, d.duration_ms, d.created_at
    FROM webhook_deliveries d JOIN outbox o ON o.id = d.notification_id
    WHERE d.endpoint_id = :endpoint
"""
_FIND = text(f"{_SELECT} AND d.id = :id")
_LIST = text(f"""
    {_SELECT} AND (:before = '' OR d.id < :before) AND (:status = '' OR d.status = :status)
    ORDER BY d.id DESC LIMIT :limit
""")
_AGAIN = text("""
    UPDATE webhook_deliveries SET status = 'pending', next_attempt_at = now()
    WHERE id = :id AND endpoint_id = :endpoint
""")


async def fan_out(connection: AsyncConnection, environment: str, limit: int) -> int:
    """Make deliveries of the oldest notifications that have none yet; how many notifications those were."""
    waiting = await undispatched(connection, limit)
    if not waiting:
        return 0
    endpoints = await enabled_endpoints(connection)
    wanted = [(e.id, n.id) for n in waiting for e in endpoints if wants(e.topics, n.topic)]
    if wanted:
        of, notifications = zip(*wanted, strict=True)
        ids = [new_id("whd") for _ in wanted]
        made = {"ids": ids, "endpoints": list(of), "notifications": list(notifications)}
        await connection.execute(_ADD, {"environment": environment, **made})
    await dispatched(connection, [each.id for each in waiting])
    return len(waiting)


async def environments_to_tell(connection: AsyncConnection) -> frozenset[str]:
    """Those with facts to pass on, or with deliveries that are due. On a connection of the registry."""
    return frozenset(row.id for row in await connection.execute(_TO_TELL))


async def add_delivery(
    connection: AsyncConnection, environment: str, id: str, endpoint: str, notification: str
) -> None:
    """Again does nothing."""
    made = {"ids": [id], "endpoints": [endpoint], "notifications": [notification]}
    await connection.execute(_ADD, {"environment": environment, **made})


async def endpoints_with_due(connection: AsyncConnection) -> Sequence[str]:
    """The enabled endpoints for which something is due now."""
    return [row.id for row in await connection.execute(_WITH_DUE)]


async def claim(
    connection: AsyncConnection, endpoint: str, limit: int, lease: timedelta
) -> Sequence[Due]:
    """Deliveries that are due, for the caller to attempt within the lease; whoever crashes leaves them due after it."""
    asked = {"endpoint": endpoint, "limit": limit, "lease": lease}
    rows = (await connection.execute(_CLAIM, asked)).all()
    return [
        Due(r.id, r.attempts, Notification(r.notification, r.topic, r.subject, r.at, r.body))
        for r in sorted(rows, key=lambda row: str(row.id))
    ]


async def note_attempt(
    connection: AsyncConnection, id: str, attempt: Attempt, verdict: Verdict
) -> None:
    """What came of an attempt. One that has arrived by another attempt stays so."""
    noted = {
        "id": id,
        "status": verdict.status,
        "next_attempt_at": verdict.next_attempt_at,
        "at": attempt.at,
        "response_status": attempt.status,
        "response_body": attempt.answer if attempt.status is not None else None,
        "error": attempt.error,
        "duration_ms": attempt.milliseconds,
    }
    await connection.execute(_NOTE, noted)


async def find_delivery(connection: AsyncConnection, endpoint: str, id: str) -> DeliveryRow:
    """Raises `NotFound`."""
    row = (await connection.execute(_FIND, {"endpoint": endpoint, "id": id})).one_or_none()
    if row is None:
        raise NotFound(f"there is no delivery {id} to that endpoint")
    return _read(row)


async def find_deliveries(
    connection: AsyncConnection, endpoint: str, limit: int, before: str = "", status: str = ""
) -> Sequence[DeliveryRow]:
    """Newest first: those with an id less than `before`, of one status where it is given."""
    asked = {"endpoint": endpoint, "limit": limit, "before": before, "status": status}
    return [_read(row) for row in await connection.execute(_LIST, asked)]


async def attempt_again(connection: AsyncConnection, endpoint: str, id: str) -> None:
    """Have it attempted now, whatever came of it before."""
    await connection.execute(_AGAIN, {"endpoint": endpoint, "id": id})


def _read(row: Row[Any]) -> DeliveryRow:
    return DeliveryRow(**row._asdict())
