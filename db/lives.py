"""Every life that the books know: which of them are to go on, and what each is started anew from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.repairing import Kind


@dataclass(frozen=True, slots=True)
class KnownLife:
    """`key` is what the books call it; `body` the plain form of what its workflow is started with."""

    key: str
    goes_on: bool
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Source:
    key: str
    goes_on: str
    body: str
    rows: str


_COLLECTED = """(
    l.status IN ('open', 'past_due') OR (l.status = 'uncollectible' AND l.next_attempt_at IS NOT NULL)
)"""
# Whoever wrote a request down sends it at once, and the relay soon after: what has waited for so long has been lost.
_FORGOTTEN = "(r.status = 'asked' AND r.created_at < now() - interval '1 minute')"
_SOURCES: Mapping[Kind, _Source] = {
    "subscription": _Source("s.id", "s.status <> 'cancelled'", "s.state", "subscriptions s"),
    "collection": _Source(
        "l.invoice_id",
        f"{_COLLECTED} AND NOT EXISTS (SELECT FROM top_ups t WHERE t.invoice_id = l.invoice_id)",
        "l.state",
        "collections l",
    ),
    "top-up": _Source(
        "r.id",
        f"r.kind = 'top_up' AND CASE WHEN t.request_id IS NULL THEN {_FORGOTTEN} ELSE {_COLLECTED} END",
        "jsonb_build_object('asked', r.body, 'collection', l.state)",
        """requests r
            LEFT JOIN top_ups t ON t.environment_id = r.environment_id AND t.request_id = r.id
            LEFT JOIN collections l ON l.invoice_id = t.invoice_id""",
    ),
    "credit grant": _Source(
        "g.id",
        """g.ended_at IS NULL AND g.expires_at IS NOT NULL
            AND coalesce(s.status, 'cancelled') = 'cancelled'""",
        """jsonb_build_object('environment', g.environment_id, 'grant', g.id, 'customer',
            g.customer_id, 'expires_at', g.expires_at, 'test_clock', c.test_clock_id)""",
        """credit_grants g JOIN customers c ON c.id = g.customer_id
            LEFT JOIN subscriptions s ON s.id = g.subscription_id""",
    ),
    "refund": _Source(
        "p.name",
        "p.kind = 'refund' AND p.status = 'pending'",
        """jsonb_build_object('environment', p.environment_id, 'refund', p.name, 'at', p.at,
            'test_clock', c.test_clock_id)""",
        "payments p JOIN customers c ON c.id = p.customer_id",
    ),
    "payment": _Source("r.id", f"r.kind = 'pay' AND {_FORGOTTEN}", "r.body", "requests r"),
    "test clock": _Source(
        "k.id",
        "k.status = 'advancing'",
        """jsonb_build_object('environment', k.environment_id, 'clock', k.id,
            'to', jsonb_build_object('at', k.advancing_to, 'phase', 0))""",
        "test_clocks k",
    ),
}
# Transaction ids are the server's: one that was restored from a dump begins anew, and finds the log ahead of itself.
_AHEAD = text("""
    SELECT EXISTS (
        SELECT FROM usage_events
        WHERE environment_id = :environment AND tx >= pg_snapshot_xmax(pg_current_snapshot())
    )
""")
_UNSENT = text("SELECT count(*) FROM requests WHERE status = 'asked'")


async def lives_that_go_on(
    connection: AsyncConnection, kind: Kind, limit: int, after: str = ""
) -> Sequence[KnownLife]:
    """Those of an environment that are to go on, with a key greater than `after`, in the order of their keys."""
    which = f"{_SOURCES[kind].goes_on} AND {_SOURCES[kind].key} > :after"
    rest = f"ORDER BY {_SOURCES[kind].key} LIMIT :limit"
    return await _lives(connection, kind, f"{which} {rest}", {"after": after, "limit": limit})


async def known_lives(
    connection: AsyncConnection, kind: Kind, keys: Sequence[str]
) -> Mapping[str, KnownLife]:
    """Those of these keys that an environment knows, going on or over, by their keys."""
    which = f"{_SOURCES[kind].key} = ANY(:keys)"
    return {each.key: each for each in await _lives(connection, kind, which, {"keys": list(keys)})}


async def unsent_requests(connection: AsyncConnection) -> int:
    """How many requests wait for an answer: the relay sends them."""
    return int((await connection.execute(_UNSENT)).scalar_one())


async def log_is_ahead(connection: AsyncConnection, environment: str) -> bool:
    """Whether there is usage of transactions that this server has yet to come to."""
    return bool((await connection.execute(_AHEAD, {"environment": environment})).scalar_one())


async def _lives(
    connection: AsyncConnection, kind: Kind, which: str, asked: Mapping[str, object]
) -> Sequence[KnownLife]:
    source = _SOURCES[kind]
    columns = f"{source.key}, coalesce({source.goes_on}, false), {source.body}"
    rows = await connection.execute(
        text(f"SELECT {columns} FROM {source.rows} WHERE {which}"), asked
    )
    return [KnownLife(*row) for row in rows]
