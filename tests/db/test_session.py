"""Transactions: whole or not at all, exact, and clear about a server that is away."""

import asyncio

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from db.ids import new_id
from db.session import EVERY_ENVIRONMENT, Database, Isolation
from db.tenants import Environment
from domain.errors import Corrupt, Unavailable
from domain.reading import InexactNumber
from tests.servers import Addresses


async def test_an_error_takes_everything_back(database: Database, environment: Environment) -> None:
    async def fail() -> None:
        async with database.transaction(environment.id) as connection:
            await add_clock(connection, environment)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    async with database.transaction(environment.id) as connection:
        assert await count_clocks(connection) == 0


async def test_cancelling_takes_everything_back(
    database: Database, environment: Environment
) -> None:
    written = asyncio.Event()

    async def write_and_wait() -> None:
        async with database.transaction(environment.id) as connection:
            await add_clock(connection, environment)
            written.set()
            await asyncio.Event().wait()

    writing = asyncio.create_task(write_and_wait())
    await written.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    async with database.transaction(environment.id) as connection:
        assert await count_clocks(connection) == 0


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
async def test_isolation_is_of_the_transaction_alone(
    database: Database, environment: Environment, isolation: Isolation
) -> None:
    async with database.transaction(environment.id, isolation) as connection:
        assert await setting(connection, "transaction_isolation") == isolation.lower()
    async with database.transaction(environment.id) as connection:
        assert await setting(connection, "transaction_isolation") == "read committed"


async def test_a_clash_of_transactions_is_worth_another_try(
    database: Database, environment: Environment
) -> None:
    async def clash() -> None:
        async with database.transaction(environment.id, "REPEATABLE READ") as first:
            await count_clocks(first)
            async with database.transaction(environment.id) as second:
                await second.execute(text("UPDATE test_clocks SET phase = phase + 1"))
            await first.execute(text("UPDATE test_clocks SET phase = phase + 1"))

    async with database.transaction(environment.id) as connection:
        await add_clock(connection, environment)
    with pytest.raises(Unavailable, match="could not serialize"):
        await clash()


async def test_nobody_waits_for_a_lock_for_ever(
    database_urls: Addresses, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.session.LOCKED_OUT", "50ms")
    hasty = Database(database_urls["app"])
    lock = text("SELECT pg_advisory_xact_lock(7)")

    async def wait() -> None:
        async with hasty.transaction(environment.id) as second:
            await second.execute(lock)

    async with hasty.transaction(environment.id) as first:
        await first.execute(lock)
        with pytest.raises(Unavailable, match="lock timeout"):
            await wait()
    await hasty.close()


async def test_a_broken_rule_is_told_as_it_is(database: Database, environment: Environment) -> None:
    async with database.transaction(environment.id) as connection:
        await add_clock(connection, environment)
        with pytest.raises(IntegrityError, match="only_in_test_environments"):
            await connection.execute(text("UPDATE test_clocks SET environment_mode = 'live'"))


async def test_numbers_in_documents_stay_as_they_were_written(
    database: Database, environment: Environment
) -> None:
    async with database.transaction(environment.id) as connection:
        read = await connection.execute(
            text(
                """SELECT '{"exact": "0.1234567890123456789", "point": 0.10, "whole": 12}'::jsonb"""
            )
        )
        document = read.scalar_one()
    assert document == {"exact": "0.1234567890123456789", "point": "0.10", "whole": 12}
    assert isinstance(document["point"], InexactNumber)


async def test_instants_are_in_utc(database: Database, environment: Environment) -> None:
    async with database.transaction(environment.id) as connection:
        at = (
            await connection.execute(text("SELECT '2026-01-01T01:00+01'::timestamptz"))
        ).scalar_one()
    assert at.isoformat() == "2026-01-01T00:00:00+00:00"


async def test_a_transaction_belongs_to_one_environment(database: Database) -> None:
    with pytest.raises(ValueError, match="one environment"):
        async with database.transaction(EVERY_ENVIRONMENT):
            pass


async def test_the_applications_role_passes_and_the_owner_does_not(
    database: Database, database_urls: Addresses
) -> None:
    await database.check_role()
    owner = Database(database_urls["owner"])
    with pytest.raises(Corrupt, match="'weir_owner' of DATABASE_URL bypasses row security"):
        await owner.check_role()
    await owner.close()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
async def test_a_server_that_is_away_is_one_line(unused_port: int, scheme: str) -> None:
    database = Database(f"{scheme}://weir:secret@127.0.0.1:{unused_port}/weir")
    with pytest.raises(Unavailable) as raised:
        await database.check_role()
    said = str(raised.value)
    assert said.startswith(f"the database at 127.0.0.1:{unused_port}/weir: ")
    assert "\n" not in said
    assert "secret" not in said


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://weir@127.0.0.1/weir"])
def test_a_url_of_something_else_is_told(url: str) -> None:
    with pytest.raises(Unavailable, match="database URL"):
        Database(url)


async def test_a_wrong_password_is_one_line(database_urls: Addresses) -> None:
    server = psycopg.conninfo.conninfo_to_dict(database_urls["app"])
    database = Database(f"postgresql://weir_app:wrong@127.0.0.1:{server['port']}/weir")
    with pytest.raises(Unavailable, match="password authentication failed"):
        await database.check_role()


async def test_a_connection_that_is_cut_fails_once(
    database: Database, environment: Environment, owner: psycopg.AsyncConnection
) -> None:
    async def work(cut: bool) -> None:
        async with database.transaction(environment.id) as connection:
            pid = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            if cut:
                await owner.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
            await connection.execute(text("SELECT 1"))

    with pytest.raises(Unavailable):
        await work(cut=True)
    await work(cut=False)


def test_ids_sort_by_when_they_were_made() -> None:
    made = [new_id("cus") for _ in range(10_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(id_.startswith("cus_") and len(id_) == 36 for id_ in made)
    assert {id_[16] for id_ in made} == {"7"}  # the version
    assert {id_[20] for id_ in made} <= set("89ab")  # the variant


async def add_clock(connection: AsyncConnection, environment: Environment) -> None:
    await connection.execute(
        text("INSERT INTO test_clocks (id, environment_id, now) VALUES (:id, :e, now())"),
        {"id": new_id("clk"), "e": environment.id},
    )


async def count_clocks(connection: AsyncConnection) -> int:
    count: int = (await connection.execute(text("SELECT count(*) FROM test_clocks"))).scalar_one()
    return count


async def setting(connection: AsyncConnection, name: str) -> str:
    shown: str = (await connection.execute(text(f"SHOW {name}"))).scalar_one()
    return shown
