"""API keys: 256 random bits that are shown once; we keep their SHA-256."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.ids import new_id
from db.tenants import Environment, Mode
from domain.errors import NotFound


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key: never the key itself."""

    id: str
    environment_id: str
    tenant_id: str
    mode: Mode
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


_ADD = text(
    "INSERT INTO api_keys (id, environment_id, name, hash, scopes)"
    " VALUES (:id, :environment_id, :name, :hash, :scopes)"
)
_SELECT = (
    "SELECT k.id, k.environment_id, e.tenant_id, e.mode, k.name, k.scopes, k.created_at, k.revoked_at"
    " FROM api_keys k JOIN environments e ON e.id = k.environment_id"
)
_FIND = text(f"{_SELECT} WHERE k.hash = :hash AND k.revoked_at IS NULL")
_READ = text(f"{_SELECT} WHERE k.id = :id")
_LIST = text(f"{_SELECT} WHERE k.id > :after ORDER BY k.id LIMIT :limit")
_REVOKE = text(
    "UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = :id RETURNING id"
)


async def create_key(
    connection: AsyncConnection, environment: Environment, name: str, scopes: Sequence[str]
) -> tuple[str, str]:
    """Make a key within its environment's transaction: its id, and the key to show once."""
    key_id, key = new_id("key"), f"weir_{environment.mode}_{secrets.token_hex(32)}"
    row = {"id": key_id, "environment_id": environment.id, "name": name, "scopes": list(scopes)}
    await connection.execute(_ADD, {**row, "hash": _hash(key)})
    return key_id, key


async def find_key(connection: AsyncConnection, key: str) -> ApiKey | None:
    """Whose key that is, on a connection of the registry; None where it is unknown or revoked."""
    row = (await connection.execute(_FIND, {"hash": _hash(key)})).one_or_none()
    return _read(row) if row else None


async def read_key(connection: AsyncConnection, key_id: str) -> ApiKey:
    """One of the environment's keys, revoked or not. Raises `NotFound`."""
    row = (await connection.execute(_READ, {"id": key_id})).one_or_none()
    if row is None:
        raise NotFound(f"there is no API key {key_id}")
    return _read(row)


async def list_keys(connection: AsyncConnection, limit: int, after: str = "") -> Sequence[ApiKey]:
    """The environment's keys with an id greater than `after`, oldest first, revoked ones included."""
    rows = await connection.execute(_LIST, {"after": after, "limit": limit})
    return [_read(row) for row in rows]


async def revoke_key(connection: AsyncConnection, key_id: str) -> None:
    """From now on the key opens nothing; again does nothing. Raises `NotFound`."""
    if (await connection.execute(_REVOKE, {"id": key_id})).one_or_none() is None:
        raise NotFound(f"there is no API key {key_id}")


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _read(row: Row[Any]) -> ApiKey:
    facts = row._asdict()
    return ApiKey(**{**facts, "scopes": tuple(facts["scopes"])})
