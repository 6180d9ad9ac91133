"""No environment sees another's rows, whatever a query forgets; and where nobody said which, nothing is seen."""

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from db.ids import new_id
from db.session import Database
from db.tenants import Environment
from tests.conftest import fresh_environment

ADD_CUSTOMER = text(
    "INSERT INTO customers (id, environment_id, key) VALUES (:id, :environment_id, 'acme')"
)

# The registry's tables, which carry no environment_id of their own, and Alembic's.
WITHOUT_ENVIRONMENT = {"tenants", "environments"}
UNPROTECTED = {"alembic_version"}


async def test_without_a_setting_a_query_fails(app: psycopg.AsyncConnection) -> None:
    with pytest.raises(errors.UndefinedObject, match=r"weir\.environment"):
        await app.execute("SELECT * FROM customers")


async def test_after_a_transaction_its_connection_sees_nothing(
    app: psycopg.AsyncConnection, database: Database, environment: Environment
) -> None:
    await add_customer(database, environment)
    async with app.transaction():
        await app.execute("SELECT set_config('weir.environment', %s, true)", (environment.id,))
        assert (await app.execute("SELECT * FROM customers")).rowcount == 1
    assert (await app.execute("SELECT * FROM customers")).rowcount == 0
    assert (await app.execute("DELETE FROM customers")).rowcount == 0
    with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
        await app.execute(
            "INSERT INTO customers (id, environment_id, key) VALUES ('cus_1', %s, 'other')",
            (environment.id,),
        )


@pytest.mark.parametrize(
    "statement",
    ["SELECT id FROM customers", "UPDATE customers SET name = 'x'", "DELETE FROM customers"],
)
async def test_anothers_rows_are_not_there(
    database: Database, environment: Environment, statement: str
) -> None:
    customer = await add_customer(database, environment)
    stranger = await fresh_environment(database)
    async with database.transaction(stranger.id) as connection:
        assert (await connection.execute(text(statement))).rowcount == 0
    async with database.transaction(environment.id) as connection:
        left = await connection.execute(text("SELECT id, name FROM customers"))
        assert left.all() == [(customer, None)]


async def test_a_row_cannot_be_added_for_another(
    database: Database, environment: Environment
) -> None:
    stranger = await fresh_environment(database)
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with database.transaction(stranger.id) as connection:
            await connection.execute(
                ADD_CUSTOMER, {"id": new_id("cus"), "environment_id": environment.id}
            )


async def test_a_row_cannot_be_given_away(database: Database, environment: Environment) -> None:
    await add_customer(database, environment)
    stranger = await fresh_environment(database)
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with database.transaction(environment.id) as connection:
            await connection.execute(
                text("UPDATE customers SET environment_id = :id"), {"id": stranger.id}
            )


async def test_a_row_cannot_refer_to_anothers(database: Database, environment: Environment) -> None:
    stranger = await fresh_environment(database)
    clock = new_id("clk")
    async with database.transaction(stranger.id) as connection:
        await connection.execute(
            text("INSERT INTO test_clocks (id, environment_id, now) VALUES (:id, :e, now())"),
            {"id": clock, "e": stranger.id},
        )
    await add_customer(database, environment)
    with pytest.raises(IntegrityError, match="foreign key"):
        async with database.transaction(environment.id) as connection:
            await connection.execute(
                text("UPDATE customers SET test_clock_id = :clock"), {"clock": clock}
            )


async def test_an_environment_sees_its_own_tenant_alone(
    database: Database, environment: Environment
) -> None:
    await fresh_environment(database)
    async with database.transaction(environment.id) as connection:
        tenants = await connection.execute(text("SELECT id FROM tenants"))
        environments = await connection.execute(text("SELECT id FROM environments"))
        assert tenants.all() == [(environment.tenant_id,)]
        assert environments.all() == [(environment.id,)]


@pytest.mark.parametrize("table", ["tenants", "environments"])
async def test_an_environment_adds_no_tenants(
    database: Database, environment: Environment, table: str
) -> None:
    rows = {
        "tenants": "INSERT INTO tenants (id, key, name) VALUES ('ten_1', 'k', 'n')",
        "environments": "INSERT INTO environments (id, tenant_id, mode)"
        f" VALUES ('env_1', '{environment.tenant_id}', 'live')",
    }
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with database.transaction(environment.id) as connection:
            await connection.execute(text(rows[table]))


async def test_the_registry_sees_no_business(database: Database, environment: Environment) -> None:
    await add_customer(database, environment)
    async with database.registry() as connection:
        assert (await connection.execute(text("SELECT FROM customers"))).rowcount == 0
        found = await connection.execute(
            text("SELECT FROM environments WHERE id = :id"), {"id": environment.id}
        )
        assert found.rowcount == 1


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE customers DISABLE ROW LEVEL SECURITY",
        "DROP POLICY own_environment ON customers",
        "TRUNCATE customers",
        "SET ROLE weir_owner",
        "CREATE TABLE mine (id text)",
        "ALTER ROLE weir_app BYPASSRLS",
        "UPDATE alembic_version SET version_num = '0000'",
    ],
)
async def test_the_application_cannot_get_around_it(
    app: psycopg.AsyncConnection, statement: str
) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        await app.execute(statement.encode())


async def test_every_table_is_bound(owner: psycopg.AsyncConnection) -> None:
    """Whatever a migration adds, partitions included: forced row security, and policies that look at the setting."""
    tables = await owner.execute(
        """
        SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,
               array_agg(coalesce(pg_get_expr(p.polqual, p.polrelid), '')
                         || coalesce(pg_get_expr(p.polwithcheck, p.polrelid), ''))
        FROM pg_class c LEFT JOIN pg_policy p ON p.polrelid = c.oid
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
        GROUP BY c.oid
        """
    )
    bound = {
        name: forced and all("current_setting('weir.environment'" in rule for rule in policies)
        for name, forced, policies in await tables.fetchall()
    }
    assert {name for name, is_bound in bound.items() if not is_bound} == UNPROTECTED


async def test_every_table_names_its_environment(owner: psycopg.AsyncConnection) -> None:
    tables = await owner.execute(
        """
        SELECT c.relname FROM pg_class c
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
          AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid
                          AND a.attname = 'environment_id' AND a.attnotnull)
        """
    )
    assert {name for (name,) in await tables.fetchall()} == WITHOUT_ENVIRONMENT | UNPROTECTED


async def test_no_view_or_function_lends_its_owners_sight(owner: psycopg.AsyncConnection) -> None:
    """A view reads as its owner unless it says otherwise, and a definer's function must pin what its names mean."""
    views = await owner.execute(
        """
        SELECT relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND (relkind = 'm'
          OR relkind = 'v' AND NOT 'security_invoker=true' = ANY (coalesce(reloptions, '{}')))
        """
    )
    functions = await owner.execute(
        """
        SELECT proname FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND prosecdef
          AND NOT EXISTS (SELECT FROM unnest(proconfig) c WHERE c LIKE 'search_path=%')
        """
    )
    assert [*await views.fetchall(), *await functions.fetchall()] == []


async def add_customer(database: Database, environment: Environment) -> str:
    customer = new_id("cus")
    async with database.transaction(environment.id) as connection:
        await connection.execute(ADD_CUSTOMER, {"id": customer, "environment_id": environment.id})
    return customer
