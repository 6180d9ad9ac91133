"""Coupons that a living subscription is given, or loses, and the limits within which one is redeemed at all."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from domain.account import Facts, Outcome
from domain.commands import AddCoupon, RemoveCoupon
from domain.customers import Coupon, Redeemed, Redemption
from domain.errors import Conflict, NotFound
from domain.reading import written
from domain.subscription import Subscription

_NEVER = Redeemed()


def add_coupon(
    facts: Facts, subscription: Subscription, command: AddCoupon, at: datetime
) -> Outcome:
    """With one more coupon, which reduces the invoices that are issued from now on.

    Raises Conflict where it has that coupon already, for an amount in another currency, and where `check_redeemable`
    does.
    """
    coupon, key = command.coupon, subscription.key
    if any(each.coupon.key == coupon.key for each in subscription.coupons):
        raise Conflict(f"{key} has the coupon {coupon.key} already")
    if coupon.currency not in (None, subscription.currency):
        raise Conflict(
            f"the coupon {coupon.key} is in {coupon.currency}, {key} in {subscription.currency}"
        )
    check_redeemable((coupon,), facts.redeemed, at)
    coupons = (*subscription.coupons, Redemption(coupon, at))
    return Outcome(replace(subscription, coupons=coupons), redeemed=(coupon.key,))


def remove_coupon(subscription: Subscription, command: RemoveCoupon) -> Outcome:
    """Without a coupon, which stays redeemed. Raises NotFound where it does not have it."""
    left = tuple(each for each in subscription.coupons if each.coupon.key != command.coupon)
    if left == subscription.coupons:
        raise NotFound(f"{subscription.key} has no coupon {command.coupon}")
    return Outcome(replace(subscription, coupons=left))


def check_redeemable(
    coupons: Iterable[Coupon], redeemed: Mapping[str, Redeemed], at: datetime
) -> None:
    """Raise Conflict, with the coupon's name and the reason, for one that can be redeemed no more."""
    for coupon in coupons:
        _check(coupon, redeemed.get(coupon.key, _NEVER), at)


def is_limited(coupon: Coupon) -> bool:
    """Whether how often it has been redeemed decides anything."""
    return coupon.max_redemptions is not None or coupon.max_redemptions_per_customer is not None


def _check(coupon: Coupon, redeemed: Redeemed, at: datetime) -> None:
    by, end = coupon.redeem_by, coupon.expires_at
    most, most_by_one = coupon.max_redemptions, coupon.max_redemptions_per_customer
    if by is not None and at >= by:
        raise Conflict(f"the coupon {coupon.key} was to be redeemed before {written(by)}")
    if end is not None and at >= end:
        raise Conflict(f"the coupon {coupon.key} has expired at {written(end)}")
    if most is not None and redeemed.total >= most:
        raise Conflict(f"the coupon {coupon.key} has been redeemed {_times(most)}: it is used up")
    if most_by_one is not None and redeemed.by_customer >= most_by_one:
        raise Conflict(
            f"the coupon {coupon.key} has been redeemed {_times(most_by_one)} by this customer:"
            " it is used up for them"
        )


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
