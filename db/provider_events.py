"""What the payment provider told us: kept once, acknowledged, and then told to the collection it concerns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.session import write_json


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """A reason to read a payment again. `intent` is the provider's id of the payment, where the event names one."""

    id: str
    type: str
    object_id: str | None
    intent: str | None
    metadata: Mapping[str, str]


_KEEP = text("""
    INSERT INTO provider_events (environment_id, id, type, object_id, intent, metadata)
    VALUES (:environment, :id, :type, :object_id, :intent, CAST(:metadata AS jsonb))
    ON CONFLICT (environment_id, id) DO NOTHING RETURNING id
""")
_WAITING = text("""
    SELECT id, type, object_id, intent, metadata FROM provider_events
    WHERE handled_at IS NULL ORDER BY received_at LIMIT :limit
""")
_HANDLED = text(
    "UPDATE provider_events SET handled_at = now() WHERE id = :id AND handled_at IS NULL"
)


async def keep_event(connection: AsyncConnection, environment: str, event: KeptEvent) -> bool:
    """Keep an event; False where it is there already. Once this is committed the provider may be thanked."""
    row = {
        "environment": environment,
        "id": event.id,
        "type": event.type,
        "object_id": event.object_id,
        "intent": event.intent,
        "metadata": write_json(event.metadata),
    }
    return (await connection.execute(_KEEP, row)).one_or_none() is not None


async def waiting_events(connection: AsyncConnection, limit: int) -> Sequence[KeptEvent]:
    """Those that nobody has been told of, oldest first."""
    rows = await connection.execute(_WAITING, {"limit": limit})
    return [KeptEvent(*row) for row in rows]


async def event_handled(connection: AsyncConnection, event: str) -> None:
    await connection.execute(_HANDLED, {"id": event})
