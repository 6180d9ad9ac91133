"""Meters, features, coupons, tax rates and units: each one JSON document under a key. Plans, which have versions: `db.plans`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NoReturn

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.session import write_json
from domain.errors import Conflict, NotFound

Table = Literal["meters", "features", "coupons", "tax_rates", "units"]
NAMES: Mapping[Table, str] = {
    "meters": "meter",
    "features": "feature",
    "coupons": "coupon",
    "tax_rates": "tax rate",
    "units": "unit",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One document of the catalogue. An archived one is kept for who has it already, and not given to others."""

    id: str
    key: str
    document: Mapping[str, object]
    created_at: datetime
    archived_at: datetime | None


_COLUMNS = "id, key, document, created_at, archived_at"


async def add(
    connection: AsyncConnection,
    environment: str,
    table: Table,
    entry_id: str,
    document: Mapping[str, object],
) -> Entry:
    """Add a document under its `key`; a repeat under the same id changes nothing. Raises `Conflict` for a taken key."""
    key = str(document["key"])
    statement = text(
        f"INSERT INTO {table} (id, environment_id, key, document)"
        " VALUES (:id, :environment, :key, CAST(:document AS jsonb)) ON CONFLICT DO NOTHING"
    )
    row = {"id": entry_id, "environment": environment, "key": key}
    await connection.execute(statement, {**row, "document": write_json(document)})
    kept = await find(connection, table, key)
    if kept.id != entry_id:
        raise Conflict(f"there is a {NAMES[table]} {key} already")
    return kept


async def find(connection: AsyncConnection, table: Table, name: str) -> Entry:
    """By key or id; a key goes before an id. Raises `NotFound`."""
    statement = text(
        f"SELECT {_COLUMNS} FROM {table} WHERE key = :name OR id = :name ORDER BY key <> :name LIMIT 1"
    )
    row = (await connection.execute(statement, {"name": name})).one_or_none()
    return Entry(*row) if row else _missing(table, name)


async def find_keys(
    connection: AsyncConnection, table: Table, keys: Collection[str]
) -> Mapping[str, Entry]:
    """Those of these keys that there are, by key."""
    statement = text(f"SELECT {_COLUMNS} FROM {table} WHERE key = ANY(:keys)")
    rows = await connection.execute(statement, {"keys": sorted(keys)})
    return {row.key: Entry(*row) for row in rows}


async def find_all(
    connection: AsyncConnection, table: Table, limit: int, after: str = ""
) -> Sequence[Entry]:
    """Those with an id greater than `after`, oldest first, archived ones included."""
    statement = text(f"SELECT {_COLUMNS} FROM {table} WHERE id > :after ORDER BY id LIMIT :limit")
    rows = await connection.execute(statement, {"after": after, "limit": limit})
    return [Entry(*row) for row in rows]


async def change(
    connection: AsyncConnection, table: Table, name: str, changes: Mapping[str, object]
) -> Entry:
    """Put members in place of those that are there; null takes one away. Raises `NotFound`."""
    statement = text(
        f"UPDATE {table} SET document = jsonb_strip_nulls(document || CAST(:changes AS jsonb))"
        f" WHERE id = :id RETURNING {_COLUMNS}"
    )
    found = await find(connection, table, name)
    row = await connection.execute(statement, {"id": found.id, "changes": write_json(changes)})
    return Entry(*row.one())


async def archive(connection: AsyncConnection, table: Table, name: str) -> Entry:
    """Give it to nobody new; again does nothing. Raises `NotFound`."""
    statement = text(
        f"UPDATE {table} SET archived_at = coalesce(archived_at, now()) WHERE id = :id RETURNING {_COLUMNS}"
    )
    found = await find(connection, table, name)
    return Entry(*(await connection.execute(statement, {"id": found.id})).one())


def _missing(table: Table, name: str) -> NoReturn:
    raise NotFound(f"there is no {NAMES[table]} {name}")
