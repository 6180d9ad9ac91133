"""Customers who are watched for what they use: whom to look at, because something changed or because it is time.

It is asked for in the transaction of the change, by a row of its own. A look takes away the rows that it has seen before
it looks, so that what is changed meanwhile is looked at again.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


def asking(customers: str) -> str:
    """The statement that asks for a look at customers, as a query has them by id: those whom some alert watches."""
    return f"""
        INSERT INTO customer_looks (environment_id, customer_id, look_at)
        SELECT c.environment_id, c.id, timestamptz '-infinity' FROM customers c
        WHERE c.id IN ({customers}) AND EXISTS (
            SELECT FROM alerts a WHERE a.environment_id = c.environment_id AND a.currency IS NULL
                AND (a.customer_id IS NULL OR a.customer_id = c.id)
        )
        ON CONFLICT DO NOTHING
    """


# A customer on a test clock that is on its way is looked at when that has arrived.
_DUE = text("""
    SELECT customer_id FROM (
        SELECT DISTINCT l.customer_id FROM customer_looks l
        JOIN customers c ON c.environment_id = l.environment_id AND c.id = l.customer_id
        LEFT JOIN test_clocks k ON k.environment_id = c.environment_id AND k.id = c.test_clock_id
        WHERE l.look_at <= greatest(statement_timestamp(), (SELECT max(now) FROM test_clocks))
            AND l.look_at <= coalesce(k.now, statement_timestamp())
            AND k.status IS DISTINCT FROM 'advancing'
    ) due ORDER BY random() LIMIT :limit
""")
_TAKE = text("DELETE FROM customer_looks WHERE customer_id = :customer")
_LOOK_AGAIN = text("""
    INSERT INTO customer_looks (environment_id, customer_id, look_at) VALUES (:environment, :customer, :at)
""")
# A customer who is named, or all who may use something: by a subscription, an override, or what a parent pools.
_OPEN = text(
    asking("""
        WITH alert AS (SELECT environment_id, customer_id FROM alerts WHERE id = :alert AND currency IS NULL),
            everyone AS (SELECT environment_id FROM alert WHERE customer_id IS NULL)
        SELECT customer_id FROM alert
        UNION SELECT customer_id FROM everyone JOIN subscriptions USING (environment_id) WHERE status <> 'cancelled'
        UNION SELECT customer_id FROM everyone JOIN customer_entitlements USING (environment_id)
        UNION SELECT child_id FROM everyone JOIN memberships USING (environment_id)
    """)
)


async def customers_to_look_at(connection: AsyncConnection, limit: int) -> Sequence[str]:
    """Where there are more than can be looked at, any of them, so that none waits for ever."""
    return list((await connection.execute(_DUE, {"limit": limit})).scalars())


async def take_looks(connection: AsyncConnection, customer: str) -> None:
    """Somebody looks at a customer now. What is read after this, in READ COMMITTED, has all that was changed by those
    who asked for it.
    """
    await connection.execute(_TAKE, {"customer": customer})


async def look_again(
    connection: AsyncConnection, environment: str, customer: str, at: datetime
) -> None:
    row = {"environment": environment, "customer": customer, "at": at}
    await connection.execute(_LOOK_AGAIN, row)


async def look_at_all_concerned(connection: AsyncConnection, alert: str) -> None:
    """Those whom a new alert watches."""
    await connection.execute(_OPEN, {"alert": alert})
