"""What the first tables refuse."""

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from db.ids import new_id
from db.session import Database
from db.tenants import Environment, open_environment

ADD_CLOCK = text(
    "INSERT INTO test_clocks (id, environment_id, now, status, advancing_to)"
    " VALUES (:id, :e, '2026-01-01Z', :status, :advancing_to)"
)


async def test_a_plan_version_stays_as_it_was(
    owner: psycopg.AsyncConnection, database: Database, environment: Environment
) -> None:
    plan = new_id("pln")
    async with database.transaction(environment.id) as connection:
        await connection.execute(
            text("INSERT INTO plans (id, environment_id, key) VALUES (:id, :e, 'pro')"),
            {"id": plan, "e": environment.id},
        )
        await connection.execute(
            text("INSERT INTO plan_versions VALUES (:id, :e, 1, '{}')"),
            {"id": plan, "e": environment.id},
        )
    for statement in (
        "UPDATE plan_versions SET version = 2",
        "DELETE FROM plan_versions",
        "TRUNCATE plan_versions CASCADE",
    ):
        with pytest.raises(errors.RestrictViolation, match="plan_versions is a record of facts"):
            await owner.execute(statement.encode())


async def test_a_test_clock_stands_in_a_test_environment(
    database: Database, environment: Environment
) -> None:
    async with database.registry() as connection:
        live = await open_environment(connection, environment.tenant_id, "live")
    row = {"id": new_id("clk"), "status": "ready", "advancing_to": None}
    async with database.transaction(environment.id) as connection:
        await connection.execute(ADD_CLOCK, row | {"e": environment.id})
    with pytest.raises(IntegrityError, match="foreign key"):
        async with database.transaction(live.id) as connection:
            await connection.execute(ADD_CLOCK, row | {"id": new_id("clk"), "e": live.id})


@pytest.mark.parametrize(
    ("status", "advancing_to", "constraint"),
    [
        ("advancing", "2025-12-31T23:59:59Z", "only_forward"),
        ("advancing", None, "advancing_to_an_instant"),
        ("ready", "2026-02-01T00:00:00Z", "advancing_to_an_instant"),
        ("stopped", None, "status_check"),
    ],
)
async def test_a_test_clock_only_goes_forward(
    database: Database,
    environment: Environment,
    status: str,
    advancing_to: str | None,
    constraint: str,
) -> None:
    row = {"id": new_id("clk"), "e": environment.id, "status": status}
    with pytest.raises(IntegrityError, match=constraint):
        async with database.transaction(environment.id) as connection:
            await connection.execute(
                text(str(ADD_CLOCK).replace(":advancing_to", "CAST(:advancing_to AS timestamptz)")),
                row | {"advancing_to": advancing_to},
            )


@pytest.mark.parametrize("table", ["meters", "features", "coupons", "tax_rates"])
@pytest.mark.parametrize(
    ("key", "document", "constraint"),
    [("", "{}", "key_check"), ("k" * 201, "{}", "key_check"), ("k", "[]", "document_check")],
)
async def test_the_catalogue_holds_documents_under_keys(
    database: Database,
    environment: Environment,
    table: str,
    key: str,
    document: str,
    constraint: str,
) -> None:
    add = text(f"INSERT INTO {table} (id, environment_id, key, document) VALUES (:id, :e, :k, :d)")
    with pytest.raises(IntegrityError, match=constraint):
        async with database.transaction(environment.id) as connection:
            await connection.execute(add, {"id": "x", "e": environment.id, "k": key, "d": document})
