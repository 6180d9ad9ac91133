"""The coupons that steps of a life may redeem: each decision must know how often they have been redeemed before."""

from collections.abc import Iterable

from domain.commands import AddCoupon, ScheduledChange
from domain.customers import Coupon
from domain.lifecycle import Step
from domain.subscription import Subscription


def redeeming(subscription: Subscription, step: Step) -> tuple[Coupon, ...]:
    """Those that a step may redeem."""
    if isinstance(step, AddCoupon):
        return (step.coupon,)
    if step != "period_end":
        return ()
    return _planned(entry for entry in subscription.schedule if entry.periods == 1)


def redeeming_ahead(subscription: Subscription, step: Step) -> tuple[Coupon, ...]:
    """Those that a step, and whatever follows it by itself, may redeem."""
    return (*redeeming(subscription, step), *_planned(subscription.schedule))


def _planned(schedule: Iterable[ScheduledChange]) -> tuple[Coupon, ...]:
    changes = (entry.change for entry in schedule)
    return tuple(change.coupon for change in changes if isinstance(change, AddCoupon))
