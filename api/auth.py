"""Who calls: a Bearer key belongs to one environment of one tenant, and says what its holder may do."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Request, Security
from fastapi.security import HTTPBearer
from starlette.types import Scope as AsgiScope

from api.problems import Unauthorized
from db.ids import new_id
from db.keys import ApiKey, find_key
from db.session import Database
from domain.errors import Forbidden

Scope = Literal["usage", "read", "write", "admin", "operator"]
SCOPES: dict[Scope, str] = {
    "usage": "send usage events; check entitlements; make, settle and release holds",
    "read": "read everything in the environment",
    "write": "change everything in the environment but its keys",
    "admin": "do all of it, and make and revoke API keys",
    "operator": "make tenants; no other scope brings this one",
}
LONGEST_KEY = 200

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="api_key",
    description="An API key, `weir_test_…` or `weir_live_…`. It belongs to one environment and carries scopes: "
    + "; ".join(f"`{scope}` may {meaning}" for scope, meaning in SCOPES.items()),
)


@dataclass(frozen=True, slots=True)
class RequestName:
    """The `Idempotency-Key` of a request, and when it was first used."""

    key: str
    claimed_at: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a key, for one request."""

    key: ApiKey
    request: RequestName | None = None

    @property
    def environment(self) -> str:
        return self.key.environment_id

    @property
    def name(self) -> str:
        """Who did it, as the timeline tells it."""
        return f"key:{self.key.name}"

    def id_for(self, prefix: str) -> str:
        """An id for what this request makes. A request that named itself gets the same one when it comes again, so that
        what a crash left half done is found, not made twice.
        """
        if self.request is None:
            return new_id(prefix)
        milliseconds = int(self.request.claimed_at.timestamp() * 1000)
        name = f"{self.environment}\n{self.request.key}\n{prefix}"
        noise = int.from_bytes(hashlib.sha256(name.encode()).digest()[:10])
        low = 0b10 << 62 | noise & (1 << 62) - 1
        return f"{prefix}_{(milliseconds << 16 | 0x7000 | noise >> 68) << 64 | low:032x}"


async def authenticate(database: Database, header: str | None) -> ApiKey:
    """The key of an `Authorization` header. Raises `Unauthorized`, which never says why a key opens nothing."""
    kind, _, key = (header or "").partition(" ")
    if kind.lower() != "bearer" or not key:
        raise Unauthorized("send an API key: `Authorization: Bearer weir_test_…`")
    if len(key) > LONGEST_KEY or not key.isascii():
        raise Unauthorized("this API key is not known, or it was revoked")
    async with database.registry() as connection:
        found = await find_key(connection, key)
    if found is None:
        raise Unauthorized("this API key is not known, or it was revoked")
    return found


def caller_of(scope: AsgiScope) -> Caller:
    """Who the doorway let in."""
    caller: Caller | None = scope.get("state", {}).get("caller")
    if caller is None:
        raise Unauthorized("send an API key: `Authorization: Bearer weir_test_…`")
    return caller


def may(scope: Scope) -> Callable[..., Caller]:
    """A dependency: the caller, whose key must carry `scope`, or `admin` in its place. Raises `Forbidden`."""
    enough = {scope} if scope == "operator" else {scope, "admin"}

    def allowed(request: Request, _: Annotated[object, Security(_bearer)]) -> Caller:
        caller = caller_of(request.scope)
        if enough.isdisjoint(caller.key.scopes):
            raise Forbidden(f"this API key does not carry the scope {scope}")
        return caller

    return allowed


SendsUsage = Annotated[Caller, Security(may("usage"))]
Reads = Annotated[Caller, Security(may("read"))]
Writes = Annotated[Caller, Security(may("write"))]
Administers = Annotated[Caller, Security(may("admin"))]
Operates = Annotated[Caller, Security(may("operator"))]
