"""Connections: every transaction belongs to one environment, and row security sees to it.

`transaction` names the environment first thing; a statement outside of it fails, since the policies read a setting
that is not there. Row security binds only ordinary roles, so `check_role` refuses all others at the start.
"""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Literal

from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from domain.errors import Corrupt, Unavailable
from domain.reading import InexactNumber

Isolation = Literal["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]

EVERY_ENVIRONMENT = "*"
CONNECT_SECONDS = 5
POOL_SECONDS = 30  # a thousand calls at once wait for one another rather than fail
POOL_SIZE = 10
IDLE_IN_TRANSACTION = "60s"
LOCKED_OUT = "30s"  # nobody waits for another's lock for ever: `Unavailable`, to be tried again

_ENTER = text("SELECT set_config('weir.environment', :environment, true)")
_ROLE = text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
_REVISION = text("SELECT version_num FROM alembic_version")


class Database:
    """A pool of connections as the application's role. Errors: `Unavailable` where the server does not answer or
    gave up on the transaction; constraint violations come as SQLAlchemy's `IntegrityError`.
    """

    def __init__(self, url: str, pool_size: int = POOL_SIZE) -> None:
        self._url = read_url(url)
        self._engine = create_async_engine(
            self._url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_SECONDS,
            pool_pre_ping=True,
            json_deserializer=read_json,
            json_serializer=write_json,
            connect_args={
                "connect_timeout": CONNECT_SECONDS,
                "application_name": "weir",
                "options": f"-c timezone=UTC -c lock_timeout={LOCKED_OUT}"
                f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION}",
            },
        )

    @asynccontextmanager
    async def transaction(
        self, environment_id: str, isolation: Isolation | None = None
    ) -> AsyncIterator[AsyncConnection]:
        """One transaction within an environment: committed at the end of the block, rolled back by an error."""
        if environment_id == EVERY_ENVIRONMENT:
            raise ValueError("a transaction belongs to one environment")
        async with self._begin(environment_id, isolation) as connection:
            yield connection

    @asynccontextmanager
    async def registry(self) -> AsyncIterator[AsyncConnection]:
        """One transaction across environments: reads tenants, environments and API keys, adds the first two."""
        async with self._begin(EVERY_ENVIRONMENT, None) as connection:
            yield connection

    async def check_role(self) -> None:
        """Raise `Corrupt` where our role would pass by row security: a superuser or BYPASSRLS."""
        async with self._begin("", None) as connection:
            if (await connection.execute(_ROLE)).scalar_one():
                raise Corrupt(
                    f"the role {self._url.username!r} of DATABASE_URL bypasses row security:"
                    " use the role weir_app that `weir migrate` makes"
                )

    async def revision(self) -> str:
        """The newest migration that was applied. Raises `Unavailable` before the first one."""
        try:
            async with self._begin("", None) as connection:
                revision: str = (await connection.execute(_REVISION)).scalar_one()
                return revision
        except DBAPIError as error:
            raise Unavailable("the database has no tables yet: run `weir migrate`") from error

    async def close(self) -> None:
        await self._engine.dispose()

    @asynccontextmanager
    async def _begin(
        self, environment: str, isolation: Isolation | None
    ) -> AsyncIterator[AsyncConnection]:
        with reachable(self._url):
            async with self._engine.connect() as connection:
                if isolation is not None:
                    await connection.execution_options(isolation_level=isolation)
                async with connection.begin():
                    await connection.execute(_ENTER, {"environment": environment})
                    yield connection


def read_url(url: str) -> URL:
    """A `postgresql://` URL for psycopg. Raises `Unavailable` where it is none."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise Unavailable(
            "the database URL is not like postgresql://user:password@host/name"
        ) from None
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise Unavailable(
            f"the database URL is for {parsed.drivername}: only PostgreSQL is supported"
        )
    return parsed.set(drivername="postgresql+psycopg")


@contextmanager
def reachable(url: URL) -> Iterator[None]:
    """Turn what a server that is away, full or giving up does to us into one clear line of `Unavailable`."""
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable(f"{_place(url)} is busy: no free connection") from error
    except DBAPIError as error:
        if isinstance(error, OperationalError) or error.connection_invalidated:
            raise Unavailable(f"{_place(url)}: {_one_line(error)}") from error
        raise


# Numbers with a point come as `InexactNumber`: exact ones are kept as strings, so none should be there at all.
_exactly = json.JSONDecoder(parse_float=InexactNumber)
write_json = partial(json.dumps, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def read_json(written: str | bytes) -> Any:
    return _exactly.decode(written if isinstance(written, str) else written.decode())


def _place(url: URL) -> str:
    return f"the database at {url.host}:{url.port or 5432}/{url.database}"


def _one_line(error: DBAPIError) -> str:
    lines = str(error.orig).strip().splitlines()
    return lines[0].strip() if lines else type(error.orig).__name__
