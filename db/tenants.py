"""Tenants and their environments: one `live`, one `test`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.ids import new_id

Mode = Literal["live", "test"]


@dataclass(frozen=True, slots=True)
class Tenant:
    id: str
    key: str
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Environment:
    id: str
    tenant_id: str
    mode: Mode


_ADD_TENANT = text(
    "INSERT INTO tenants (id, key, name) VALUES (:id, :key, :name) ON CONFLICT (key) DO NOTHING"
)
_FIND_TENANT = text("SELECT id, key, name, created_at FROM tenants WHERE key = :key OR id = :key")
_TENANTS = text(
    "SELECT id, key, name, created_at FROM tenants WHERE id > :after ORDER BY id LIMIT :limit"
)
_ADD_ENVIRONMENT = text(
    "INSERT INTO environments (id, tenant_id, mode) VALUES (:id, :tenant_id, :mode)"
    " ON CONFLICT (tenant_id, mode) DO NOTHING"
)
_FIND_ENVIRONMENT = text(
    "SELECT id, tenant_id, mode FROM environments WHERE tenant_id = :tenant_id AND mode = :mode"
)
_ENVIRONMENTS = text("SELECT id, tenant_id, mode FROM environments ORDER BY id")


async def open_tenant(connection: AsyncConnection, key: str, name: str) -> Tenant:
    """The tenant of that key, made where there is none. On a connection of the registry."""
    await connection.execute(_ADD_TENANT, {"id": new_id("ten"), "key": key, "name": name})
    return Tenant(*(await connection.execute(_FIND_TENANT, {"key": key})).one())


async def find_tenant(connection: AsyncConnection, key: str) -> Tenant | None:
    """By id or key; within an environment only its own tenant is there."""
    row = (await connection.execute(_FIND_TENANT, {"key": key})).one_or_none()
    return Tenant(*row) if row else None


async def list_tenants(
    connection: AsyncConnection, limit: int, after: str = ""
) -> Sequence[Tenant]:
    """Those with an id greater than `after`, oldest first. On a connection of the registry."""
    rows = await connection.execute(_TENANTS, {"after": after, "limit": limit})
    return [Tenant(*row) for row in rows]


async def open_environment(connection: AsyncConnection, tenant_id: str, mode: Mode) -> Environment:
    """The tenant's environment of that mode, made where there is none. On a connection of the registry."""
    found = {"tenant_id": tenant_id, "mode": mode}
    await connection.execute(_ADD_ENVIRONMENT, {"id": new_id("env"), **found})
    return Environment(*(await connection.execute(_FIND_ENVIRONMENT, found)).one())


async def list_environments(connection: AsyncConnection) -> Sequence[Environment]:
    """Every environment, oldest first. On a connection of the registry."""
    return [Environment(*row) for row in await connection.execute(_ENVIRONMENTS)]
