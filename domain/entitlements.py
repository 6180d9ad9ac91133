"""What a customer may use: whether a feature is in a plan, and how far a limit goes in a period."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from domain.calendar import Period
from domain.plans import Entitlement, Plan
from domain.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Checked:
    """The answer to a check. `used` and `limit` are of a metered feature; no limit is None."""

    allowed: bool
    used: Fraction | None = None
    limit: Fraction | None = None
    resets_at: datetime | None = None
    reason: str | None = None


NOT_ENTITLED = Checked(False, reason="not_entitled")


def entitlement_to(subscription: Subscription, plan: Plan, feature: str) -> Entitlement | None:
    """What a subscription gives of a feature now: nothing while it is paused, and after its end."""
    if subscription.status not in ("trialing", "active"):
        return None
    found = next((e for e in plan.entitlements if e.feature == feature), None)
    return found if found is not None and found.value else None


def limited_period(subscription: Subscription, at: datetime) -> Period:
    """The period a limit is for: the trial, or the billing period that an instant lies in (which in a grace is the
    one after the period that is not yet closed).
    """
    if subscription.period is None:
        return Period(subscription.started_at, subscription.trial_end or at)
    if subscription.period.end <= at:
        _, period = subscription.cycle.period_containing(at)
        return period
    return subscription.period


def check_entitlement(
    entitlement: Entitlement, used: Fraction, quantity: Fraction, period: Period
) -> Checked:
    """Whether so much more may be used: used + quantity ≤ limit, unless the limit only warns."""
    if entitlement.type == "boolean":
        return Checked(True)
    limit = entitlement.limit
    is_within = limit is None or used + quantity <= limit
    return Checked(
        allowed=is_within or entitlement.on_limit != "block",
        used=used,
        limit=limit,
        resets_at=period.end,
        reason=None if is_within else "limit_reached",
    )


def best(answers: Iterable[Checked]) -> Checked:
    """The answer of several subscriptions: one that allows it is enough."""
    checked = list(answers)
    return next((each for each in checked if each.allowed), checked[0] if checked else NOT_ENTITLED)
