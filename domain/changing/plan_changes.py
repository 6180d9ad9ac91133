"""Another plan, or another version of it: within the period, with a new one, or from the next on."""

from dataclasses import replace
from datetime import datetime

from domain.account import Facts, Outcome
from domain.bills import bill
from domain.changing.quantities import check_quantity
from domain.changing.standing import is_in_period, is_within_period
from domain.charges import Charge, charged_for_rest, taken_back
from domain.closing import close, without_waiting
from domain.commands import ChangePlan
from domain.credits import Grant
from domain.errors import Conflict, Fault, Invalid
from domain.granting import (
    after_taking_back,
    credits_for_rest,
    credits_taken_back,
    plan_credits,
    rolled_over,
    without,
)
from domain.ledger import Transaction
from domain.periods import (
    all_of_period,
    in_first_period,
    in_new_window,
    on_plan,
    rest_of_period,
    watching,
)
from domain.plans import Plan
from domain.subscription import Subscription


def change_plan(
    facts: Facts, subscription: Subscription, command: ChangePlan, at: datetime, name: str
) -> Outcome:
    plan = facts.plans[command.plan]
    check_plan(subscription, plan, command)
    if plan.currency != subscription.currency:
        raise Invalid.at("plan", f"{plan.key} is in {plan.currency}, not {subscription.currency}")
    asked = replace(subscription, next_quantities=dict(command.quantities))
    if not is_in_period(subscription):
        return Outcome(on_plan(asked, plan))
    if command.effective == "period_end" or not is_within_period(subscription, at):
        return Outcome(replace(asked, next_plan=plan.ref))
    if plan.interval == subscription.cycle.interval:
        return _change_plan_within_period(facts, asked, plan, at, name)
    after = on_plan(asked, plan)
    return begin_anew(facts, subscription, after, plan, at, name, is_first=True)


def check_plan(subscription: Subscription, plan: Plan, command: ChangePlan) -> None:
    """Raise Invalid for quantities, asked for or kept, that the plan cannot charge: the period's end would fail. Raise
    Conflict where an add-on has the key of one of its items.
    """
    taken = [add_on.key for add_on in subscription.living_add_ons if plan.item(add_on.key)]
    if taken:
        raise Conflict(f"{plan.key} has an item {taken[0]}, as {subscription.key} has an add-on")
    faults: list[Fault] = []
    for key, quantity in {**subscription.quantities, **command.quantities}.items():
        item = plan.item(key)
        if key not in command.quantities and (item is None or item.kind != "recurring"):
            continue
        try:
            check_quantity(plan, key, quantity)
        except Invalid as invalid:
            faults += [Fault(f"quantities.{key}", fault.message) for fault in invalid.faults]
        if quantity < 0:
            faults.append(Fault(f"quantities.{key}", "must not be negative"))
    if faults:
        raise Invalid(faults)


def _change_plan_within_period(
    facts: Facts, subscription: Subscription, new: Plan, at: datetime, name: str
) -> Outcome:
    """The period goes on: its rest is taken back at the old plan's prices and charged at the new one's, or neither where
    one of them prorates nothing: what was charged for the period stays. Add-ons stay as they are charged already.
    """
    old = facts.plans[subscription.plan]
    closed = close(subscription, old, facts, at, changes_plan=True)
    is_charged = subscription.charged_from is not None
    after = replace(
        without_waiting(on_plan(subscription, new)),
        usage_from=at,
        charged_from=at if is_charged else None,
    )
    after = in_new_window(after, new, at, name)
    rest = rest_of_period(subscription, at, changes_plan=True)
    prorations: list[Charge] = []
    grants: list[Grant] = []
    unused: tuple[Transaction, ...] = ()
    if is_charged and "none" not in (old.proration, new.proration):
        before, now = (replace(each, add_ons=()) for each in (subscription, after))
        prorations = [*taken_back(old, before, rest), *charged_for_rest(new, now, rest)]
        grants = credits_for_rest(after, new, rest, at, name)
        unused = credits_taken_back(facts, subscription, old, rest, name)
    outcome = bill(
        without(facts, unused),
        watching(after, new, grants),
        name,
        at,
        closed.charges(prorations=prorations),
        grants=grants,
        billed=closed.billed,
    )
    return after_taking_back(unused, outcome)


def begin_anew(
    facts: Facts,
    subscription: Subscription,
    moved: Subscription,
    new: Plan,
    at: datetime,
    name: str,
    is_first: bool,
) -> Outcome:
    """The rest of the period is taken back, and a new cycle starts, on the plan that the subscription has `moved` to:
    its first period is charged whole. `is_first` tells whether the plan's credits are granted as at its very start.
    """
    old = facts.plans[subscription.plan]
    closed = close(subscription, old, facts, at, changes_plan=True)
    after = in_new_window(in_first_period(moved, new, at), new, at, name)
    prorations: list[Charge] = []
    unused: tuple[Transaction, ...] = ()
    if subscription.charged_from is not None:
        rest = rest_of_period(subscription, at, changes_plan=True)
        prorations += taken_back(old, subscription, rest)
        unused = credits_taken_back(facts, subscription, old, rest, name)
    grants: list[Grant] = []
    if after.charged_from is not None:
        grants += plan_credits(after, new, at, name, is_first)
        prorations += charged_for_rest(new, after, all_of_period(after))
    left = without(facts, unused)
    outcome = bill(
        left,
        watching(after, new, grants),
        name,
        at,
        closed.charges(prorations=prorations),
        grants=grants,
        billed=closed.billed,
    )
    return after_taking_back(unused, rolled_over(left, outcome, new, at, is_first))
