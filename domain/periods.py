"""How a subscription moves through its periods: into its trial, its first period, the next one, and out."""

from dataclasses import replace
from datetime import datetime

from domain.calendar import Cycle, Period, add_interval
from domain.charges import Stretch
from domain.credits import Grant
from domain.errors import Corrupt
from domain.money import settle
from domain.plans import Plan, PlanCredit
from domain.subscription import GrantTimer, Subscription


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


def in_trial(subscription: Subscription, plan: Plan) -> Subscription:
    assert plan.trial is not None
    end = add_interval(subscription.started_at, plan.trial, subscription.timezone)
    return replace(subscription, status="trialing", trial_end=end)


def in_first_period(subscription: Subscription, plan: Plan, start: datetime) -> Subscription:
    """In the first period of a plan, which starts a cycle of its own."""
    cycle = Cycle(start, plan.interval, plan.anchor, subscription.timezone)
    entered = replace(subscription, cycle=cycle, period=cycle.period(0), period_index=0)
    return _entered(entered, start)


def in_next_period(subscription: Subscription, plan: Plan) -> Subscription:
    """In the period after the current one: of the same cycle, unless the plan's interval is another."""
    start, cycle = current_period(subscription).end, subscription.cycle
    if plan.interval != cycle.interval:
        return in_first_period(subscription, plan, start)
    index = subscription.period_index + 1
    entered = replace(subscription, period=cycle.period(index), period_index=index)
    return _entered(entered, start)


def on_plan(subscription: Subscription, plan: Plan) -> Subscription:
    """On another plan, with the quantities of the items that both have."""
    items = {item.key for item in plan.items if item.kind == "recurring"}
    return replace(
        subscription,
        plan=plan.ref,
        next_plan=None,
        invoice_grace=plan.invoice_grace,
        quantities={k: q for k, q in subscription.quantities.items() if k in items},
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
        pauses=(),
        paused_at=None,
    )


def plan_credits(
    subscription: Subscription, plan: Plan, at: datetime, invoice: str, is_first: bool
) -> list[Grant]:
    """What the plan grants at the start of the current period, named after the invoice that charges it."""
    step = invoice.removeprefix("invoice:")
    return [
        _plan_credit(subscription, plan, credit, at, f"credit:{step}:{credit.key}")
        for credit in plan.credits
        if credit.every_period or is_first
    ]


def watching(subscription: Subscription, grants: list[Grant]) -> Subscription:
    """With timers for what expires."""
    timers = tuple(
        GrantTimer(grant.id, grant.expires_at) for grant in grants if grant.expires_at is not None
    )
    return replace(subscription, grants=(*subscription.grants, *timers))


def _entered(subscription: Subscription, start: datetime) -> Subscription:
    """At the start of a period: charged for from there, unless a pause keeps it from being charged."""
    is_paused = subscription.status == "paused"
    return replace(
        subscription,
        status="paused" if is_paused else "active",
        usage_from=start,
        charged_from=None if is_paused else start,
        quantity_changes=(),
        one_off_charges=(),
        pauses=(),
    )


def _plan_credit(
    subscription: Subscription, plan: Plan, credit: PlanCredit, at: datetime, id: str
) -> Grant:
    start = current_period(subscription).start
    expires_at = None
    if credit.expires_after is not None:
        expires_at = add_interval(start, credit.expires_after, subscription.timezone)
    return Grant(
        id=id,
        key=credit.key,
        customer=subscription.customer,
        kind="promotional",
        amount=settle(credit.amount, plan.currency),
        priority=credit.priority,
        granted_at=at,
        effective_at=start,
        expires_at=expires_at,
        items=credit.items,
    )
