"""What others are told of: written in the transaction that made it true, sent after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.ids import new_id
from db.session import write_json

_ADD = text("""
    INSERT INTO outbox (id, environment_id, topic, subject, body, at)
    VALUES (:id, :environment, :topic, :subject, CAST(:body AS jsonb), :at)
""")
_ADD_FOR_ONE = text("""
    INSERT INTO outbox (id, environment_id, topic, subject, body, at, dispatched_at)
    VALUES (:id, :environment, :topic, :subject, '{}', now(), now()) ON CONFLICT (id) DO NOTHING
""")
# Two that look at once see other rows each.
_WAITING = text("""
    SELECT id, topic FROM outbox WHERE dispatched_at IS NULL
    ORDER BY seq LIMIT :limit FOR UPDATE SKIP LOCKED
""")
_DISPATCHED = text("UPDATE outbox SET dispatched_at = now() WHERE id = ANY(:ids)")


@dataclass(frozen=True, slots=True)
class Undispatched:
    """A fact that no endpoint has a delivery of yet."""

    id: str
    topic: str


async def announce(
    connection: AsyncConnection,
    environment: str,
    topic: str,
    subject: str,
    at: datetime,
    body: Mapping[str, object],
) -> None:
    """Have it told that `topic` (`invoice.issued`) happened to `subject` (its id) at an instant."""
    row = {"id": new_id("ntf"), "environment": environment, "topic": topic, "subject": subject}
    await connection.execute(_ADD, {**row, "at": at, "body": write_json(body)})


async def note_for_one(
    connection: AsyncConnection, environment: str, id: str, topic: str, subject: str
) -> None:
    """Write down what only one endpoint is to be told, whose delivery is the caller's to make. Again does nothing."""
    row = {"id": id, "environment": environment, "topic": topic, "subject": subject}
    await connection.execute(_ADD_FOR_ONE, row)


async def undispatched(connection: AsyncConnection, limit: int) -> Sequence[Undispatched]:
    """The oldest ones, which are the caller's alone until the transaction ends."""
    return [Undispatched(*row) for row in await connection.execute(_WAITING, {"limit": limit})]


async def dispatched(connection: AsyncConnection, ids: Sequence[str]) -> None:
    await connection.execute(_DISPATCHED, {"ids": list(ids)})
