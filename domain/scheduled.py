"""Changes on the schedule whose time has come."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from domain import changes, permitted
from domain.account import Facts, Outcome
from domain.changing.scheduling import without
from domain.commands import Cancel, Change, ChangePlan, Request, ScheduledChange
from domain.errors import Rejected
from domain.reading import written
from domain.subscription import Subscription


def name_of_change(entry: ScheduledChange, at: datetime) -> str:
    """Its own for ever: an id may be given again when its change is made, and may be like any other name."""
    return f"scheduled:{entry.id}:{written(entry.at or at)}"


def change_due(facts: Facts, subscription: Subscription, change: str, at: datetime) -> Outcome:
    """Carry out what has come due on the schedule. What the rules refuse by now leaves the schedule, and the outcome
    says why; where it ends the life, the outcome names what else was to be done at that instant.
    """
    entry, left = subscription.scheduled_change(change), without(subscription, change)
    outcome = _carried_out(facts, left, entry, entry.change, at)
    if not outcome.subscription.is_over:
        return outcome
    lapsed = [each.change.action for each in left.schedule if each.at == entry.at]
    return replace(outcome, refused=_not_made(outcome.subscription, lapsed))


def at_period_end(facts: Facts, subscription: Subscription, end: datetime) -> Outcome:
    """The subscription as the changes of its period's end leave it, in their order, and what was refused of them. They
    act before the next period and bill nothing of their own: those of later periods are a period nearer.
    """
    if not subscription.schedule:
        return Outcome(subscription)
    due = [entry for entry in subscription.schedule if entry.periods == 1]
    later = tuple(_nearer(entry) for entry in subscription.schedule if entry.periods != 1)
    outcome = Outcome(replace(subscription, schedule=later))
    for entry in due:
        change = _of_period_end(entry.change)
        done = _carried_out(facts, outcome.subscription, entry, change, end)
        reasons = [reason for reason in (outcome.refused, done.refused) if reason]
        outcome = Outcome(
            done.subscription,
            redeemed=(*outcome.redeemed, *done.redeemed),
            refused="; ".join(reasons) or None,
        )
    return outcome


def _carried_out(
    facts: Facts,
    subscription: Subscription,
    entry: ScheduledChange,
    change: Change,
    at: datetime,
) -> Outcome:
    """As if it were asked now, or refused as it would be."""
    request = Request(name_of_change(entry, at), change, entry.actor, entry.reason)
    try:
        permitted.check(subscription, change, at)
        return changes.do(facts, subscription, request, at)
    except Rejected as refusal:
        return Outcome(subscription, refused=str(refusal))


def _of_period_end(change: Change) -> Change:
    """What was meant for now is meant for the end of the period, where nothing of it is left."""
    match change:
        case Cancel() | ChangePlan():
            return replace(change, effective="period_end")
        case _:
            return change


def _not_made(over: Subscription, actions: Iterable[str]) -> str | None:
    reasons = [f"{action} is not made: {over.key} is cancelled" for action in actions]
    return "; ".join(reasons) or None


def _nearer(entry: ScheduledChange) -> ScheduledChange:
    return entry if entry.periods is None else replace(entry, periods=entry.periods - 1)
