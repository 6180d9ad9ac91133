"""The schema comes up from nothing, once, however many bring it up."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from db import migrate
from domain.errors import Corrupt, Unavailable
from tests.conftest import in_database
from tests.servers import Addresses


@pytest.fixture
def empty(database_urls: Addresses) -> str:
    """The owner's URL of a database without tables."""
    name = f"empty_{secrets.token_hex(6)}"
    with psycopg.connect(database_urls["owner"], autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
        )
    return in_database(database_urls["owner"], name)


def test_up_from_nothing_and_then_nothing_to_do(empty: str) -> None:
    assert migrate.current(empty) is None
    migrate.upgrade(empty)
    assert migrate.current(empty) == migrate.head()
    before = tables(empty)
    migrate.upgrade(empty)
    assert tables(empty) == before
    assert migrate.current(empty) == migrate.head()


def test_several_migrators_at_once_migrate_once(empty: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate.upgrade, [empty] * 4))
    assert migrate.current(empty) == migrate.head()


def test_a_server_that_is_away_is_one_line(unused_port: int) -> None:
    with pytest.raises(Unavailable) as raised:
        migrate.upgrade(f"postgresql://weir@127.0.0.1:{unused_port}/weir")
    assert str(raised.value).startswith(f"the database at 127.0.0.1:{unused_port}/weir: ")
    assert "\n" not in str(raised.value)


def test_the_applications_role_gets_the_login_of_its_url(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "APP", "weir_app_of_a_test")
    owner = psycopg.conninfo.conninfo_to_dict(empty)
    password = quote('it\'s a "secret"')
    app_url = f"postgresql://weir_app_of_a_test:{password}@127.0.0.1:{owner['port']}/postgres"
    migrate.upgrade(empty, app_url)
    with psycopg.connect(app_url) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("weir_app_of_a_test",)


def test_a_role_that_may_not_make_roles_is_told(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("CREATE ROLE weir_poor LOGIN PASSWORD 'poor'")
    monkeypatch.setattr(migrate, "APP", "weir_app_that_is_missing")
    owner = psycopg.conninfo.conninfo_to_dict(empty)
    poor = f"postgresql://weir_poor:poor@127.0.0.1:{owner['port']}/{owner['dbname']}"
    with pytest.raises(Corrupt, match="CREATE ROLE weir_app_that_is_missing LOGIN"):
        migrate.upgrade(poor)


def tables(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT oid, relname, relfilenode FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace ORDER BY oid"
        ).fetchall()
