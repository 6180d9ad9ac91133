"""Bonuses on top-ups: promotional credit that plans promise to who pays enough ahead."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from domain.calendar import add_interval
from domain.credits import NEVER, Grant
from domain.money import Money, settle
from domain.plans import Plan, TopUpBonus
from domain.subscription import Status, Subscription

EARNING: tuple[Status, ...] = ("trialing", "active", "paused")
_BONUS = ":bonus"


@dataclass(frozen=True, slots=True)
class Bonus:
    """What comes with a top-up once it is paid, as it was promised when that was asked for: `grant` is the id that it will
    have.
    """

    grant: str
    amount: Money
    expires_at: datetime | None = None


def earns(subscription: Subscription, customer: str, currency: str) -> bool:
    """Whether a customer's top-ups have the bonuses of a subscription's plan: it lives, and they pay for it."""
    pays = subscription.billed_to == customer and subscription.currency == currency
    return pays and subscription.status in EARNING


def best_bonus(
    plans: Iterable[Plan], paid: Money, grant: str, at: datetime, timezone: str
) -> Bonus | None:
    """The highest that one of these plans promises for a top-up that is asked for at an instant; of equal ones, that which
    lasts longest. `grant` is the id that it is to have, `timezone` the customer's.
    """
    promised = (_bonus(each, paid, grant, at, timezone) for each in _reached(plans, paid))
    worth = [bonus for bonus in promised if bonus.amount.minor]
    return max(worth, key=lambda each: (each.amount.minor, each.expires_at or NEVER), default=None)


def bonus_granted(bonus: Bonus, bought: Grant) -> Grant:
    """The promotional grant that comes beside the prepaid one of a top-up: like it but for what was promised."""
    return replace(
        bought,
        id=bonus.grant,
        key=bonus_key(bought.key),
        kind="promotional",
        amount=bonus.amount,
        expires_at=bonus.expires_at,
    )


def bonus_key(top_up: str) -> str:
    return f"{top_up}{_BONUS}"


def bonus_of(key: str) -> str | None:
    """The key of the top-up whose bonus has this key; None where it can be none's."""
    return key.removesuffix(_BONUS) if key.endswith(_BONUS) else None


def _reached(plans: Iterable[Plan], paid: Money) -> Iterator[TopUpBonus]:
    """Of each plan the one with the highest threshold that was reached."""
    for plan in plans:
        reached = [each for each in plan.top_up_bonuses if each.threshold <= paid.exact]
        if reached:
            yield max(reached, key=lambda each: each.threshold)


def _bonus(of: TopUpBonus, paid: Money, grant: str, at: datetime, timezone: str) -> Bonus:
    exact = of.amount if of.percent is None else paid.exact * of.percent / 100
    expires_at = None
    if of.expires_after is not None:
        expires_at = add_interval(at, of.expires_after, timezone)
    return Bonus(grant, settle(exact or Fraction(0), paid.currency), expires_at)
