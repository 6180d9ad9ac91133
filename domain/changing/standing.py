"""Where in its life a subscription stands, as far as a change asks."""

from datetime import datetime

from domain.periods import current_period
from domain.subscription import Subscription


def is_in_period(subscription: Subscription) -> bool:
    """Whether it has begun and is not in its trial."""
    return subscription.status in ("active", "paused")


def is_within_period(subscription: Subscription, at: datetime) -> bool:
    """Whether something of the period is still ahead: at its very end, a change acts before the next one."""
    return is_in_period(subscription) and at < current_period(subscription).end
