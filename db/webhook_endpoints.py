"""Endpoints that are told of facts, and the secrets that sign what is sent to them."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.errors import Conflict, NotFound
from domain.webhooks.attempts import ROTATION
from domain.webhooks.signing import MOST_AT_ONCE, secret_of

MOST_ENDPOINTS = 50  # of an environment
RANDOM_BYTES = 32


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """`disabled_because`: someone `asked`, it was `gone` (410), or it was `failing` for too long."""

    id: str
    url: str
    topics: tuple[str, ...]
    description: str | None
    created_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_because: Literal["asked", "gone", "failing"] | None


_COLUMNS = "id, url, topics, description, created_at, failing_since, disabled_at, disabled_because"
_SELECT = f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE deleted_at IS NULL"
_ADD = text(
    "INSERT INTO webhook_endpoints (id, environment_id, url, topics, description)"
    " VALUES (:id, :environment, :url, :topics, :description) ON CONFLICT (id) DO NOTHING"
)
_FIND = text(f"{_SELECT} AND id = :id")
_LOCK = text(f"{_SELECT} AND id = :id FOR NO KEY UPDATE")
_LIST = text(f"{_SELECT} AND id > :after ORDER BY id LIMIT :limit")
_ENABLED = text(f"{_SELECT} AND disabled_at IS NULL ORDER BY id")
_COUNT = text("SELECT count(*) FROM webhook_endpoints WHERE deleted_at IS NULL AND id <> :id")
_ONE_AT_A_TIME = text(
    "SELECT pg_advisory_xact_lock(hashtext('webhook_endpoints'), hashtext(:environment))"
)
_CHANGE = text(
    "UPDATE webhook_endpoints SET url = :url, topics = :topics, description = :description"
    " WHERE id = :id"
)
_ENABLE = text(
    "UPDATE webhook_endpoints SET disabled_at = NULL, disabled_because = NULL, failing_since = NULL"
    " WHERE id = :id AND disabled_at IS NOT NULL"
)
_DISABLE = text(
    "UPDATE webhook_endpoints SET disabled_at = now(), disabled_because = :because"
    " WHERE id = :id AND disabled_at IS NULL"
)
_FAILING = text("UPDATE webhook_endpoints SET failing_since = :since WHERE id = :id")
_DELETE = text("UPDATE webhook_endpoints SET deleted_at = now() WHERE id = :id")
_FORGET_SECRETS = text("DELETE FROM webhook_secrets WHERE endpoint_id = :endpoint")
_FORGET_OLD_SECRETS = text(
    "DELETE FROM webhook_secrets WHERE endpoint_id = :endpoint AND valid_until <= now()"
)
_SECRETS = text(
    "SELECT id, secret FROM webhook_secrets"
    " WHERE endpoint_id = :endpoint AND (valid_until IS NULL OR valid_until > now())"
    " ORDER BY seq DESC"
)
_END_SECRET = text(
    "UPDATE webhook_secrets SET valid_until = now() + CAST(:rotation AS interval)"
    " WHERE endpoint_id = :endpoint AND valid_until IS NULL"
)
_ADD_SECRET = text(
    "INSERT INTO webhook_secrets (id, environment_id, endpoint_id, secret)"
    " VALUES (:id, :environment, :endpoint, :secret)"
)


async def add_endpoint(
    connection: AsyncConnection,
    environment: str,
    id: str,
    url: str,
    topics: Sequence[str],
    description: str | None,
) -> EndpointRow:
    """The endpoint of that id, made where it is not there. Raises `Conflict` where there are too many."""
    await connection.execute(_ONE_AT_A_TIME, {"environment": environment})
    if (await connection.execute(_COUNT, {"id": id})).scalar_one() >= MOST_ENDPOINTS:
        raise Conflict(f"there are {MOST_ENDPOINTS} webhook endpoints already")
    row = {"id": id, "environment": environment, "url": url, "topics": list(topics)}
    await connection.execute(_ADD, {**row, "description": description})
    return await find_endpoint(connection, id)


async def find_endpoint(connection: AsyncConnection, id: str) -> EndpointRow:
    """Raises `NotFound`."""
    return _found(id, (await connection.execute(_FIND, {"id": id})).one_or_none())


async def lock_endpoint(connection: AsyncConnection, id: str) -> EndpointRow:
    """As it is, and stays for others until this transaction ends. Raises `NotFound`."""
    return _found(id, (await connection.execute(_LOCK, {"id": id})).one_or_none())


async def find_endpoints(
    connection: AsyncConnection, limit: int, after: str = ""
) -> Sequence[EndpointRow]:
    """Those with an id greater than `after`, oldest first."""
    return [_read(row) for row in await connection.execute(_LIST, {"after": after, "limit": limit})]


async def enabled_endpoints(connection: AsyncConnection) -> Sequence[EndpointRow]:
    return [_read(row) for row in await connection.execute(_ENABLED)]


async def change_endpoint(
    connection: AsyncConnection, id: str, url: str, topics: Sequence[str], description: str | None
) -> None:
    changed = {"id": id, "url": url, "topics": list(topics), "description": description}
    await connection.execute(_CHANGE, changed)


async def enable_endpoint(connection: AsyncConnection, id: str) -> None:
    """What waits for it is sent from now on, and its failures are forgotten."""
    await connection.execute(_ENABLE, {"id": id})


async def disable_endpoint(
    connection: AsyncConnection, id: str, because: Literal["asked", "gone", "failing"]
) -> bool:
    """False where it is disabled already."""
    return (await connection.execute(_DISABLE, {"id": id, "because": because})).rowcount > 0


async def note_failing(connection: AsyncConnection, id: str, since: datetime | None) -> None:
    await connection.execute(_FAILING, {"id": id, "since": since})


async def delete_endpoint(connection: AsyncConnection, id: str) -> None:
    """Its secrets are gone at once; what was delivered stays in the books."""
    await connection.execute(_FORGET_SECRETS, {"endpoint": id})
    await connection.execute(_DELETE, {"id": id})


async def secrets_of(connection: AsyncConnection, endpoint: str) -> Sequence[str]:
    """All that sign now: the endpoint's own first, then those it replaced in the last day."""
    return [row.secret for row in await connection.execute(_SECRETS, {"endpoint": endpoint})]


async def set_secret(
    connection: AsyncConnection, environment: str, endpoint: str, id: str, given: str | None
) -> str:
    """The secret of that id, made where it is not there, by which the last one is replaced; the endpoint is locked. Raises
    `Conflict` where too many still sign.
    """
    await connection.execute(_FORGET_OLD_SECRETS, {"endpoint": endpoint})
    kept = {
        row.id: row.secret for row in await connection.execute(_SECRETS, {"endpoint": endpoint})
    }
    if id in kept:
        return str(kept[id])
    if len(kept) >= MOST_AT_ONCE:
        raise Conflict(f"{len(kept)} secrets of this endpoint still sign: wait until one has ended")
    secret = given or secret_of(secrets.token_bytes(RANDOM_BYTES))
    await connection.execute(_END_SECRET, {"endpoint": endpoint, "rotation": ROTATION})
    row = {"id": id, "environment": environment, "endpoint": endpoint, "secret": secret}
    await connection.execute(_ADD_SECRET, row)
    return secret


def _found(id: str, row: Row[Any] | None) -> EndpointRow:
    if row is None:
        raise NotFound(f"there is no webhook endpoint {id}")
    return _read(row)


def _read(row: Row[Any]) -> EndpointRow:
    facts = row._asdict()
    return EndpointRow(**{**facts, "topics": tuple(facts["topics"])})
