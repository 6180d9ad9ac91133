"""What each step of a subscription's life changes and bills: facts in, outcome out, nothing touched.

Every step is in two: `needs` says which usage the decision must know, the caller measures it, then the
decision itself. The same functions bill, preview and simulate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from typing import Literal

from domain import changes, permitted
from domain.account import Facts, Need, Outcome
from domain.bills import bill
from domain.calendar import Cycle
from domain.charges import charged_in_advance
from domain.closing import close, closing_needs, waiting
from domain.commands import Command, Request
from domain.consumed import advance_needs, late_needs, used_in_advance, used_late
from domain.customers import Coupon, Customer, Redemption
from domain.errors import Conflict, Fault, Invalid
from domain.periods import (
    all_of_period,
    current_period,
    ended,
    in_first_period,
    in_next_period,
    in_trial,
    on_plan,
    plan_credits,
    watching,
)
from domain.plans import AdvanceInvoicing, Plan
from domain.reading import written
from domain.subscription import Subscription

Step = Literal["start", "trial_end", "period_end", "late_usage", "advance_usage"] | Command
"""`late_usage` bills what was used before the end of a life that is over; `advance_usage` the usage of items that
are charged as it arrives.
"""

REQUESTS_KEPT = 50


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
    _check_quantities(plan, quantities)
    return Subscription(
        id=id,
        key=key,
        customer=customer.id,
        plan=plan.ref,
        currency=plan.currency,
        timezone=customer.timezone,
        started_at=at,
        cycle=Cycle(at, plan.interval, plan.anchor, customer.timezone),
        quantities=dict(quantities),
        coupons=tuple(Redemption(coupon, at) for coupon in coupons),
        invoice_grace=plan.invoice_grace,
        environment=environment,
        test_clock=customer.test_clock,
    )


def needs(subscription: Subscription, step: Step, facts: Facts, at: datetime) -> tuple[Need, ...]:
    """The usage that the decision about `step` must know, each Need once. `facts.usage` is not looked at."""
    plan = facts.plans[subscription.plan]
    match step:
        case "start" | "trial_end":
            return ()
        case "period_end":
            found = closing_needs(subscription, plan, facts, current_period(subscription).end)
        case "late_usage":
            found = late_needs(facts)
        case "advance_usage":
            found = advance_needs(plan, subscription)
        case _:
            found = changes.command_needs(facts, subscription, step, at)
    return tuple(dict.fromkeys(found))


def begin(facts: Facts, subscription: Subscription, at: datetime) -> Outcome:
    """Enter the trial, or the first period at the start or the trial's end, and charge what is due in advance.

    Not due yet, begun already, or over, it changes nothing.
    """
    plan = facts.plans[subscription.next_plan or subscription.plan]
    match subscription.status:
        case "scheduled" if at >= subscription.started_at:
            if plan.trial is not None:
                return Outcome(in_trial(subscription, plan))
            return _begin_first_period(facts, subscription, plan, subscription.started_at, at)
        case "trialing" if subscription.trial_end is not None and at >= subscription.trial_end:
            if subscription.cancels_at_period_end:
                return Outcome(ended(subscription, subscription.trial_end))
            return _begin_first_period(facts, subscription, plan, subscription.trial_end, at)
        case _:
            return Outcome(subscription)


def end_period(facts: Facts, subscription: Subscription, at: datetime) -> Outcome:
    """Bill the period that is over and, unless this was the last one, begin the next and charge its advance on the
    same invoice. `at` is when the invoice is issued: with a grace, after the period's end. Before that end it
    changes nothing.
    """
    period = subscription.period
    if subscription.status not in ("active", "paused") or period is None or at < period.end:
        return Outcome(subscription)
    plan = facts.plans[subscription.plan]
    closed = close(subscription, plan, facts, until=period.end)
    name = f"invoice:{subscription.id}:{written(period.end)}"
    if subscription.cancels_at_period_end:
        after, charges = ended(subscription, period.end), closed.charges()
        return bill(
            facts, after, name, at, charges, billing_period=period.end, billed=closed.billed
        )
    following = facts.plans[subscription.next_plan or subscription.plan]
    after = in_next_period(on_plan(subscription, following), following)
    if after.charged_from is None:
        return bill(facts, after, name, at, closed.charges(), billed=closed.billed)
    grants = plan_credits(after, following, at, name, is_first=False)
    advance = charged_in_advance(following, after, all_of_period(after))
    return bill(
        facts,
        watching(after, grants),
        name,
        at,
        closed.charges(advance),
        grants=grants,
        billed=closed.billed,
    )


def carry_out(facts: Facts, subscription: Subscription, request: Request, at: datetime) -> Outcome:
    """Do what was asked, once for each request id, with what it bills at once.

    Raises Conflict or Invalid where `check` does, for what the plan does not have, and Conflict where the period
    is over but not yet closed (`is_past_its_period`): `end_period` comes first.
    """
    if request.id in subscription.request_ids:
        return Outcome(subscription)
    check(subscription, request.command, at)
    if subscription.is_past_its_period(at):
        raise Conflict(f"the last period of {subscription.key} is not invoiced yet")
    outcome = changes.do(facts, subscription, request.command, at, request.id)
    done = (*subscription.request_ids, request.id)[-REQUESTS_KEPT:]
    return replace(outcome, subscription=replace(outcome.subscription, request_ids=done))


def check(subscription: Subscription, command: Command, at: datetime) -> None:
    """Raise Conflict or Invalid, with the reason, where a command cannot be carried out on this state."""
    permitted.check(subscription, command)


def bill_late_usage(facts: Facts, subscription: Subscription, at: datetime, name: str) -> Outcome:
    """Invoice, after the final invoice, what has been used before it and was told since. `name` is the business
    name of that invoice, of the usage that caused it. Changes nothing while the subscription lives: its next
    invoice bills late usage.
    """
    if not subscription.is_over:
        return Outcome(subscription)
    late = used_late(facts)
    return bill(facts, subscription, name, at, late.charges, billing_period=at, billed=late.billed)


def charge_usage(
    facts: Facts,
    subscription: Subscription,
    at: datetime,
    name: str,
    invoicing: AdvanceInvoicing = "each",
) -> Outcome:
    """Invoice usage charged in advance as far as its rounded running total has changed since it was last billed:
    of the items invoiced for `each` event, or once a `day`. `name` is the business name of that invoice, of the
    event or day that caused it. Changes nothing in a trial, and when the life is over.
    """
    plan = facts.plans[subscription.plan]
    charges = used_in_advance(plan, subscription, facts, invoicing)
    return bill(facts, subscription, name, at, charges)


def grant_expired(subscription: Subscription, grant: str) -> Subscription:
    """Watch a grant no longer: its expiry is posted."""
    left = tuple(timer for timer in subscription.grants if timer.grant != grant)
    return replace(subscription, grants=left)


def _begin_first_period(
    facts: Facts, subscription: Subscription, plan: Plan, start: datetime, at: datetime
) -> Outcome:
    after = in_first_period(on_plan(subscription, plan), plan, start)
    name = f"invoice:{subscription.id}:{written(start)}"
    grants = plan_credits(after, plan, at, name, is_first=True)
    waited = waiting(subscription, plan, facts, start)
    advance = charged_in_advance(plan, after, all_of_period(after))
    return bill(
        facts,
        watching(after, grants),
        name,
        at,
        waited.charges(advance),
        grants=grants,
    )


def _check_quantities(plan: Plan, quantities: Mapping[str, Fraction]) -> None:
    recurring = {item.key for item in plan.items if item.kind == "recurring"}
    faults = [
        Fault(f"quantities.{name}", "must not be negative")
        if name in recurring
        else Fault(f"quantities.{name}", f"{plan.key} has no such recurring item")
        for name, quantity in quantities.items()
        if quantity < 0 or name not in recurring
    ]
    if faults:
        raise Invalid(faults)
