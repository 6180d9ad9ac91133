"""Plans: under each key numbered versions, none of which ever changes. A version with overrides is one subscription's
own: it has a number of the same series, and is found by that number alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.session import write_json
from domain.errors import NotFound


@dataclass(frozen=True, slots=True)
class Own:
    """Whose own version it is, by id, and how it was made: of the version `based_on`, with these overrides."""

    subscription: str
    based_on: int
    overrides: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class PlanVersion:
    """`id` is the plan's; `created_at` the version's, `archived_at` the plan's. `own` is None of what is for sale."""

    id: str
    key: str
    version: int
    document: Mapping[str, object]
    created_at: datetime
    archived_at: datetime | None
    own: Own | None = None

    @property
    def base(self) -> int:
        """The version for sale that it is, or is based on."""
        return self.version if self.own is None else self.own.based_on


_COLUMNS = (
    "p.id, p.key, v.version, v.document, v.created_at, p.archived_at,"
    " o.subscription_id, o.based_on, o.overrides"
)
_JOIN = (
    "FROM plans p JOIN plan_versions v ON v.plan_id = p.id"
    " LEFT JOIN own_versions o ON o.plan_id = v.plan_id AND o.version = v.version"
)
_FOR_SALE = "o.plan_id IS NULL"
_ADD_PLAN = text(
    "INSERT INTO plans (id, environment_id, key) VALUES (:id, :environment, :key)"
    " ON CONFLICT (environment_id, key) DO UPDATE SET key = excluded.key RETURNING id"
)
_ADD_VERSION = text("""
    INSERT INTO plan_versions (plan_id, environment_id, version, document)
    SELECT :plan, :environment, coalesce(max(version), 0) + 1, CAST(:document AS jsonb)
    FROM plan_versions WHERE plan_id = :plan RETURNING version
""")
_ADD_OWN = text("""
    INSERT INTO own_versions (environment_id, plan_id, version, name, subscription_id, based_on, overrides)
    VALUES (:environment, :plan, :version, :name, :subscription, :based_on, CAST(:overrides AS jsonb))
""")
_NAMED = text("SELECT version FROM own_versions WHERE plan_id = :plan AND name = :name")
_NEXT = text("SELECT coalesce(max(version), 0) + 1 FROM plan_versions WHERE plan_id = :plan")
_LATEST = "ORDER BY p.key <> :name, v.version DESC LIMIT 1"
_FIND = text(
    f"SELECT {_COLUMNS} {_JOIN} WHERE (p.key = :name OR p.id = :name) AND {_FOR_SALE} {_LATEST}"
)
_FIND_VERSION = text(
    f"SELECT {_COLUMNS} {_JOIN} WHERE (p.key = :name OR p.id = :name) AND v.version = :version {_LATEST}"
)
_LIST = text(f"""
    SELECT DISTINCT ON (p.id) {_COLUMNS} {_JOIN}
    WHERE p.id > :after AND {_FOR_SALE} ORDER BY p.id, v.version DESC LIMIT :limit
""")
_VERSIONS = text(f"SELECT {_COLUMNS} {_JOIN} WHERE p.id = :id AND {_FOR_SALE} ORDER BY v.version")
_AFTER = text(f"""
    SELECT {_COLUMNS} {_JOIN} WHERE p.id = :id AND {_FOR_SALE} AND v.version > :base
    ORDER BY v.version
""")
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
    return await find_plan(
        connection, plan_id, await _add(connection, environment, plan_id, document)
    )


async def add_own_version(
    connection: AsyncConnection,
    environment: str,
    plan_id: str,
    document: Mapping[str, object],
    own: Own,
    name: str,
) -> int:
    """Add a version that is one subscription's own to a locked plan, once under its business name; its number."""
    named = await connection.execute(_NAMED, {"plan": plan_id, "name": name})
    if (known := named.scalar_one_or_none()) is not None:
        return int(known)
    version = await _add(connection, environment, plan_id, document)
    row = {
        "environment": environment,
        "plan": plan_id,
        "version": version,
        "name": name,
        "subscription": own.subscription,
        "based_on": own.based_on,
        "overrides": write_json(own.overrides),
    }
    await connection.execute(_ADD_OWN, row)
    return version


async def next_version(connection: AsyncConnection, plan_id: str) -> int:
    """The number that the next version would have."""
    number: int = (await connection.execute(_NEXT, {"plan": plan_id})).scalar_one()
    return number


async def _add(
    connection: AsyncConnection, environment: str, plan_id: str, document: Mapping[str, object]
) -> int:
    row = {"plan": plan_id, "environment": environment, "document": write_json(document)}
    number: int = (await connection.execute(_ADD_VERSION, row)).scalar_one()
    return number


async def find_plan(
    connection: AsyncConnection, name: str, version: int | None = None
) -> PlanVersion:
    """By key or id: that version, which may be somebody's own, or the newest for sale. Raises `NotFound`."""
    statement = _FIND if version is None else _FIND_VERSION
    row = (await connection.execute(statement, {"name": name, "version": version})).one_or_none()
    if row is None:
        which = "" if version is None else f" of version {version}"
        raise NotFound(f"there is no plan {name}{which}")
    return _read(row)


async def versions_of(connection: AsyncConnection, plan_id: str) -> Sequence[PlanVersion]:
    """All versions of a plan for sale, oldest first; none where there is no such plan."""
    return [_read(row) for row in await connection.execute(_VERSIONS, {"id": plan_id})]


async def versions_after(
    connection: AsyncConnection, version: PlanVersion
) -> Sequence[PlanVersion]:
    """The versions for sale that came after one, or after what a subscription's own was made of; oldest first."""
    asked = {"id": version.id, "base": version.base}
    return [_read(row) for row in await connection.execute(_AFTER, asked)]


async def find_plans(
    connection: AsyncConnection, limit: int, after: str = ""
) -> Sequence[PlanVersion]:
    """The newest version for sale of each plan with an id greater than `after`, oldest plan first."""
    rows = await connection.execute(_LIST, {"after": after, "limit": limit})
    return [_read(row) for row in rows]


async def archive_plan(connection: AsyncConnection, name: str) -> PlanVersion:
    """Sell it no more; again does nothing. Raises `NotFound`."""
    found = await find_plan(connection, name)
    await connection.execute(_ARCHIVE, {"id": found.id})
    return await find_plan(connection, found.id)


def _read(row: Row[Any]) -> PlanVersion:
    own = None
    if row.subscription_id is not None:
        own = Own(row.subscription_id, row.based_on, row.overrides)
    return PlanVersion(
        row.id, row.key, row.version, row.document, row.created_at, row.archived_at, own
    )
