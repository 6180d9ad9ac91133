"""A ledger of an older database: what is there was recorded when it was written, or, on a test clock, when it happened."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text

from db import migrate
from tests.conftest import fresh_environment
from tests.db.older import Older, older_database
from tests.servers import Addresses
from tests.usage_world import add_clock, add_customer

BEFORE = "0013"
START = datetime(2026, 1, 1, tzinfo=UTC)
ADD = text("""
    WITH added AS (
        INSERT INTO ledger_transactions (environment_id, name, movement, at, customer_id)
        VALUES (:environment, :name, 'payment', :at, :customer) RETURNING id
    )
    INSERT INTO ledger_postings (environment_id, transaction_id, position, account, amount_minor, currency)
    SELECT :environment, added.id, position, 'cash', 3 - 2 * position, 'USD'
    FROM added, (VALUES (1), (2)) AS postings (position)
""")


@pytest.fixture
async def older(database_urls: Addresses) -> AsyncIterator[Older]:
    async with older_database(database_urls, BEFORE) as older:
        yield older


async def test_what_is_there_was_recorded_at_its_time(older: Older) -> None:
    owner, database = older.owner, older.database
    environments = [(await fresh_environment(database)).id for _ in range(2)]
    for environment in environments:
        async with database.transaction(environment) as connection:
            clock = await add_clock(connection, environment, START + timedelta(days=9))
            on_clock = await add_customer(connection, environment, "a", clock)
            in_real_time = await add_customer(connection, environment, "b")
            for customer in (on_clock, in_real_time):
                for name, days in (("one", 3), ("two", 1), ("three", 5)):
                    row = {"environment": environment, "name": f"{customer}:{name}"}
                    at = START + timedelta(days=days)
                    await connection.execute(ADD, {**row, "at": at, "customer": customer})

    migrate.upgrade(owner)

    for environment in environments:
        async with database.transaction(environment) as connection:
            found = await connection.execute(
                text("""
                    SELECT c.key, t.recorded_at, t.created_at FROM ledger_transactions t
                    JOIN customers c ON c.id = t.customer_id ORDER BY t.id
                """)
            )
            rows = [tuple(row) for row in found]
        assert [at for key, at, _ in rows if key == "a"] == [
            START + timedelta(days=days) for days in (3, 3, 5)
        ]
        assert all(at == written for key, at, written in rows if key == "b")
    with psycopg.connect(owner) as everyone:
        everyone.execute(sql.SQL("SET weir.environment = {}").format(sql.Literal(environments[0])))
        with pytest.raises(psycopg.Error, match="record of facts"):
            everyone.execute("UPDATE ledger_transactions SET recorded_at = now()")
