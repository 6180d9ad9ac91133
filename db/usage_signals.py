"""Who has used something since it was last told: one row a subscription, marked by the pump."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.pools import MEASURING


@dataclass(frozen=True, slots=True)
class Waiting:
    """A subscription that has not been told of usage up to `mark`."""

    subscription: str
    customer: str
    mark: int


_MARK = text(f"""
    INSERT INTO usage_signals AS kept (subscription_id, environment_id, customer_id)
    SELECT id, environment_id, customer_id FROM subscriptions
    WHERE status <> 'cancelled' AND id IN ({MEASURING}) ORDER BY id
    ON CONFLICT (subscription_id) DO UPDATE SET marked = kept.marked + 1
""")
_WAITING = text("""
    SELECT subscription_id, customer_id, marked FROM usage_signals
    WHERE marked > told AND (signalled_at IS NULL OR signalled_at <= clock_timestamp() - CAST(:window AS interval))
    ORDER BY signalled_at NULLS FIRST, subscription_id LIMIT :limit
""")
_TOLD = text("""
    UPDATE usage_signals SET told = greatest(told, :mark), signalled_at = clock_timestamp(),
        watermark = greatest(watermark, CAST(CAST(:watermark AS text) AS xid8))
    WHERE subscription_id = :subscription
""")


async def mark(connection: AsyncConnection, customers: Collection[str]) -> None:
    """Usage of these customers came in: their living subscriptions, and those that pool it, wait to be
    told.
    """
    if customers:
        await connection.execute(_MARK, {"customers": sorted(customers)})


async def waiting(
    connection: AsyncConnection, window: timedelta, limit: int
) -> tuple[Waiting, ...]:
    """Those to tell now: none that was told less than a window ago."""
    rows = await connection.execute(_WAITING, {"window": window, "limit": limit})
    return tuple(Waiting(*row) for row in rows)


async def told(connection: AsyncConnection, subscription: Waiting, watermark: int) -> None:
    """It was told. Usage that was marked meanwhile waits for the next window."""
    await connection.execute(
        _TOLD,
        {
            "subscription": subscription.subscription,
            "mark": subscription.mark,
            "watermark": str(watermark),
        },
    )
