"""A pause, and going on after it."""

from dataclasses import replace
from datetime import datetime

from domain.account import Facts, Outcome
from domain.bills import bill
from domain.calendar import Period
from domain.changing.standing import is_within_period
from domain.charges import charged_for_rest
from domain.closing import parted_waiting, waiting
from domain.commands import Pause, Request, Resume, ScheduledChange
from domain.errors import Invalid
from domain.periods import in_new_window, rest_of_period
from domain.subscription import Subscription

RESUMES = ":resume"


def pause(subscription: Subscription, command: Pause, at: datetime, asked: Request) -> Outcome:
    """Pause; with `until`, the end of the pause is on the schedule. Raises Invalid where that is not to come."""
    paused = replace(subscription, status="paused", paused_at=at)
    if command.until is None:
        return Outcome(paused)
    if command.until <= at:
        raise Invalid.at("until", "must be in the future")
    id = asked.id + RESUMES
    end = ScheduledChange(id, Resume(), command.until, None, asked.actor, asked.reason)
    return Outcome(replace(paused, schedule=(*paused.schedule, end)))


def resume(facts: Facts, subscription: Subscription, at: datetime, name: str) -> Outcome:
    """Go on; where the pause has kept the period from being charged, charge its rest."""
    assert subscription.paused_at is not None
    pauses = (*subscription.pauses, Period(subscription.paused_at, at))
    resumed = replace(
        _without_end_of_pause(subscription),
        status="active",
        paused_at=None,
        paused_for=None,
        pauses=pauses,
    )
    if not is_within_period(subscription, at):
        return Outcome(resumed)
    plan = facts.plans[subscription.plan]
    resumed = in_new_window(resumed, plan, at, name)
    if subscription.charged_from is not None:
        return Outcome(resumed)
    resumed = replace(resumed, charged_from=at)
    rest = charged_for_rest(plan, resumed, rest_of_period(resumed, at, changes_plan=False))
    if not rest:
        return Outcome(resumed)
    billable, after = parted_waiting(resumed, plan)
    pending = waiting(billable, plan, facts, at)
    return bill(facts, after, name, at, pending.charges(prorations=rest), billed=pending.billed)


def _without_end_of_pause(subscription: Subscription) -> Subscription:
    left = (each for each in subscription.schedule if not _ends_a_pause(each))
    return replace(subscription, schedule=tuple(left))


def _ends_a_pause(change: ScheduledChange) -> bool:
    """Whether it came with a pause: others are called as they like."""
    return isinstance(change.change, Resume) and change.id.endswith(RESUMES)
