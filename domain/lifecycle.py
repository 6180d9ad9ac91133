"""What each step of a subscription's life changes and bills: facts in, outcome out, nothing touched.

Every step is in two: `needs` says which usage the decision must know, the caller measures it, then the
decision itself. The same functions bill, preview and simulate.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from functools import partial
from typing import Literal

from domain import changes, permitted, scheduled
from domain.account import Facts, Need, Outcome
from domain.bills import bill
from domain.bounds import TOO_LARGE, is_too_large
from domain.calendar import Cycle
from domain.changing.unpaid import changes_what_is_billed, gated
from domain.charges import charged_in_advance
from domain.closing import close, closing_needs, parted_waiting, waiting
from domain.commands import Command, NotePayment, Request, SetTrialEnd
from domain.consumed import (
    advance_needs,
    day_needs,
    late_needs,
    opening_needs,
    used_in_advance,
    used_late,
)
from domain.customers import Coupon, Customer, Redemption
from domain.errors import Conflict, Fault, Invalid
from domain.granting import plan_credits, rolled_over
from domain.on_account import on_account_needs, used_on_account
from domain.periods import (
    all_of_period,
    current_period,
    ended,
    entered_trial,
    in_first_period,
    in_new_window,
    in_next_period,
    in_rest_of_period,
    on_plan,
    watching,
    watching_without,
)
from domain.plans import Item, Occasion, Plan
from domain.pricing.usage import Quantity
from domain.rating import rate
from domain.reading import written
from domain.subscription import Subscription

Step = (
    Literal[
        "start", "trial_end", "period_end", "late_usage", "advance_usage", "window_start", "day_end"
    ]
    | Command
)
"""`late_usage` bills what was used before the end of a life that is over. The last three bill the usage of items that
are charged as it arrives: what arrives, what had arrived when a window of usage began, what a day has gathered.
"""

REQUESTS_KEPT = 50
MOST_PAST_PERIODS = 400


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
    trial_end: datetime | None = None,
    now: datetime | None = None,
    pools_usage: bool = False,
) -> Subscription:
    """A subscription that will start at `at`: `scheduled` until `begin`. A start before `now` is one in the past: what
    was due by now is done at once. A `trial_end` is in the place of the plan's; at the start there is no trial. Who pays
    for it is who pays for the customer now.

    Raises Invalid for quantities that are negative or of no recurring item of the plan, for a coupon that is there twice,
    and for a start so long ago that more than MOST_PAST_PERIODS would be billed at once.
    """
    _check_quantities(plan, quantities)
    _check_coupons(coupons)
    is_past = now is not None and at < now
    if now is not None and is_past:
        _check_past(Cycle(at, plan.interval, plan.anchor, customer.timezone), now)
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
        trial_end=trial_end,
        created_at=now if is_past else None,
        payer=customer.payer,
        customer_key=customer.key if customer.payer else None,
        pools_usage=pools_usage,
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
            found = (*advance_needs(plan, subscription, facts), *late_needs(facts))
            found += on_account_needs(plan, subscription, facts)
        case "window_start":
            found = (*opening_needs(plan, subscription, facts), *late_needs(facts))
            found += on_account_needs(plan, subscription, facts)
        case "day_end":
            found = (*day_needs(plan, subscription, facts, at), *late_needs(facts))
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
            if subscription.period is not None:  # what another life had left of it
                return _begin_rest_of_period(facts, subscription, at)
            in_trial = entered_trial(subscription, plan)
            if in_trial is not None:
                return Outcome(in_trial)
            return _begin_first_period(facts, subscription, plan, subscription.started_at, at)
        case "trialing" if subscription.trial_end is not None and at >= subscription.trial_end:
            if subscription.cancels_at_period_end:
                return Outcome(ended(subscription, subscription.trial_end))
            return _end_trial(facts, subscription, plan, subscription.trial_end, at)
        case _:
            return Outcome(subscription)


def end_period(facts: Facts, subscription: Subscription, at: datetime) -> Outcome:
    """Bill the period that is over and, unless this was the last one, begin the next and charge its advance on the
    same invoice, as the changes that were scheduled for the end have it. `at` is when the invoice is issued: with a
    grace, after the period's end. Before that end it changes nothing.
    """
    period = subscription.period
    if subscription.status not in ("active", "paused") or period is None or at < period.end:
        return Outcome(subscription)
    was_due = subscription.closes_at(period) if subscription.closes_at(period) < at else None
    changed = scheduled.at_period_end(facts, subscription, period.end)
    closed, closed_at = changed.subscription, at if at > period.end else None
    if closed.closed_at != closed_at:
        closed = replace(closed, closed_at=closed_at)
    outcome = _end_period(facts, closed, period.end, at, was_due)
    if not subscription.schedule:
        return outcome
    return replace(outcome, redeemed=changed.redeemed, refused=changed.refused)


def _end_period(
    facts: Facts,
    subscription: Subscription,
    end: datetime,
    at: datetime,
    was_due: datetime | None,
) -> Outcome:
    closed = close(subscription, facts.plans[subscription.plan], facts, until=end)
    name = f"invoice:{subscription.id}:{written(end)}"
    invoice = partial(bill, name=name, at=at, billed=closed.billed, was_due=was_due)
    if subscription.cancels_at_period_end:
        after, charges = ended(subscription, end), closed.charges()
        return invoice(facts, after, charges=charges, billing_period=end)
    following = facts.plans[subscription.next_plan or subscription.plan]
    after = in_next_period(on_plan(subscription, following), following)
    after = in_new_window(after, following, at, name)
    if after.charged_from is None:
        return invoice(facts, after, charges=closed.charges())
    grants = plan_credits(after, following, at, name, is_first=False)
    advance = charged_in_advance(following, after, all_of_period(after))
    watched = watching(after, following, grants)
    billed = invoice(facts, watched, charges=closed.charges(advance), grants=grants)
    return rolled_over(facts, billed, following, at)


def carry_out(facts: Facts, subscription: Subscription, request: Request, at: datetime) -> Outcome:
    """Do what was asked, once for each request id, with what it bills at once.

    Raises Conflict or Invalid where `check` does, for what the plan does not have, and Conflict where the period
    is over but not yet closed (`closes_before`): `end_period` comes first.
    """
    if request.id in subscription.request_ids:
        return Outcome(subscription)
    check(subscription, request.command, at)
    if closes_before(subscription, request.command, at):
        raise Conflict(f"the last period of {subscription.key} is not invoiced yet")
    outcome = changes.do(facts, subscription, request, at)
    if isinstance(request.command, SetTrialEnd) and subscription.status == "trialing":
        outcome = begin(facts, outcome.subscription, at)
    done = (*subscription.request_ids, request.id)[-REQUESTS_KEPT:]
    return replace(outcome, subscription=replace(outcome.subscription, request_ids=done))


def closes_before(subscription: Subscription, command: Command, at: datetime) -> bool:
    """Whether a period that is over, in its grace too, must be closed before the command is carried out."""
    if isinstance(command, NotePayment) and not changes_what_is_billed(subscription, command):
        return False
    return subscription.is_past_its_period(at)


def change_due(facts: Facts, subscription: Subscription, change: str, at: datetime) -> Outcome:
    """Carry out what has come due on the schedule, once. What the rules refuse by now leaves the schedule, and the
    outcome says why. Raises Conflict where the period is over but not yet closed: `end_period` comes first.
    """
    if subscription.closes_before_change(change, at):
        raise Conflict(f"the last period of {subscription.key} is not invoiced yet")
    return scheduled.change_due(facts, subscription, change, at)


def check(subscription: Subscription, command: Command, at: datetime) -> None:
    """Raise Conflict or Invalid, with the reason, where a command cannot be carried out on this state."""
    permitted.check(subscription, command, at)


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
    occasion: Occasion = "arrival",
    until: datetime | None = None,
    items: Collection[str] | None = None,
) -> Outcome:
    """Invoice usage charged in advance as far as its rounded running total has changed since it was last billed:
    of the items that are invoiced on this occasion (`until` and `items`: see `used_in_advance`), with all that waits
    for the next invoice. `name` is the business name of that invoice, of the event or day that caused it. Changes
    nothing in a trial, when the life is over, and where no total has changed.
    """
    plan = facts.plans[subscription.plan]
    used = used_in_advance(plan, subscription, facts, occasion, until, items)
    if occasion == "arrival":
        used += used_on_account(plan, subscription, facts)
        used.sort(key=lambda charge: charge.order)
    if not used:
        return Outcome(subscription)
    billable, after = parted_waiting(subscription, plan)
    waited = replace(waiting(billable, plan, facts, at), arrears=tuple(used))
    return bill(facts, after, name, at, waited.charges(), billed=waited.billed)


def grant_expired(subscription: Subscription, grant: str) -> Subscription:
    """Watch a grant no longer: its expiry is posted."""
    return watching_without(subscription, (grant,))


def _end_trial(
    facts: Facts, subscription: Subscription, plan: Plan, end: datetime, at: datetime
) -> Outcome:
    """Into the first period; where there is nothing to pay with, as the plan has it."""
    policy = plan.trial_without_payment_method
    if facts.customer.has_payment_method or policy == "continue":
        return _begin_first_period(facts, subscription, plan, end, at)
    if policy == "cancel":
        return Outcome(ended(subscription, end))
    waited = waiting(subscription, plan, facts, end)
    paused = replace(on_plan(subscription, plan), status="paused", paused_at=end)
    name = f"invoice:{subscription.id}:{written(end)}"
    return bill(facts, in_first_period(paused, plan, end), name, at, waited.charges())


def _begin_first_period(
    facts: Facts, subscription: Subscription, plan: Plan, start: datetime, at: datetime
) -> Outcome:
    begun = in_first_period(on_plan(subscription, plan), plan, start)
    return _charge_first_period(facts, subscription, begun, start, at)


def _begin_rest_of_period(facts: Facts, subscription: Subscription, at: datetime) -> Outcome:
    """In its cycle and on its plan: what is planned for the period's end waits for that."""
    begun = in_rest_of_period(subscription)
    return _charge_first_period(facts, subscription, begun, subscription.started_at, at)


def _charge_first_period(
    facts: Facts,
    subscription: Subscription,
    begun: Subscription,
    start: datetime,
    at: datetime,
) -> Outcome:
    plan = facts.plans[begun.plan]
    name = f"invoice:{subscription.id}:{written(start)}"
    waited = waiting(subscription, plan, facts, start)
    advance = charged_in_advance(plan, begun, all_of_period(begun))
    was_due = start if start < at else None
    charges = waited.charges(advance)
    if plan.activation == "first_payment":
        return gated(bill(facts, begun, name, at, charges, was_due=was_due), plan, at, name)
    after = in_new_window(begun, plan, at, name)
    grants = plan_credits(after, plan, at, name, is_first=True)
    watched = watching(after, plan, grants)
    return bill(facts, watched, name, at, charges, grants=grants, was_due=was_due)


def _check_past(cycle: Cycle, now: datetime) -> None:
    *_, last = cycle.starts(MOST_PAST_PERIODS + 1)
    if last <= now:
        raise Invalid.at("starts_at", f"is more than {MOST_PAST_PERIODS} billing periods ago")


def _check_coupons(coupons: Sequence[Coupon]) -> None:
    keys = [coupon.key for coupon in coupons]
    twice = [place for place, key in enumerate(keys) if key in keys[:place]]
    if twice:
        raise Invalid(
            Fault(f"coupons.{place}", f"is there twice: {keys[place]}") for place in twice
        )


def _check_quantities(plan: Plan, quantities: Mapping[str, Fraction]) -> None:
    faults = [
        Fault(f"quantities.{name}", message)
        for name, quantity in quantities.items()
        if (message := _fault_of_quantity(plan, plan.item(name), quantity))
    ]
    if faults:
        raise Invalid(faults)


def _fault_of_quantity(plan: Plan, item: Item | None, quantity: Fraction) -> str | None:
    if item is None or item.kind != "recurring":
        return f"{plan.key} has no such recurring item"
    if quantity < 0:
        return "must not be negative"
    return TOO_LARGE if is_too_large(rate(item.price, Quantity(quantity)).amount) else None
