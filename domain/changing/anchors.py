"""Periods that are counted from another instant."""

from dataclasses import replace
from datetime import datetime

from domain.account import Facts, Outcome
from domain.changing.plan_changes import begin_anew
from domain.changing.standing import is_within_period
from domain.errors import Conflict
from domain.subscription import Subscription


def reset_anchor(facts: Facts, subscription: Subscription, at: datetime, name: str) -> Outcome:
    """A new cycle begins: what was used is billed, the rest of the period taken back, the new period charged whole.
    At the very end of a period, the next one is counted from there.

    Raises Conflict for a plan whose periods are counted from elsewhere.
    """
    plan = facts.plans[subscription.plan]
    if plan.anchor != "anniversary":
        raise Conflict(f"the periods of {plan.key} are counted from its own anchor")
    if not is_within_period(subscription, at):
        return Outcome(replace(subscription, resets_anchor=True))
    return begin_anew(facts, subscription, subscription, plan, at, name, is_first=False)
