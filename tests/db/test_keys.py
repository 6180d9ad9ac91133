"""API keys: shown once, kept as a hash, of one environment, until revoked."""

import hashlib
import re

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from api.auth import SCOPES
from cli.keys import Scope
from cli.main import app as weir
from db.ids import new_id
from db.keys import create_key, find_key, list_keys, revoke_key
from db.session import Database
from db.tenants import (
    Environment,
    find_tenant,
    list_environments,
    list_tenants,
    open_environment,
    open_tenant,
)
from domain.errors import NotFound
from tests.conftest import fresh_environment
from tests.servers import Addresses


async def test_a_key_opens_its_environment(database: Database, environment: Environment) -> None:
    async with database.transaction(environment.id) as connection:
        key_id, key = await create_key(connection, environment, "backend", ["usage", "read"])
    async with database.registry() as connection:
        found = await find_key(connection, key)
        assert await find_key(connection, key + "0") is None
    assert found is not None
    assert (found.id, found.environment_id) == (key_id, environment.id)
    assert (found.tenant_id, found.mode) == (environment.tenant_id, "test")
    assert (found.name, found.scopes, found.revoked_at) == ("backend", ("usage", "read"), None)


async def test_only_the_hash_is_kept(database: Database, environment: Environment) -> None:
    async with database.transaction(environment.id) as connection:
        _, key = await create_key(connection, environment, "backend", ["usage"])
        kept = (await connection.execute(text("SELECT * FROM api_keys"))).one()
    assert re.fullmatch(r"weir_test_[0-9a-f]{64}", key)
    assert kept.hash == hashlib.sha256(key.encode()).digest()
    assert key.removeprefix("weir_test_") not in str(kept)


async def test_a_revoked_key_opens_nothing(database: Database, environment: Environment) -> None:
    async with database.transaction(environment.id) as connection:
        key_id, key = await create_key(connection, environment, "backend", ["usage"])
        await revoke_key(connection, key_id)
        (first,) = await list_keys(connection, 10)
        await revoke_key(connection, key_id)
        (second,) = await list_keys(connection, 10)
    assert first.revoked_at == second.revoked_at is not None
    async with database.registry() as connection:
        assert await find_key(connection, key) is None


async def test_anothers_key_can_be_neither_listed_nor_revoked(
    database: Database, environment: Environment
) -> None:
    async with database.transaction(environment.id) as connection:
        key_id, _ = await create_key(connection, environment, "backend", ["usage"])
    stranger = await fresh_environment(database)
    async with database.transaction(stranger.id) as connection:
        assert await list_keys(connection, 10) == []
        with pytest.raises(NotFound, match=key_id):
            await revoke_key(connection, key_id)


async def test_keys_are_listed_page_by_page(database: Database, environment: Environment) -> None:
    async with database.transaction(environment.id) as connection:
        made = [(await create_key(connection, environment, n, ["read"]))[0] for n in "abc"]
        first = [key.id for key in await list_keys(connection, 2)]
        rest = [key.id for key in await list_keys(connection, 2, after=first[-1])]
    assert first + rest == made


async def test_opening_a_tenant_twice_is_opening_it_once(database: Database) -> None:
    key = new_id("ten")
    async with database.registry() as connection:
        tenant = await open_tenant(connection, key, "Acme")
        assert await open_tenant(connection, key, "another name") == tenant
        assert (
            await find_tenant(connection, key) == await find_tenant(connection, tenant.id) == tenant
        )
        assert await find_tenant(connection, "nobody") is None
        live = await open_environment(connection, tenant.id, "live")
        test = await open_environment(connection, tenant.id, "test")
        assert await open_environment(connection, tenant.id, "live") == live != test
        assert {live, test} <= set(await list_environments(connection))
        assert tenant in await list_tenants(connection, 10_000)


def test_the_command_offers_the_scopes_of_the_api() -> None:
    assert [scope.value for scope in Scope] == list(SCOPES)


def test_the_command_prints_a_key_that_opens(database_urls: Addresses) -> None:
    key = new_id("ten")
    arguments = ["keys", "create", "--tenant", key, "--mode", "live", "--scope", "usage"]
    first, second = (
        CliRunner(env={"DATABASE_URL": database_urls["app"]}).invoke(weir, arguments).stdout.strip()
        for _ in range(2)
    )
    assert first != second
    assert re.fullmatch(r"weir_live_[0-9a-f]{64}", first)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tenant", "no spaces"], "weir: tenant: must be 1 to 200 letters"),
        (["--name", ""], "weir: name: must have from 1 to 2000 characters"),
    ],
)
def test_the_command_says_what_is_wrong(
    database_urls: Addresses, arguments: list[str], said: str
) -> None:
    result = CliRunner(env={"DATABASE_URL": database_urls["app"]}).invoke(
        weir, ["keys", "create", *arguments]
    )
    assert result.exit_code == 1
    assert result.stderr.startswith(said)


@pytest.mark.parametrize("command", [["keys", "create"], ["migrate"]])
def test_a_server_that_is_away_is_one_line(unused_port: int, command: list[str]) -> None:
    url = f"postgresql://weir@127.0.0.1:{unused_port}/weir"
    result = CliRunner(env={"DATABASE_URL": url}).invoke(weir, command)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"weir: the database at 127.0.0.1:{unused_port}/weir: ")
    assert result.stderr.count("\n") == 1


def test_the_migrate_command_says_where_the_schema_is(database_urls: Addresses) -> None:
    result = CliRunner(env={"DATABASE_URL": database_urls["owner"]}).invoke(weir, ["migrate"])
    assert result.exit_code == 0
    assert re.fullmatch(r"the schema was at \d{4} already\n", result.stdout)
