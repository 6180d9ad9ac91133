"""Which rule decides a step of a life: the one place that chooses it, for whoever takes the step and for whoever
looks again at how it was decided.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never

from domain import arrivals, lifecycle
from domain.account import Facts, Outcome
from domain.commands import Request
from domain.errors import Corrupt
from domain.reading import written
from domain.scheduled import name_of_change
from domain.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Begins:
    """The start of a life, or the end of its trial."""

    action: Literal["begin"] = "begin"


@dataclass(frozen=True, slots=True)
class PeriodEnds:
    action: Literal["end_period"] = "end_period"


@dataclass(frozen=True, slots=True)
class WindowStarts:
    """A window of usage that is charged as it arrives has begun."""

    action: Literal["start_window"] = "start_window"


@dataclass(frozen=True, slots=True)
class DayEnds:
    """The end of a day in which usage was gathered."""

    action: Literal["end_day"] = "end_day"


@dataclass(frozen=True, slots=True)
class UsageArrives:
    """The events of one transaction of the usage log, the last of which is `event`."""

    transaction: int
    event: str
    action: Literal["charge_usage"] = "charge_usage"


@dataclass(frozen=True, slots=True)
class Asked:
    request: Request
    action: Literal["carry_out"] = "carry_out"


@dataclass(frozen=True, slots=True)
class ChangeDue:
    """The time of a change on the schedule has come; `change` is its id."""

    change: str
    action: Literal["scheduled_change"] = "scheduled_change"


Cause = Begins | PeriodEnds | WindowStarts | DayEnds | UsageArrives | ChangeDue | Asked


@dataclass(frozen=True, slots=True)
class Taking:
    """A step to take: why, by a life in which state, at which instant of its business."""

    cause: Cause
    subscription: Subscription
    at: datetime


def name_of(taking: Taking) -> str:
    """The step's own name, in its life, for ever."""
    living = taking.subscription
    match taking.cause:
        case Begins():
            return "start" if living.status == "scheduled" else "trial_end"
        case PeriodEnds():
            if living.period is None:
                raise Corrupt(f"{living.id} has no period to end")
            return f"period:{written(living.period.start)}"
        case WindowStarts():
            if living.opened is None:
                raise Corrupt(f"no window of {living.id} has begun")
            return f"window:{living.opened.by}"
        case DayEnds():
            return f"day:{written(taking.at)}"
        case UsageArrives(transaction):
            return f"usage:{transaction}"
        case ChangeDue(change):
            return name_of_change(living.scheduled_change(change), taking.at)
        case Asked(request):
            return f"request:{request.id}"
        case _:
            assert_never(taking.cause)


def told_as(taking: Taking) -> str:
    """What happened, in the words of the timeline."""
    match taking.cause:
        case Begins():
            return "started" if taking.subscription.status == "scheduled" else "trial_ended"
        case PeriodEnds():
            return "period_ended"
        case WindowStarts():
            return "window_started"
        case DayEnds():
            return "day_ended"
        case UsageArrives():
            return "usage_charged"
        case ChangeDue(change):
            return taking.subscription.scheduled_change(change).change.action
        case Asked(request):
            return request.command.action
        case _:
            assert_never(taking.cause)


def kind_of(taking: Taking) -> lifecycle.Step:
    """What `lifecycle.needs` calls it."""
    match taking.cause:
        case Begins():
            return "start" if taking.subscription.status == "scheduled" else "trial_end"
        case PeriodEnds():
            return "period_end"
        case WindowStarts():
            return "window_start"
        case DayEnds():
            return "day_end"
        case UsageArrives():
            return arrivals.kind_of_arrival(taking.subscription)
        case ChangeDue(change):
            return taking.subscription.scheduled_change(change).change
        case Asked(request):
            return request.command
        case _:
            assert_never(taking.cause)


def decide(taking: Taking, facts: Facts) -> Outcome:
    """What the step brings, on these facts. Raises what the rule raises: Conflict or Invalid for a command that is
    refused, Invalid for usage that a price cannot charge.
    """
    living, at = taking.subscription, taking.at
    match taking.cause:
        case Begins():
            return lifecycle.begin(facts, living, at)
        case PeriodEnds():
            return lifecycle.end_period(facts, living, at)
        case WindowStarts():
            return arrivals.window_opened(facts, living, at)
        case DayEnds():
            return arrivals.day_ended(facts, living, at)
        case UsageArrives(_, event):
            return arrivals.usage_arrived(facts, living, at, event)
        case ChangeDue(change):
            return lifecycle.change_due(facts, living, change, at)
        case Asked(request):
            return lifecycle.carry_out(facts, living, request, at)
        case _:
            assert_never(taking.cause)
