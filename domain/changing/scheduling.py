"""Changes that wait for their time: at an instant, or at the end of a period to come."""

from dataclasses import replace
from datetime import datetime

from domain.account import Facts, Outcome
from domain.add_ons import with_add_ons
from domain.changing.add_ons import check_add_on
from domain.changing.plan_changes import check_plan
from domain.changing.quantities import check_quantity
from domain.commands import (
    AddAddOn,
    ChangePlan,
    Pause,
    Request,
    Schedule,
    ScheduledChange,
    SetQuantity,
    Withdraw,
)
from domain.errors import Conflict, Fault, Invalid, NotFound
from domain.plans import PlanRef
from domain.subscription import Subscription

MOST_SCHEDULED = 50

# What happens at the end of the current period is known by these ids.
NEXT_PLAN = "next_plan"
CANCELLATION = "cancellation"


def schedule(
    facts: Facts, subscription: Subscription, command: Schedule, at: datetime, asked: Request
) -> Outcome:
    """Put a change on the schedule, under the id that was asked for or that of the request.

    Raises Invalid for a time that is not to come and for what could never be carried out, Conflict where the id is
    taken or the schedule is full.
    """
    if (command.at is None) == (command.periods is None):
        raise Invalid.at("effective", "must be an instant or a number of periods")
    if command.at is not None and command.at <= at:
        raise Invalid.at("effective", "must be in the future")
    if command.periods is not None and command.periods < 1:
        raise Invalid.at("periods", "must be at least 1")
    if len(subscription.schedule) >= MOST_SCHEDULED:
        raise Conflict(f"{subscription.key} has {MOST_SCHEDULED} changes on its schedule")
    _check_possible(facts, subscription, command)
    id = command.id or asked.id
    if id in (NEXT_PLAN, CANCELLATION) or any(entry.id == id for entry in subscription.schedule):
        raise Conflict(f"{subscription.key} has a change {id} to come already")
    entry = ScheduledChange(
        id, command.change, command.at, command.periods, asked.actor, asked.reason
    )
    return Outcome(replace(subscription, schedule=(*subscription.schedule, entry)))


def withdraw(subscription: Subscription, command: Withdraw) -> Outcome:
    """Raises NotFound where nothing of that id is to come."""
    id = command.change
    if any(entry.id == id for entry in subscription.schedule):
        return Outcome(without(subscription, id))
    if id == NEXT_PLAN and subscription.next_plan is not None:
        return Outcome(replace(subscription, next_plan=None, next_quantities={}))
    if id == CANCELLATION and subscription.cancels_at_period_end:
        return Outcome(replace(subscription, cancels_at_period_end=False))
    raise NotFound(f"{subscription.key} has no change {id} to come")


def without(subscription: Subscription, id: str) -> Subscription:
    """Without the change of that id on its schedule."""
    left = tuple(entry for entry in subscription.schedule if entry.id != id)
    return replace(subscription, schedule=left)


def _check_possible(facts: Facts, subscription: Subscription, command: Schedule) -> None:
    match command.change:
        case ChangePlan() as change:
            check_plan(subscription, facts.plans[change.plan], change)
            if facts.plans[change.plan].currency != subscription.currency:
                raise Invalid.at("plan", f"is not in {subscription.currency}")
        case SetQuantity() as change:
            _check_quantity(facts, subscription, change)
        case AddAddOn() as change:
            check_add_on(change)
        case Pause(until=until) if until is not None and command.at and until <= command.at:
            raise Invalid.at("until", "must be after the pause begins")
        case _:
            return


def _check_quantity(facts: Facts, subscription: Subscription, change: SetQuantity) -> None:
    """It must fit one of the plans that may be on by then."""
    faults: list[Fault] = []
    for ref in _plans_to_come(subscription):
        try:
            plan = with_add_ons(facts.plans[ref], subscription)
            check_quantity(plan, change.item, change.quantity)
        except Invalid as invalid:
            faults += invalid.faults
        else:
            return
    raise Invalid(faults[:1])


def _plans_to_come(subscription: Subscription) -> list[PlanRef]:
    scheduled = [e.change.plan for e in subscription.schedule if isinstance(e.change, ChangePlan)]
    following = [] if subscription.next_plan is None else [subscription.next_plan]
    return [subscription.plan, *following, *scheduled]
