"""The horizon of the usage log: every transaction before it has ended, so what they wrote is complete.

A sequence is handed out at insert, not at commit, so a reader that remembers the last number skips what commits later
with a smaller one. Ranges of transactions below the horizon part the log without a gap: each event is in exactly one.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.session import Database
from domain.errors import Unavailable

PATIENCE = timedelta(seconds=10)
FIRST_LOOK_SECONDS = 0.002
LONGEST_LOOK_SECONDS = 0.1

_HORIZON = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
_SEEN = text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
_SNAPSHOT = text("SELECT pg_current_snapshot()::text")
_OWN_TRANSACTION = text("SELECT pg_current_xact_id()::text")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a transaction sees, as PostgreSQL writes it: all transactions before `horizon`, and before `end` all but those
    that are `running`.
    """

    written: str
    horizon: int
    end: int
    running: frozenset[int]

    def is_behind(self, other: "Snapshot") -> bool:
        """Whether another, of the same database, is younger: it sees more."""
        return (self.end, -len(self.running)) < (other.end, -len(other.running))


def read_snapshot(written: str) -> Snapshot:
    horizon, end, running = written.split(":")
    return Snapshot(
        written, int(horizon), int(end), frozenset(map(int, filter(None, running.split(","))))
    )


def all_before(horizon: int) -> Snapshot:
    """The snapshot that sees all transactions before a horizon, and no other."""
    first = max(horizon, 1)  # there is no transaction 0, and no snapshot of it
    return read_snapshot(f"{first}:{first}:")


async def snapshot_of(connection: AsyncConnection) -> Snapshot:
    """In a transaction that is REPEATABLE READ, its own; else that of the statement, which is over."""
    return read_snapshot((await connection.execute(_SNAPSHOT)).scalar_one())


async def cut_off(connection: AsyncConnection) -> int:
    """The horizon of the present snapshot: events of transactions before it are in, all others are late."""
    return int((await connection.execute(_HORIZON)).scalar_one())


async def all_seen(connection: AsyncConnection) -> int:
    """In a transaction that is REPEATABLE READ, the bound of all that has been committed: for whoever asks how it looks
    now. No cut-off, since transactions before it may still commit.
    """
    return int((await connection.execute(_SEEN)).scalar_one())


async def wait_for_horizon(database: Database, patience: timedelta = PATIENCE) -> int:
    """Wait until a cut-off that is fixed from now on has all in it that was acknowledged before this call; the horizon
    then. Raises `Unavailable`, to be tried again, where a transaction stays open that long.
    """
    async with database.registry() as connection:
        mark = int((await connection.execute(_OWN_TRANSACTION)).scalar_one())
    deadline, pause = time.monotonic() + patience.total_seconds(), FIRST_LOOK_SECONDS
    while (horizon := await _look(database)) <= mark:
        if time.monotonic() > deadline:
            raise Unavailable("a transaction that began before is still open in the database")
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_LOOK_SECONDS)
    return horizon


async def _look(database: Database) -> int:
    async with database.registry() as connection:
        return await cut_off(connection)
