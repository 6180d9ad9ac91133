"""Plans: under each key numbered versions, none of which ever changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.session import write_json
from domain.errors import NotFound


@dataclass(frozen=True, slots=True)
class PlanVersion:
    """`id` is the plan's; `created_at` the version's, `archived_at` the plan's."""

    id: str
    key: str
    version: int
    document: Mapping[str, object]
    created_at: datetime
    archived_at: datetime | None


_COLUMNS = "p.id, p.key, v.version, v.document, v.created_at, p.archived_at"
_JOIN = "FROM plans p JOIN plan_versions v ON v.plan_id = p.id"
_ADD_PLAN = text(
    "INSERT INTO plans (id, environment_id, key) VALUES (:id, :environment, :key)"
    " ON CONFLICT (environment_id, key) DO UPDATE SET key = excluded.key RETURNING id"
)
_ADD_VERSION = text("""
    INSERT INTO plan_versions (plan_id, environment_id, version, document)
    SELECT :plan, :environment, coalesce(max(version), 0) + 1, CAST(:document AS jsonb)
    FROM plan_versions WHERE plan_id = :plan
""")
_LATEST = "ORDER BY p.key <> :name, v.version DESC LIMIT 1"
_FIND = text(f"SELECT {_COLUMNS} {_JOIN} WHERE p.key = :name OR p.id = :name {_LATEST}")
_FIND_VERSION = text(
    f"SELECT {_COLUMNS} {_JOIN} WHERE (p.key = :name OR p.id = :name) AND v.version = :version {_LATEST}"
)
_LIST = text(f"""
    SELECT DISTINCT ON (p.id) {_COLUMNS} {_JOIN}
    WHERE p.id > :after ORDER BY p.id, v.version DESC LIMIT :limit
""")
_VERSIONS = text(f"SELECT {_COLUMNS} {_JOIN} WHERE p.id = :id ORDER BY v.version")
_ARCHIVE = text("UPDATE plans SET archived_at = coalesce(archived_at, now()) WHERE id = :id")


async def lock_plan(connection: AsyncConnection, environment: str, plan_id: str, key: str) -> str:
    """The id of the plan of that key, made under `plan_id` where there is none; until the transaction ends, nobody
    else adds a version to it.
    """
    row = {"id": plan_id, "environment": environment, "key": key}
    locked: str = (await connection.execute(_ADD_PLAN, row)).scalar_one()
    return locked


async def add_version(
    connection: AsyncConnection, environment: str, plan_id: str, document: Mapping[str, object]
) -> PlanVersion:
    """Add the next version of a locked plan."""
    row = {"plan": plan_id, "environment": environment, "document": write_json(document)}
    await connection.execute(_ADD_VERSION, row)
    return await find_plan(connection, plan_id)


async def find_plan(
    connection: AsyncConnection, name: str, version: int | None = None
) -> PlanVersion:
    """By key or id: that version, or the newest. Raises `NotFound`."""
    statement = _FIND if version is None else _FIND_VERSION
    row = (await connection.execute(statement, {"name": name, "version": version})).one_or_none()
    if row is None:
        which = "" if version is None else f" of version {version}"
        raise NotFound(f"there is no plan {name}{which}")
    return PlanVersion(*row)


async def versions_of(connection: AsyncConnection, plan_id: str) -> Sequence[PlanVersion]:
    """All versions of a plan, oldest first; none where there is no such plan."""
    return [PlanVersion(*row) for row in await connection.execute(_VERSIONS, {"id": plan_id})]


async def find_plans(
    connection: AsyncConnection, limit: int, after: str = ""
) -> Sequence[PlanVersion]:
    """The newest version of each plan with an id greater than `after`, oldest plan first."""
    rows = await connection.execute(_LIST, {"after": after, "limit": limit})
    return [PlanVersion(*row) for row in rows]


async def archive_plan(connection: AsyncConnection, name: str) -> PlanVersion:
    """Sell it no more; again does nothing. Raises `NotFound`."""
    found = await find_plan(connection, name)
    await connection.execute(_ARCHIVE, {"id": found.id})
    return await find_plan(connection, found.id)
