"""How often coupons have been redeemed: a row for each time, under the name of the step that redeemed it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.changing.coupons import check_redeemable, is_limited
from domain.customers import Coupon, Redeemed
from domain.subscription import Subscription

# The name of what redeems the coupons that a subscription begins with.
SUBSCRIBE = "subscribe"

_ADD = text("""
    INSERT INTO redemptions (environment_id, coupon, subscription_id, customer_id, name, redeemed_at)
    VALUES (:environment, :coupon, :subscription, :customer, :name, :at)
    ON CONFLICT DO NOTHING
""")
_COUNT = text("""
    SELECT coupon, count(*), count(*) FILTER (WHERE customer_id = :customer)
    FROM redemptions WHERE coupon = ANY(:coupons) GROUP BY coupon
""")
_IS_BEGUN = text("""
    SELECT EXISTS (SELECT FROM redemptions WHERE subscription_id = :subscription AND name = :name)
""")
_LOCK = text("SELECT key FROM coupons WHERE key = ANY(:coupons) ORDER BY key FOR NO KEY UPDATE")


async def lock_coupons(connection: AsyncConnection, coupons: Iterable[Coupon]) -> None:
    """Have the counts of limited coupons for this transaction alone. In READ COMMITTED only, and after the customer where
    that is locked too.
    """
    if keys := [coupon.key for coupon in coupons if is_limited(coupon)]:
        await connection.execute(_LOCK, {"coupons": keys})


async def redeemed(
    connection: AsyncConnection, coupons: Sequence[Coupon], customer: str
) -> Mapping[str, Redeemed]:
    """How often each has been redeemed, by anybody and by that customer."""
    if not coupons:
        return {}
    asked = {"coupons": [coupon.key for coupon in coupons], "customer": customer}
    rows = (await connection.execute(_COUNT, asked)).all()
    return {key: Redeemed(total, by_customer) for key, total, by_customer in rows}


async def redeem(
    connection: AsyncConnection,
    subscription: Subscription,
    coupons: Sequence[str],
    name: str,
    at: datetime,
) -> None:
    """Note that a step of that name has redeemed coupons; a repeat changes nothing."""
    for coupon in coupons:
        row = {
            "environment": subscription.environment,
            "coupon": coupon,
            "subscription": subscription.id,
            "customer": subscription.customer,
            "name": name,
            "at": at,
        }
        await connection.execute(_ADD, row)


async def require_redeemable(
    connection: AsyncConnection, beginning: Subscription, at: datetime
) -> None:
    """Raise `Conflict` where a coupon that a subscription is to begin with can be redeemed no more. One that has been
    written down has redeemed its own.
    """
    coupons = [each.coupon for each in beginning.coupons]
    name = {"subscription": beginning.id, "name": SUBSCRIBE}
    if not coupons or (await connection.execute(_IS_BEGUN, name)).scalar_one():
        return
    check_redeemable(coupons, await redeemed(connection, coupons, beginning.customer), at)


async def redeem_at_start(
    connection: AsyncConnection, beginning: Subscription, at: datetime
) -> None:
    """Redeem the coupons that a subscription, which is written down, is to begin with. Raises as `require_redeemable`."""
    coupons = [each.coupon for each in beginning.coupons]
    await lock_coupons(connection, coupons)
    await require_redeemable(connection, beginning, at)
    keys = [coupon.key for coupon in coupons]
    await redeem(connection, beginning, keys, SUBSCRIBE, at)
