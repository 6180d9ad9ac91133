"""Whose usage a subscription measures: its customer's, and where it pools that of the children, theirs."""

from sqlalchemy.ext.asyncio import AsyncConnection

from db.families import children_known
from db.usage_measures import Consumer
from domain.subscription import Subscription

# The ids of the subscriptions that measure the usage of some `:customers`: their own, and those that pool it.
MEASURING = """
    SELECT id FROM subscriptions WHERE customer_id = ANY(:customers)
    UNION ALL
    SELECT s.id FROM memberships m
    JOIN subscriptions s ON s.environment_id = m.environment_id AND s.customer_id = m.parent_id
        AND s.pools_usage
    WHERE m.child_id = ANY(:customers)
"""


async def consumer_of(
    connection: AsyncConnection, subscription: Subscription, known: int
) -> Consumer:
    """As transactions before `known` had it."""
    customer = subscription.customer
    pooled = await children_known(connection, customer, known) if subscription.pools_usage else ()
    return Consumer(customer, subscription.id, subscription.timezone, pooled)
