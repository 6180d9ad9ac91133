"""Events taken back: a void is an event of its own in the log, and there is one for an event at most."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.ids import new_id
from domain.metering.voiding import Known, Void, void_of

# Of an event `e` of a transaction before `until`: whether it counts there. A void itself never does.
STANDS = """
    e.voids IS NULL AND NOT EXISTS (
        SELECT FROM usage_voids v
        WHERE v.environment_id = e.environment_id AND v.event_id = e.id
            AND v.tx < CAST(CAST(:until AS text) AS xid8)
    )
"""

# An event by its id: through the transaction that is noted with the id, or where none is through all customers' times.
BY_ID = """
    SELECT e.* FROM usage_event_keys k
    JOIN usage_events e ON e.environment_id = k.environment_id AND e.tx = k.tx AND e.time = k.time
        AND e.id = k.event_id
    WHERE k.event_id = :id
    UNION ALL
    SELECT e.* FROM usage_event_keys k
    JOIN customers c ON c.environment_id = k.environment_id
    JOIN usage_events e ON e.environment_id = k.environment_id AND e.customer_id = c.id
        AND e.time = k.time AND e.id = k.event_id
    WHERE k.event_id = :id AND k.tx IS NULL
"""

_KNOWN = text(f"""
    SELECT e.id, e.voids, e.time, e.tx::text AS tx, v.void_id, v.reason, v.at, k.now
    FROM ({BY_ID}) e
    LEFT JOIN usage_voids v ON v.environment_id = e.environment_id AND v.event_id = e.id
    JOIN customers c ON c.environment_id = e.environment_id AND c.id = e.customer_id
    LEFT JOIN test_clocks k ON k.environment_id = c.environment_id AND k.id = c.test_clock_id
""")
# Who comes second waits here for the first, and adds nothing. The void's own id is taken by a content nobody can send.
_VOID = text("""
    WITH new AS (
        INSERT INTO usage_voids (environment_id, event_id, void_id, reason, at)
        VALUES (:environment, :event, :void, :reason, :at)
        ON CONFLICT (environment_id, event_id) DO NOTHING RETURNING environment_id, event_id, void_id
    ), named AS (
        INSERT INTO usage_event_keys (environment_id, event_id, fingerprint, time)
        SELECT environment_id, void_id, '', :time FROM new
    )
    INSERT INTO usage_events (environment_id, id, event_name, customer_id, customer_key,
        subscription_id, time, properties, voids)
    SELECT e.environment_id, new.void_id, e.event_name, e.customer_id, e.customer_key,
        e.subscription_id, e.time, e.properties, e.id
    FROM new JOIN usage_events e ON e.environment_id = new.environment_id AND e.id = new.event_id
        AND e.time = :time AND e.tx = CAST(CAST(:tx AS text) AS xid8)
""")


async def void_event(
    connection: AsyncConnection, environment: str, event: str, reason: str
) -> None:
    """Take an event back; one that was taken back before stays as it is. Raises `NotFound` and `Conflict`."""
    found = (await connection.execute(_KNOWN, {"id": event})).one_or_none()
    now = datetime.now(UTC) if found is None or found.now is None else found.now
    wanted = Void(new_id("evt"), reason, now)
    stands = void_of(event, None if found is None else _known(found), wanted)
    if found is None or stands is not wanted:
        return
    await connection.execute(
        _VOID,
        {
            "environment": environment,
            "event": event,
            "void": wanted.id,
            "reason": wanted.reason,
            "at": wanted.at,
            "time": found.time,
            "tx": found.tx,
        },
    )


def _known(row: Row[Any]) -> Known:
    void = None if row.void_id is None else Void(row.void_id, row.reason, row.at)
    return Known(row.id, row.voids, void)
