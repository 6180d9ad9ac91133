"""What others are told of: written in the transaction that made it true, sent after it."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.ids import new_id
from db.session import write_json

_ADD = text("""
    INSERT INTO outbox (id, environment_id, topic, subject, body, at)
    VALUES (:id, :environment, :topic, :subject, CAST(:body AS jsonb), :at)
""")


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
