"""An older database's grants and subscriptions: their wallets are there, and wait to be looked at."""

from sqlalchemy import text

from db import migrate
from db.wallets import repost, wallets_behind, wallets_of
from domain.money import Money
from tests.conftest import fresh_environment
from tests.db.older import older_database
from tests.servers import Addresses
from tests.usage_world import add_customer

GRANT = text("""
    INSERT INTO credit_grants (id, environment_id, key, customer_id, kind, currency, amount_minor, priority,
        granted_at, effective_at, items)
    VALUES (:customer || 'g', :environment, :customer, :customer, 'prepaid', 'USD', 500, 50, now(), now(), '{}')
""")
SUBSCRIPTION = text("""
    INSERT INTO subscriptions (id, environment_id, key, customer_id, plan_key, plan_version, status, state)
    VALUES (:customer || 's', :environment, 's1', :customer, 'pro', 1, 'active', '{"currency": "USD"}')
""")
POSTED = text("""
    WITH added AS (
        INSERT INTO ledger_transactions (environment_id, name, movement, at, customer_id)
        VALUES (:environment, 'grant:' || :customer, 'grant', now(), :customer) RETURNING id
    )
    INSERT INTO ledger_postings (environment_id, transaction_id, position, account, amount_minor, currency)
    SELECT :environment, added.id, 0, 'deposits', 500, 'USD' FROM added
    UNION ALL
    SELECT :environment, added.id, 1, 'credits:' || :customer || 'g', -500, 'USD' FROM added
""")


async def test_wallets_of_what_was_granted_before(database_urls: Addresses) -> None:
    async with older_database(database_urls, "0012") as older:
        database = older.database
        environments = [(await fresh_environment(database)).id for _ in range(2)]
        customers = {}
        for environment in environments:
            async with database.transaction(environment) as connection:
                customer = await add_customer(connection, environment, "acme")
                row = {"environment": environment, "customer": customer}
                await connection.execute(SUBSCRIPTION, row)
                await connection.execute(GRANT, row)
                await connection.execute(POSTED, row)
                customers[environment] = customer
        migrate.upgrade(older.owner)
        for environment, customer in customers.items():
            async with database.transaction(environment) as connection:
                assert await wallets_behind(connection, 10) == [(customer, "USD")]
                await repost(connection, environment, customer, "USD")
                (found,) = await wallets_of(connection, environment, customer)
                assert (found.customer, found.wallet.posted) == (customer, Money(500, "USD"))
                waiting = text("SELECT count(*) FROM running_usage WHERE marked > rated")
                assert (await connection.execute(waiting)).scalar_one() == 1
