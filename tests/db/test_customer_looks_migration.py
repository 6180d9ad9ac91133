"""Alerts of an older database: those of usage and limits look at the customers whom they concern, those of money go on."""

import json

from sqlalchemy import text

from activities.watching import watch
from db import migrate
from db.alerts import add_alert
from db.customer_looks import customers_to_look_at
from db.usage_horizon import wait_for_horizon
from db.watching import open_to_new_alerts
from tests.conftest import fresh_environment
from tests.db.older import older_database
from tests.servers import Addresses
from tests.usage_world import add_customer

LIMIT = {"key": "calls", "type": "limit", "feature": "calls", "thresholds": ["80"]}
SPEND = {"key": "spend", "type": "spend", "currency": "USD", "thresholds": ["80"]}
GIVEN = text("""
    INSERT INTO customer_entitlements (environment_id, customer_id, feature, document, reason, given_by, since)
    VALUES (:environment, :customer, 'calls', '{}', 'promised', 'a test', now())
""")
FEATURE = text("""
    INSERT INTO features (id, environment_id, key, document)
    VALUES ('fea_' || :environment, :environment, 'calls', CAST(:document AS jsonb))
""")
STANDING = text("SELECT key, is_open FROM alerts ORDER BY key")


async def test_whom_older_alerts_concern_is_looked_at(database_urls: Addresses) -> None:
    feature = json.dumps({"key": "calls", "type": "boolean"})
    async with older_database(database_urls, "0022") as older:
        environments = [(await fresh_environment(older.database)).id for _ in range(2)]
        given = {}
        for environment in environments:
            async with older.database.transaction(environment) as connection:
                for document in (LIMIT, SPEND):
                    own_id = f"alr_{document['key']}_{environment}"
                    await add_alert(connection, environment, own_id, document, None)
                await connection.execute(text("UPDATE alerts SET is_open = true"))
                given[environment] = await add_customer(connection, environment, "acme")
                await add_customer(connection, environment, "globex")
                row = {"environment": environment, "customer": given[environment]}
                await connection.execute(FEATURE, {**row, "document": feature})
                await connection.execute(GIVEN, row)
        migrate.upgrade(older.owner)
        for environment, customer in given.items():
            async with older.database.transaction(environment) as connection:
                assert (await connection.execute(STANDING)).all() == [
                    ("calls", False),
                    ("spend", True),
                ]
            await watch(older.database, environment)
            await wait_for_horizon(older.database)
            async with older.database.transaction(environment) as connection:
                await open_to_new_alerts(connection)
                assert await customers_to_look_at(connection, 10) == [customer]
