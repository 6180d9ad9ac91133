"""Test clocks: where they stand, and who is the next to act on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.session import Database
from db.usage_arrivals import arrivals, have_seen
from db.usage_horizon import wait_for_horizon
from domain.errors import NotFound


@dataclass(frozen=True, slots=True)
class ClockRow:
    """It stands at `now`, where what is due up to `phase` may happen; `advancing_to` while it is on its way."""

    id: str
    now: datetime
    phase: int
    status: str
    advancing_to: datetime | None
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DueLife:
    """A life on a clock, by its workflow's id, and the moment at which it acts next; or a request that it is to hear of a
    payment, by that request's id.
    """

    workflow: str
    at: datetime
    phase: int


_COLUMNS = "id, now, phase, status, advancing_to, name, created_at"
_ADD = text("""
    INSERT INTO test_clocks (id, environment_id, name, now) VALUES (:id, :environment, :name, :now)
    ON CONFLICT DO NOTHING
""")
_FIND = text(f"SELECT {_COLUMNS} FROM test_clocks WHERE id = :clock")
_HOLD = text(f"SELECT {_COLUMNS} FROM test_clocks WHERE id = :clock FOR SHARE")
_LIST = text(f"SELECT {_COLUMNS} FROM test_clocks WHERE id > :after ORDER BY id LIMIT :limit")
_SET_OUT = text("""
    UPDATE test_clocks SET status = 'advancing', advancing_to = :to
    WHERE id = :clock AND now <= :to AND coalesce(advancing_to, :to) = :to RETURNING id
""")
_MOVE = text("""
    UPDATE test_clocks SET now = :at, phase = :phase
    WHERE id = :clock AND (now, phase) < (:at, :phase)
""")
_ARRIVE = text("""
    UPDATE test_clocks SET status = 'ready', advancing_to = NULL WHERE id = :clock
""")
# At one moment, what is to be heard of payments goes first, then what there is to pay, before what brings new invoices; then in the order in which lives began. A
# subscription that is over watches over no grant any more.
_NEXT = text("""
    SELECT workflow, at, phase FROM (
        SELECT r.id AS workflow, CAST(r.body ->> 'at' AS timestamptz) AS at, 0 AS phase, 0 AS turn,
            CAST(extract(epoch FROM r.created_at) * 1000000 AS bigint) AS seq
        FROM requests r
        JOIN customers c ON c.environment_id = r.environment_id AND c.id = r.customer_id
        WHERE c.test_clock_id = :clock AND r.status = 'asked' AND r.kind = 'command'
            AND r.body -> 'command' ->> 'action' = 'note_payment'
        UNION ALL
        SELECT 'collect:' || invoice_id, next_attempt_at, next_phase, 1, seq
        FROM collections WHERE test_clock_id = :clock AND next_attempt_at IS NOT NULL
        UNION ALL
        SELECT p.name, p.at, 0, 2, p.seq
        FROM payments p
        JOIN customers c ON c.environment_id = p.environment_id AND c.id = p.customer_id
        WHERE c.test_clock_id = :clock AND p.kind = 'refund' AND p.status = 'pending'
        UNION ALL
        SELECT id, next_due_at, next_phase, 3, seq
        FROM subscriptions WHERE test_clock_id = :clock AND next_due_at IS NOT NULL
        UNION ALL
        SELECT 'grant:' || g.id, g.expires_at, :expiries, 4, g.seq
        FROM credit_grants g
        JOIN customers c ON c.environment_id = g.environment_id AND c.id = g.customer_id
        LEFT JOIN subscriptions s ON s.id = g.subscription_id
        WHERE c.test_clock_id = :clock AND g.ended_at IS NULL AND g.expires_at IS NOT NULL
            AND coalesce(s.status, 'cancelled') = 'cancelled'
    ) AS lives
    WHERE (at, phase) <= (:at, :phase)
    ORDER BY at, phase, turn, seq LIMIT 1
""")


async def find_clock(connection: AsyncConnection, clock: str, *, hold: bool = False) -> ClockRow:
    """Where a clock stands; `hold` it there until the transaction ends. Raises `NotFound`."""
    statement = _HOLD if hold else _FIND
    row = (await connection.execute(statement, {"clock": clock})).one_or_none()
    if row is None:
        raise NotFound(f"there is no test clock {clock}")
    return ClockRow(*row)


async def add_clock(
    connection: AsyncConnection, environment: str, clock: str, name: str, now: datetime
) -> ClockRow:
    """Make a test clock; a repeat under the same id changes nothing."""
    row = {"id": clock, "environment": environment, "name": name, "now": now}
    await connection.execute(_ADD, row)
    return await find_clock(connection, clock)


async def find_clocks(
    connection: AsyncConnection, limit: int, after: str = ""
) -> Sequence[ClockRow]:
    """Those with an id greater than `after`, oldest first."""
    rows = await connection.execute(_LIST, {"after": after, "limit": limit})
    return [ClockRow(*row) for row in rows]


async def clock_sets_out(connection: AsyncConnection, clock: str, to: datetime) -> bool:
    """Let it be on its way to an instant; False where that is past, or it is on its way to another one."""
    asked = {"clock": clock, "to": to}
    return (await connection.execute(_SET_OUT, asked)).one_or_none() is not None


async def move_clock(connection: AsyncConnection, clock: str, at: datetime, phase: int) -> None:
    """Let it stand there, unless it is further on already."""
    await connection.execute(_MOVE, {"clock": clock, "at": at, "phase": phase})


async def clock_has_arrived(connection: AsyncConnection, clock: str) -> None:
    await connection.execute(_ARRIVE, {"clock": clock})


async def next_life(
    connection: AsyncConnection, clock: str, at: datetime, phase: int, expiries: int
) -> DueLife | None:
    """Who on a clock acts next, of those who are due by a moment. `expiries` is the phase in which grants end."""
    asked = {"clock": clock, "at": at, "phase": phase, "expiries": expiries}
    row = (await connection.execute(_NEXT, asked)).one_or_none()
    return DueLife(*row) if row else None


async def arrive_idly(
    database: Database, environment: str, clock: str, at: datetime, phase: int, expiries: int
) -> bool:
    """Take a clock that is on its way to a moment there at once, where nobody on it has anything to do by then; False,
    and nothing done, where somebody has.
    """
    await wait_for_horizon(database)
    async with database.transaction(environment) as connection:
        arrived, until = await arrivals(connection, environment, clock)
        if arrived or await next_life(connection, clock, at, phase, expiries):
            return False
        await have_seen(connection, environment, clock, until)
        await move_clock(connection, clock, at, phase)
        await clock_has_arrived(connection, clock)
        return True
