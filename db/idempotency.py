"""Requests that named themselves: what was answered to each name, so that asking again does nothing again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# A request that has not answered by then died with its process: whoever asks again may run it.
ABANDONED_AFTER = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """Who came first under a name. `mine`: this caller is to run it; otherwise `answer` is the first's, or None while
    that one still runs. `claimed_at` is when the name was first used, and stays.
    """

    fingerprint: bytes
    claimed_at: datetime
    mine: bool
    answer: KeptAnswer | None = None


_CLAIM = text(
    "INSERT INTO idempotency_keys (environment_id, key, fingerprint) VALUES (:environment, :key, :fingerprint)"
    " ON CONFLICT (environment_id, key) DO NOTHING RETURNING created_at"
)
# An answer of 500 and above is none: the same request may be run again, by one at a time.
_TAKE_OVER = text(
    "UPDATE idempotency_keys SET status = NULL, content_type = NULL, body = NULL"
    " WHERE environment_id = :environment AND key = :key AND fingerprint = :fingerprint"
    " AND (status >= 500 OR (status IS NULL AND created_at < now() - CAST(:abandoned AS interval)))"
    " RETURNING created_at"
)
_READ = text(
    "SELECT fingerprint, created_at, status, content_type, body FROM idempotency_keys"
    " WHERE environment_id = :environment AND key = :key"
)
_KEEP = text(
    "UPDATE idempotency_keys SET status = :status, content_type = :content_type, body = :body"
    " WHERE environment_id = :environment AND key = :key"
)
_FORGET = text(
    "DELETE FROM idempotency_keys WHERE environment_id = :environment AND created_at < :before"
)


async def claim(
    connection: AsyncConnection, environment: str, key: str, fingerprint: bytes
) -> Claim:
    """Be the one who runs the request of that name, or learn what became of it."""
    named = {"environment": environment, "key": key}
    wanted = {**named, "fingerprint": fingerprint, "abandoned": ABANDONED_AFTER}
    for statement in (_CLAIM, _TAKE_OVER):
        claimed_at = (await connection.execute(statement, wanted)).scalar_one_or_none()
        if claimed_at is not None:
            return Claim(fingerprint, claimed_at, mine=True)
    row = (await connection.execute(_READ, named)).one()
    kept = None if row.status is None else KeptAnswer(row.status, row.content_type, row.body)
    return Claim(row.fingerprint, row.created_at, mine=False, answer=kept)


async def keep(connection: AsyncConnection, environment: str, key: str, answer: KeptAnswer) -> None:
    """Record what was answered; with a status of 500 or above, that the request may be run again."""
    facts = {"status": answer.status, "content_type": answer.content_type, "body": answer.body}
    await connection.execute(_KEEP, {"environment": environment, "key": key, **facts})


async def forget(connection: AsyncConnection, environment: str, before: datetime) -> int:
    """Drop the names first used before then; how many they were."""
    return (
        await connection.execute(_FORGET, {"environment": environment, "before": before})
    ).rowcount
