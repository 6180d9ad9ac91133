"""What each step of a subscription's life changes and bills: facts in, outcome out, nothing touched.

Every step is in two: `needs` says which usage the decision must know, the caller measures it, then the
decision itself. The same functions bill, preview and simulate.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Literal

from domain.account import Facts, Need, Outcome
from domain.commands import Command, Request
from domain.customers import Coupon, Customer
from domain.plans import Plan
from domain.subscription import Subscription

Step = Literal["start", "trial_end", "period_end", "late_usage", "advance_usage"] | Command
"""`late_usage` bills what was used before the end of a life that is over; `advance_usage` the usage of items that
are charged as it arrives.
"""


def new_subscription(
    *,
    id: str,
    key: str,
    customer: Customer,
    plan: Plan,
    at: datetime,
    quantities: Mapping[str, Fraction],
    coupons: Sequence[Coupon] = (),
    environment: str = "",
) -> Subscription:
    """A subscription that will start at `at`: `scheduled` until `begin`.

    Raises Invalid for quantities that are negative or of no recurring item of the plan.
    """
    raise NotImplementedError


def needs(subscription: Subscription, step: Step, facts: Facts, at: datetime) -> tuple[Need, ...]:
    """The usage that the decision about `step` must know, each Need once. `facts.usage` is not looked at."""
    raise NotImplementedError


def begin(facts: Facts, subscription: Subscription, at: datetime) -> Outcome:
    """Enter the trial, or the first period at the start or the trial's end, and charge what is due in advance.

    Begun already, or over, it changes nothing.
    """
    raise NotImplementedError


def end_period(facts: Facts, subscription: Subscription, at: datetime) -> Outcome:
    """Bill the period that is over and, unless this was the last one, begin the next and charge its advance on the
    same invoice. `at` is when the invoice is issued, which with a grace is after the period's end. Before that it
    changes nothing.
    """
    raise NotImplementedError


def carry_out(facts: Facts, subscription: Subscription, request: Request, at: datetime) -> Outcome:
    """Do what was asked, once for each request id, with what it bills at once.

    Raises Conflict or Invalid where `check` does, and Conflict for a plan in another currency.
    """
    raise NotImplementedError


def check(subscription: Subscription, command: Command, at: datetime) -> None:
    """Raise Conflict or Invalid, with the reason, where a command cannot be carried out on this state."""
    raise NotImplementedError


def bill_late_usage(facts: Facts, subscription: Subscription, at: datetime, name: str) -> Outcome:
    """Invoice, after the final invoice, what has been used before it and was told since. `name` is the business
    name of that invoice, of the usage that caused it. Changes nothing while the subscription lives: its next
    invoice bills late usage.
    """
    raise NotImplementedError


def charge_usage(facts: Facts, subscription: Subscription, at: datetime, name: str) -> Outcome:
    """Invoice usage charged in advance as far as its rounded running total has changed since it was last billed.
    `name` is the business name of that invoice, of the event or day that caused it.
    """
    raise NotImplementedError


def grant_expired(subscription: Subscription, grant: str) -> Subscription:
    """Watch a grant no longer: its expiry is posted."""
    raise NotImplementedError
