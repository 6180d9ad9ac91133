"""Automatic top-ups: credit is bought where what is available falls below a threshold, one purchase at a time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Literal

from domain.bounds import TOO_LARGE, is_too_large
from domain.calendar import Period
from domain.currencies import read_currency
from domain.errors import Fault, Invalid
from domain.money import Money, least, settle, settle_within, total
from domain.reading import Fields, decimal, integer
from domain.timezones import instant_of, local_time

AttemptStatus = Literal["pending", "paid", "declined"]

USUAL_COOL_DOWN = 3_600
SHORTEST_COOL_DOWN = 60  # seconds: a card that is declined is not asked again at once
LONGEST_COOL_DOWN = 366 * 86_400


@dataclass(frozen=True, slots=True)
class AutomaticTopUpOrder:
    """As it is asked for. `currency` is None where the customer's usual one is meant; `cool_down` is in seconds."""

    threshold: Fraction
    target: Fraction | None
    amount: Fraction | None
    monthly_cap: Fraction | None
    cool_down: int
    currency: str | None


@dataclass(frozen=True, slots=True)
class AutomaticTopUp:
    """Where less than `threshold` is available, buy `amount`, or what is missing to `target`: it has one of the two. At
    most `monthly_cap` is bought in a calendar month.
    """

    threshold: Money
    target: Money | None
    amount: Money | None
    monthly_cap: Money | None
    cool_down: timedelta

    @property
    def currency(self) -> str:
        return self.threshold.currency


@dataclass(frozen=True, slots=True)
class Attempt:
    """One purchase: asked for `at`, under way until it is answered, at `ended_at`."""

    at: datetime
    amount: Money
    status: AttemptStatus
    ended_at: datetime | None = None

    @property
    def counts(self) -> bool:
        """Whether money was taken, or may yet be."""
        return self.status != "declined"

    def touches(self, month: Period) -> bool:
        """Whether it falls into a month, by when it was asked for or by when it was answered."""
        return month.contains(self.at) or self.ended_at is None or month.contains(self.ended_at)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to buy now, if anything. Where time alone stands in the way: `again_at`."""

    buy: Money | None = None
    again_at: datetime | None = None


def read_automatic_top_up(value: object) -> AutomaticTopUpOrder:
    """Read `{"currency", "threshold", "target" or "amount", "monthly_cap", "cool_down"}`."""
    fields = Fields(value)
    order = AutomaticTopUpOrder(
        threshold=fields.required("threshold", decimal),
        target=fields.nullable("target", decimal),
        amount=fields.nullable("amount", decimal),
        monthly_cap=fields.nullable("monthly_cap", decimal),
        cool_down=fields.optional(
            "cool_down", integer(SHORTEST_COOL_DOWN, LONGEST_COOL_DOWN), USUAL_COOL_DOWN
        ),
        currency=fields.nullable("currency", read_currency),
    )
    if fields.has("target") and fields.has("amount"):
        fields.refuse("amount", "cannot be given together with a target")
    if not fields.has("target") and not fields.has("amount"):
        fields.refuse("target", "is required, or an amount")
    fields.done()
    return order


def new_automatic_top_up(order: AutomaticTopUpOrder, currency: str) -> AutomaticTopUp:
    """Raises Invalid for amounts that the currency does not have, or that make no sense together."""
    faults = list(_faults_of_amounts(order, currency)) or list(_faults_between(order))
    if faults:
        raise Invalid(faults)
    return AutomaticTopUp(
        threshold=settle(order.threshold, currency),
        target=None if order.target is None else settle(order.target, currency),
        amount=None if order.amount is None else settle(order.amount, currency),
        monthly_cap=None if order.monthly_cap is None else settle(order.monthly_cap, currency),
        cool_down=timedelta(seconds=order.cool_down),
    )


def decide(
    rule: AutomaticTopUp,
    available: Fraction,
    attempts: Sequence[Attempt],
    at: datetime,
    month: Period,
) -> Decision:
    """Whether to buy at an instant of a calendar month of the customer's. `attempts` are the latest, and all that touch
    the month. Never two at once, never within the cool-down after the last was answered, never above the cap, and never
    more than brings what is available to the target.
    """
    if available >= rule.threshold.exact or any(each.status == "pending" for each in attempts):
        return Decision()
    rests_until = _rests_until(rule, attempts)
    if rests_until is not None and at < rests_until:
        return Decision(again_at=rests_until)
    buy = _affordable(rule, _wanted(rule, available), attempts, month)
    return Decision(again_at=month.end) if buy is None else Decision(buy)


def month_of(at: datetime, timezone: str) -> Period:
    """The calendar month of an instant, by a timezone's clock."""
    local = local_time(at, timezone)
    first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (first + timedelta(days=31)).replace(day=1)
    return Period(instant_of(first, timezone), instant_of(following, timezone))


def _rests_until(rule: AutomaticTopUp, attempts: Iterable[Attempt]) -> datetime | None:
    last = max((each.ended_at or each.at for each in attempts), default=None)
    return None if last is None else last + rule.cool_down


def _wanted(rule: AutomaticTopUp, available: Fraction) -> Money:
    """What is missing to the target, without the part of a minor unit that would go beyond it."""
    if rule.amount is not None:
        return rule.amount
    assert rule.target is not None
    return settle_within(rule.target.exact - available, rule.currency)


def _affordable(
    rule: AutomaticTopUp, wanted: Money, attempts: Iterable[Attempt], month: Period
) -> Money | None:
    """What the month's cap leaves of it: of what is missing to a target a part, too; of a fixed amount all or nothing."""
    if rule.monthly_cap is None:
        return wanted
    bought = [each.amount for each in attempts if each.counts and each.touches(month)]
    left = rule.monthly_cap - total(bought, rule.currency)
    if rule.amount is not None:
        return wanted if (left - wanted).minor >= 0 else None
    return least(wanted, left) if left.minor > 0 else None


def _faults_of_amounts(order: AutomaticTopUpOrder, currency: str) -> Iterable[Fault]:
    named = {
        "threshold": order.threshold,
        "target": order.target,
        "amount": order.amount,
        "monthly_cap": order.monthly_cap,
    }
    for name, amount in named.items():
        if amount is None:
            continue
        if amount < 0:
            yield Fault(name, "must not be negative")
        elif amount == 0 and name != "threshold":
            yield Fault(name, "must be greater than zero")
        elif settle(amount, currency).exact != amount:
            yield Fault(name, f"has more decimals than {currency} has")
        elif is_too_large(amount):
            yield Fault(name, TOO_LARGE)


def _faults_between(order: AutomaticTopUpOrder) -> Iterable[Fault]:
    if order.target is not None and order.target <= order.threshold:
        yield Fault("target", "must be greater than the threshold")
    if order.monthly_cap is not None and order.monthly_cap < (order.amount or 0):
        yield Fault("monthly_cap", "must not be less than the amount")
