"""What was asked for, written down before any workflow hears of it, with the answer once there is one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.session import write_json
from domain.errors import Conflict, NotFound

Kind = Literal["subscribe", "command", "top_up", "pay", "grant"]
Status = Literal["asked", "done", "refused"]


@dataclass(frozen=True, slots=True)
class Asked:
    """`body` is the plain form of what the workflow gets. `answer` is what came of it; of a refusal its `code` and
    `message`. `customer` and `subscription` are ids.
    """

    id: str
    kind: Kind
    customer: str
    subscription: str | None
    body: Mapping[str, object]
    actor: str = "api"
    reason: str | None = None
    status: Status = "asked"
    answer: Mapping[str, object] | None = None
    created_at: datetime | None = None


_COLUMNS = "id, kind, customer_id, subscription_id, body, actor, reason, status, answer, created_at"
_ADD = text("""
    INSERT INTO requests (environment_id, id, kind, customer_id, subscription_id, body, actor, reason)
    VALUES (:environment, :id, :kind, :customer, :subscription, CAST(:body AS jsonb), :actor, :reason)
    ON CONFLICT (environment_id, id) DO NOTHING
""")
# As if it had been sent long ago: the relay takes it at once.
_ADD_FOR_RELAY = text("""
    INSERT INTO requests (environment_id, id, kind, customer_id, subscription_id, body, actor, reason, status, answer,
        sent_at)
    VALUES (:environment, :id, :kind, :customer, :subscription, CAST(:body AS jsonb), :actor, :reason, :status,
        CAST(:answer AS jsonb), '-infinity')
    ON CONFLICT (environment_id, id) DO NOTHING
""")
_FIND = text(f"SELECT {_COLUMNS} FROM requests WHERE id = :id")
_ANSWER = text("""
    UPDATE requests SET status = :status, answer = CAST(:answer AS jsonb)
    WHERE id = :id AND status = 'asked'
""")
# Who was sent longest ago goes first: those that nobody answers hold up none that are new.
_UNANSWERED = text(f"""
    WITH picked AS MATERIALIZED (
        SELECT environment_id AS of_environment, id AS picked_id FROM requests WHERE status = 'asked'
            AND coalesce(sent_at, created_at) < now() - make_interval(secs => :seconds)
        ORDER BY coalesce(sent_at, created_at), created_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    UPDATE requests SET sent_at = now() FROM picked
    WHERE environment_id = of_environment AND id = picked_id RETURNING {_COLUMNS}
""")


async def write_request(connection: AsyncConnection, environment: str, asked: Asked) -> Asked:
    """Write a request down, once under its id, and return it as it stands. Raises `Conflict` where the id was used
    for something else.
    """
    await connection.execute(_ADD, _row(environment, asked))
    kept = await find_request(connection, asked.id)
    if (kept.kind, kept.customer, kept.subscription) != (
        asked.kind,
        asked.customer,
        asked.subscription,
    ):
        raise Conflict(f"the request {asked.id} was another one")
    return kept


async def write_requests(
    connection: AsyncConnection, environment: str, asked: Sequence[Asked]
) -> None:
    """Write requests down for the relay to send at once, each once under its id; one may have been refused already."""
    rows = [
        {
            **_row(environment, each),
            "status": each.status,
            "answer": None if each.answer is None else write_json(each.answer),
        }
        for each in asked
    ]
    if rows:
        await connection.execute(_ADD_FOR_RELAY, rows)


async def find_request(connection: AsyncConnection, request: str) -> Asked:
    row = (await connection.execute(_FIND, {"id": request})).one_or_none()
    if row is None:
        raise NotFound(f"there is no request {request}")
    return Asked(*row)


async def answer_request(
    connection: AsyncConnection,
    request: str,
    status: Literal["done", "refused"],
    answer: Mapping[str, object],
) -> None:
    """The first answer stands."""
    row = {"id": request, "status": status, "answer": write_json(answer)}
    await connection.execute(_ANSWER, row)


async def unanswered_requests(
    connection: AsyncConnection, seconds: int, limit: int
) -> Sequence[Asked]:
    """Requests that nobody has sent for so many seconds, oldest first; now they count as sent."""
    rows = (await connection.execute(_UNANSWERED, {"seconds": seconds, "limit": limit})).all()
    return sorted((Asked(*row) for row in rows), key=lambda asked: str(asked.created_at))


def _row(environment: str, asked: Asked) -> dict[str, object]:
    return {
        "environment": environment,
        "id": asked.id,
        "kind": asked.kind,
        "customer": asked.customer,
        "subscription": asked.subscription,
        "body": write_json(asked.body),
        "actor": asked.actor,
        "reason": asked.reason,
    }
