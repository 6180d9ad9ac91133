"""Moving subscriptions from version to version of a plan: who is to be moved, and what was asked of whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.requests import Asked, Status, write_requests
from db.subscriptions import SubscriptionRow
from domain.codec import from_plain
from domain.errors import NotFound
from domain.subscription import Subscription

Effective = Literal["immediately", "period_end"]


@dataclass(frozen=True, slots=True)
class PlanMigration:
    """From one version of a plan, or from all older ones. `is_whole`: whether it has taken all whom it concerned."""

    id: str
    plan: str
    from_version: int | None
    to_version: int
    effective: Effective
    actor: str
    reason: str | None
    is_whole: bool = True
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """What was asked of one subscription, and what came of it."""

    subscription: str
    subscription_key: str
    request: str
    status: Status
    answer: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One whom a migration concerns; `is_to_override`: it goes to an own version at the period's end already."""

    row: SubscriptionRow
    is_to_override: bool


# Who is on these versions, or has them as the base of an own one; but nobody who is being moved already, or is to be at
# the period's end.
_CANDIDATES = text("""
    SELECT s.state, s.created_at, coalesce(o.based_on, s.plan_version) AS based_on, o.overrides,
        n.version IS NOT NULL AS is_to_override
    FROM (
        SELECT *, CAST(state #>> '{next_plan,version}' AS integer) AS next_version
        FROM subscriptions WHERE plan_key = :key AND status <> 'cancelled'
    ) AS s
    LEFT JOIN own_versions o ON o.plan_id = :plan AND o.version = s.plan_version
    LEFT JOIN own_versions n ON n.plan_id = :plan AND n.version = s.next_version
        AND s.state #>> '{next_plan,key}' = :key
    WHERE s.id > :after
        AND coalesce(o.based_on, s.plan_version) <> :to
        AND CASE WHEN CAST(:from AS integer) IS NULL
            THEN coalesce(o.based_on, s.plan_version) < :to
            ELSE coalesce(o.based_on, s.plan_version) = :from
        END
        AND (CAST(:ids AS text[]) IS NULL OR s.id = ANY(:ids))
        AND NOT (
            :effective = 'period_end' AND s.state #>> '{next_plan,key}' IS NOT DISTINCT FROM :key
            AND coalesce(n.based_on, s.next_version) = :to
        )
        AND NOT EXISTS (
            SELECT FROM plan_moves m
            JOIN requests r ON r.environment_id = m.environment_id AND r.id = m.request_id
            WHERE m.environment_id = s.environment_id AND m.subscription_id = s.id
                AND r.status = 'asked'
        )
    ORDER BY s.id LIMIT :limit
""")
_ADD = text("""
    INSERT INTO plan_migrations (environment_id, id, plan_id, from_version, to_version, effective, actor, reason,
        is_whole)
    VALUES (:environment, :id, :plan, :from, :to, :effective, :actor, :reason, :is_whole)
""")
_ADD_MOVE = text("""
    INSERT INTO plan_moves (environment_id, migration_id, subscription_id, request_id)
    VALUES (:environment, :migration, :subscription, :request)
""")
_COLUMNS = "id, plan_id, from_version, to_version, effective, actor, reason, is_whole, created_at"
_FIND = text(f"SELECT {_COLUMNS} FROM plan_migrations WHERE id = :id AND plan_id = :plan")
_LIST = text(f"""
    SELECT {_COLUMNS} FROM plan_migrations WHERE plan_id = :plan AND id > :after ORDER BY id LIMIT :limit
""")
_OF = "JOIN requests r ON r.environment_id = m.environment_id AND r.id = m.request_id"
_MOVES = text(f"""
    SELECT s.id, s.key, r.id, r.status, r.answer FROM plan_moves m {_OF}
    JOIN subscriptions s ON s.environment_id = m.environment_id AND s.id = m.subscription_id
    WHERE m.migration_id = :migration AND s.id > :after
        AND (CAST(:status AS text) IS NULL OR r.status = :status)
    ORDER BY s.id LIMIT :limit
""")
_COUNTS = text(f"""
    SELECT m.migration_id, r.status, count(*) FROM plan_moves m {_OF}
    WHERE m.migration_id = ANY(:migrations) GROUP BY m.migration_id, r.status
""")
_ON_CLOCK = text(f"""
    SELECT EXISTS (
        SELECT FROM plan_moves m {_OF}
        JOIN subscriptions s ON s.environment_id = m.environment_id AND s.id = m.subscription_id
        WHERE s.test_clock_id = :clock AND r.status = 'asked'
    )
""")


async def to_be_moved(
    connection: AsyncConnection,
    migration: PlanMigration,
    plan_key: str,
    limit: int,
    ids: Sequence[str] | None = None,
    after: str = "",
) -> Sequence[Candidate]:
    """Whom a migration concerns, of `ids` where they are given, with an id greater than `after`; by id."""
    asked = {
        "plan": migration.plan,
        "key": plan_key,
        "from": migration.from_version,
        "to": migration.to_version,
        "effective": migration.effective,
        "ids": None if ids is None else list(ids),
        "after": after,
        "limit": limit,
    }
    return [
        Candidate(
            SubscriptionRow(from_plain(Subscription, row.state), *row[1:4]), row.is_to_override
        )
        for row in await connection.execute(_CANDIDATES, asked)
    ]


async def add_migration(
    connection: AsyncConnection, environment: str, migration: PlanMigration, asked: Sequence[Asked]
) -> None:
    """Write a migration down with what it asks of each subscription: one request each."""
    row = {
        "environment": environment,
        "id": migration.id,
        "plan": migration.plan,
        "from": migration.from_version,
        "to": migration.to_version,
        "effective": migration.effective,
        "actor": migration.actor,
        "reason": migration.reason,
        "is_whole": migration.is_whole,
    }
    await connection.execute(_ADD, row)
    await write_requests(connection, environment, asked)
    named = {"environment": environment, "migration": migration.id}
    moves = [{**named, "subscription": each.subscription, "request": each.id} for each in asked]
    if moves:
        await connection.execute(_ADD_MOVE, moves)


async def known_migration(
    connection: AsyncConnection, plan_id: str, migration: str
) -> PlanMigration | None:
    row = await connection.execute(_FIND, {"plan": plan_id, "id": migration})
    found = row.one_or_none()
    return None if found is None else PlanMigration(*found)


async def find_migration(
    connection: AsyncConnection, plan_id: str, migration: str
) -> PlanMigration:
    found = await known_migration(connection, plan_id, migration)
    if found is None:
        raise NotFound(f"there is no migration {migration} of this plan")
    return found


async def find_migrations(
    connection: AsyncConnection, plan_id: str, limit: int, after: str = ""
) -> Sequence[PlanMigration]:
    """Those of a plan with an id greater than `after`, oldest first."""
    asked = {"plan": plan_id, "after": after, "limit": limit}
    return [PlanMigration(*row) for row in await connection.execute(_LIST, asked)]


async def moves_of(
    connection: AsyncConnection,
    migration: str,
    limit: int,
    after: str = "",
    status: Status | None = None,
) -> Sequence[Move]:
    """By the subscriptions' ids, from the first one greater than `after`."""
    asked = {"migration": migration, "after": after, "status": status, "limit": limit}
    return [Move(*row) for row in await connection.execute(_MOVES, asked)]


async def counts_of(
    connection: AsyncConnection, migrations: Sequence[str]
) -> Mapping[str, Mapping[str, int]]:
    """How many of each migration's requests stand how."""
    rows = await connection.execute(_COUNTS, {"migrations": list(migrations)})
    counts: dict[str, dict[str, int]] = {}
    for migration, status, number in rows:
        counts.setdefault(migration, {})[status] = number
    return counts


async def are_moving_on(connection: AsyncConnection, clock: str) -> bool:
    """Whether somebody on a test clock is still to be moved."""
    return bool((await connection.execute(_ON_CLOCK, {"clock": clock})).scalar_one())
