"""How a subscription moves through its periods: into its trial, its first period, the next one, and out."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from domain.calendar import Cycle, Period, add_interval
from domain.charges import Stretch
from domain.credits import Grant
from domain.errors import Corrupt
from domain.plans import Plan
from domain.subscription import GrantTimer, OpenedWindow, Subscription


def current_period(subscription: Subscription) -> Period:
    if subscription.period is None:
        raise Corrupt(f"{subscription.id} is {subscription.status} without a period")
    return subscription.period


def whole_period(subscription: Subscription) -> Period:
    """What the current period is prorated by: itself, or what a short first one is left of."""
    return subscription.cycle.full_period(subscription.period_index)


def all_of_period(subscription: Subscription) -> Stretch:
    return Stretch(current_period(subscription), whole_period(subscription), subscription.timezone)


def rest_of_period(subscription: Subscription, at: datetime, changes_plan: bool) -> Stretch:
    rest = Period(at, current_period(subscription).end)
    return Stretch(rest, whole_period(subscription), subscription.timezone, changes_plan)


def entered_trial(subscription: Subscription, plan: Plan) -> Subscription | None:
    """In the trial that was asked for, or the plan's; None where there is none."""
    start, end = subscription.started_at, subscription.trial_end
    if end is None:
        if plan.trial is None:
            return None
        end = add_interval(start, plan.trial, subscription.timezone)
    return replace(subscription, status="trialing", trial_end=end) if end > start else None


def in_first_period(subscription: Subscription, plan: Plan, start: datetime) -> Subscription:
    """In the first period of a plan, which starts a cycle of its own."""
    cycle = Cycle(start, plan.interval, plan.anchor, subscription.timezone)
    return _entered(subscription, cycle, 0, start)


def in_rest_of_period(subscription: Subscription) -> Subscription:
    """In what is left of the period that it was handed with its cycle."""
    entered = _entered(
        subscription, subscription.cycle, subscription.period_index, subscription.started_at
    )
    return replace(entered, rest_since=subscription.rest_since)


def in_next_period(subscription: Subscription, plan: Plan) -> Subscription:
    """In the period after the current one: of the same cycle, unless the plan's interval is another or it was reset."""
    start, cycle = current_period(subscription).end, subscription.cycle
    if plan.interval != cycle.interval or subscription.resets_anchor:
        return in_first_period(subscription, plan, start)
    return _entered(subscription, cycle, subscription.period_index + 1, start)


def on_plan(subscription: Subscription, plan: Plan) -> Subscription:
    """On another plan, with its add-ons, the quantities of the items that both have and those asked for with it. Mostly
    it is on it as it is: a copy of a life costs more than that look.
    """
    items = {item.key for item in plan.items if item.kind == "recurring"}
    items |= {add_on.key for add_on in subscription.add_ons}
    asked = {**subscription.quantities, **subscription.next_quantities}
    quantities = {key: quantity for key, quantity in asked.items() if key in items}
    grace, is_asked = plan.invoice_grace, subscription.next_plan or subscription.next_quantities
    now = (subscription.plan, subscription.invoice_grace, subscription.quantities)
    if not is_asked and now == (plan.ref, grace, quantities):
        return subscription
    return replace(
        subscription,
        plan=plan.ref,
        next_plan=None,
        invoice_grace=grace,
        next_quantities={},
        quantities=quantities,
    )


def ended(subscription: Subscription, at: datetime) -> Subscription:
    """Over: nothing more is due but what its grants have left, and late usage."""
    return replace(
        subscription,
        status="cancelled",
        ended_at=at,
        usage_from=None,
        charged_from=None,
        quantity_changes=(),
        one_off_charges=(),
        next_plan=None,
        next_quantities={},
        resets_anchor=False,
        schedule=(),
        pauses=(),
        paused_at=None,
        paused_for=None,
        awaits_payment=None,
        past_due=(),
    )


def in_new_window(
    subscription: Subscription, plan: Plan, at: datetime, invoice: str
) -> Subscription:
    """A window of usage has begun, by the step that has this invoice name. Where the plan charges usage as it arrives,
    what has come for the window already is charged next; in a pause, when it is over.
    """
    if subscription.status != "active" or plan.occasions <= {"period"}:
        return subscription
    return replace(subscription, opened=OpenedWindow(at, invoice))


def watching(subscription: Subscription, plan: Plan, grants: Sequence[Grant]) -> Subscription:
    """With timers for what expires of a plan's grants."""
    if not grants:
        return subscription
    carried = {credit.key for credit in plan.credits if credit.rollover is not None}
    timers = tuple(
        GrantTimer(grant.id, grant.expires_at, grant.key in carried)
        for grant in grants
        if grant.expires_at is not None
    )
    return replace(subscription, grants=(*subscription.grants, *timers))


def watching_without(subscription: Subscription, grants: Collection[str]) -> Subscription:
    """With no timers for these, of which nothing is left to watch over."""
    left = tuple(timer for timer in subscription.grants if timer.grant not in grants)
    return replace(subscription, grants=left)


def _entered(subscription: Subscription, cycle: Cycle, index: int, start: datetime) -> Subscription:
    """At the start of a period: charged for from there, unless a pause keeps it from being charged."""
    is_paused = subscription.status == "paused"
    return replace(
        subscription,
        cycle=cycle,
        period=cycle.period(index),
        period_index=index,
        status="paused" if is_paused else "active",
        usage_from=start,
        charged_from=None if is_paused else start,
        quantity_changes=(),
        one_off_charges=(),
        add_ons=subscription.living_add_ons,
        pauses=(),
        resets_anchor=False,
        rest_since=None,
    )
