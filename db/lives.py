"""Every life that the books know to go on: what Temporal must be leading, and what it is started anew from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.codec import from_plain
from domain.dunning import Collection
from domain.subscription import Subscription


@dataclass(frozen=True, slots=True)
class StandingGrant:
    """A grant that ends, and that no subscription watches over."""

    id: str
    customer: str
    expires_at: datetime
    test_clock: str | None


@dataclass(frozen=True, slots=True)
class PendingRefund:
    name: str
    at: datetime
    test_clock: str | None


_SUBSCRIPTIONS = text("""
    SELECT state FROM subscriptions WHERE status <> 'cancelled' ORDER BY seq
""")
_COLLECTIONS = text("""
    SELECT state FROM collections
    WHERE status IN ('open', 'past_due')
        OR (status = 'uncollectible' AND next_attempt_at IS NOT NULL)
    ORDER BY seq
""")
_GRANTS = text("""
    SELECT g.id, g.customer_id, g.expires_at, c.test_clock_id FROM credit_grants g
    JOIN customers c ON c.id = g.customer_id LEFT JOIN subscriptions s ON s.id = g.subscription_id
    WHERE g.ended_at IS NULL AND g.expires_at IS NOT NULL
        AND coalesce(s.status, 'cancelled') = 'cancelled'
    ORDER BY g.seq
""")
_REFUNDS = text("""
    SELECT p.name, p.at, c.test_clock_id FROM payments p JOIN customers c ON c.id = p.customer_id
    WHERE p.kind = 'refund' AND p.status = 'pending' ORDER BY p.seq
""")


async def living_subscriptions(connection: AsyncConnection) -> Sequence[Subscription]:
    rows = await connection.execute(_SUBSCRIPTIONS)
    return [from_plain(Subscription, row.state) for row in rows]


async def open_collections(connection: AsyncConnection) -> Sequence[Collection]:
    rows = await connection.execute(_COLLECTIONS)
    return [from_plain(Collection, row.state) for row in rows]


async def standing_grants(connection: AsyncConnection) -> Sequence[StandingGrant]:
    return [StandingGrant(*row) for row in await connection.execute(_GRANTS)]


async def pending_refunds(connection: AsyncConnection) -> Sequence[PendingRefund]:
    return [PendingRefund(*row) for row in await connection.execute(_REFUNDS)]
