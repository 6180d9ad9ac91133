"""What an older database has noted was told to nobody, and is not told to the first endpoint that comes."""

from datetime import UTC, datetime

from sqlalchemy import text

from db import migrate
from db.outbox import announce
from db.webhook_deliveries import fan_out
from tests.conftest import fresh_environment
from tests.db.older import older_database
from tests.servers import Addresses


async def test_old_facts_are_not_told(database_urls: Addresses) -> None:
    async with older_database(database_urls, "0014") as older:
        environments = [(await fresh_environment(older.database)).id for _ in range(2)]
        for environment in environments:
            async with older.database.transaction(environment) as connection:
                await announce(connection, environment, "invoice.issued", "inv_1", datetime.now(UTC), {})  # fmt: skip
        migrate.upgrade(older.owner)
        for environment in environments:
            async with older.database.transaction(environment) as connection:
                assert await fan_out(connection, environment, 10) == 0
                told = await connection.execute(text("SELECT dispatched_at FROM outbox"))
                assert told.scalar_one() is not None
