"""Bringing the schema up to date, as the role that owns it; and the application's role beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from db.migrations.rls import APP
from db.session import reachable, read_url
from domain.errors import Corrupt

# Any number that no other program takes on the same server: migrators queue up behind it.
MIGRATION_LOCK = 7_236_521_177
CONNECT_SECONDS = 5

_ROLE_EXISTS = text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :name)")
_MAY_CREATE_ROLES = text(
    "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
)


def upgrade(owner_url: str, app_url: str | None = None, to: str = "head") -> None:
    """Apply every migration that is missing, or those up to one; nothing where none is. Safe to run by several at once.

    Makes the role `weir_app` where it is missing: with the login of `app_url` if that is for `weir_app`, without one
    otherwise. Raises `Unavailable` where the server is away and `Corrupt` where the role cannot be made.
    """
    with _connected(owner_url) as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": MIGRATION_LOCK})
        connection.commit()
        try:
            _make_role(connection, read_url(app_url) if app_url else None)
            command.upgrade(_config(connection), to)
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": MIGRATION_LOCK})


def current(url: str) -> str | None:
    """The newest migration applied, None before the first. Raises `Unavailable`."""
    with _connected(url) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """The newest migration there is."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        raise Corrupt("this installation has no migrations")
    return revision


def as_sql() -> str:
    """Every migration as SQL on paper."""
    paper = StringIO()
    command.upgrade(_config(output=paper), "head", sql=True)
    return paper.getvalue()


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    place = read_url(url)
    engine = create_engine(
        place, poolclass=NullPool, connect_args={"connect_timeout": CONNECT_SECONDS}
    )
    with reachable(place), engine.connect() as connection:
        yield connection


def _config(connection: Connection | None = None, output: StringIO | None = None) -> Config:
    config = Config(output_buffer=output) if output else Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _make_role(connection: Connection, app: URL | None) -> None:
    if connection.execute(_ROLE_EXISTS, {"name": APP}).scalar_one():
        return
    if not connection.execute(_MAY_CREATE_ROLES).scalar_one():
        raise Corrupt(
            f"the role {APP} is missing and this one may not create it:"
            f" run CREATE ROLE {APP} LOGIN as an administrator"
        )
    driver = connection.connection.driver_connection
    if driver is None:
        raise Corrupt("the connection was lost")
    statement = sql.SQL("CREATE ROLE {}").format(sql.Identifier(APP))
    if app is not None and app.username == APP and app.password is not None:
        # Hashed here, so that no server log ever shows it.
        password = driver.pgconn.encrypt_password(str(app.password).encode(), APP.encode())
        statement += sql.SQL(" LOGIN PASSWORD {}").format(sql.Literal(password.decode()))
    driver.execute(statement)
    connection.commit()
