"""A life told again, from its beginning, under another plan: what was asked of it is asked again, what comes due comes
due by that plan's rules, on the usage that there was.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from domain import lifecycle
from domain.ahead import Ahead, closing, next_step, next_until
from domain.calendar import Cycle
from domain.commands import Cancel, ChangePlan, Command, NotePayment, Request, Schedule, Transfer
from domain.deciding import Asked, Taking, UsageArrives
from domain.errors import Conflict, Rejected
from domain.periods import on_plan
from domain.plans import Plan
from domain.subscription import Phase, Subscription

MOST_STEPS = 1_000

Take = Callable[[Ahead, Taking], Awaitable[Ahead]]
"""Measures what a step must know, and takes it."""


@dataclass(frozen=True, slots=True)
class Past:
    """What was asked of a life, after what had come due at that instant up to a phase."""

    request: Request
    at: datetime
    phase: Phase = Phase.ARRIVED


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What the rules refuse under the other plan, and why."""

    at: datetime
    action: str
    reason: str


@dataclass(frozen=True, slots=True)
class Retold:
    ahead: Ahead
    left_out: tuple[LeftOut, ...] = ()


def begun_on(begun: Subscription, plan: Plan, quantities: Mapping[str, Fraction]) -> Subscription:
    """A life as it would have begun on that plan for good, with the quantities of items that it has. Raises Conflict for
    another currency.
    """
    if plan.currency != begun.currency:
        raise Conflict(f"{plan.key} is in {plan.currency}, {begun.key} in {begun.currency}")
    moved = on_plan(replace(begun, next_quantities=dict(quantities)), plan)
    cycle = begun.cycle
    if begun.period is None:  # it is not handed the rest of another life's
        cycle = Cycle(begun.started_at, plan.interval, plan.anchor, begun.timezone)
    kept = tuple(each for each in begun.schedule if not isinstance(each.change, ChangePlan))
    return replace(moved, cycle=cycle, schedule=kept)


def under_one_plan(past: Iterable[Past]) -> list[Past]:
    """What is asked again: no changes of plan, nothing that follows from payments; a transfer ends the life."""
    again = [(each, _again(each.request.command)) for each in past]
    return [
        replace(each, request=replace(each.request, command=command))
        for each, command in again
        if command is not None
    ]


async def retell(
    ahead: Ahead, past: Sequence[Past], at: datetime, phase: Phase, take: Take
) -> Retold:
    """The life up to an instant and a phase. Raises Conflict for one of more than MOST_STEPS."""
    left_out: list[LeftOut] = []
    for each in past:
        ahead = await _until(ahead, each.at, each.phase, take)
        try:
            lifecycle.check(ahead.subscription, each.request.command, each.at)
            while ahead.subscription.is_past_its_period(each.at):
                ahead = await take(ahead, closing(ahead.subscription, each.at))
            ahead = await take(ahead, Taking(Asked(each.request), ahead.subscription, each.at))
        except Rejected as refusal:
            left_out.append(LeftOut(each.at, each.request.command.action, str(refusal)))
    ahead = await _until(ahead, at, phase, take)
    if ahead.subscription.is_over:  # what came after its final invoice
        late = UsageArrives(0, "retold")
        ahead = await take(ahead, Taking(late, ahead.subscription, at))
    return Retold(ahead, tuple(left_out))


async def on_to(ahead: Ahead, end: datetime | None, take: Take) -> Ahead:
    """The life after all its periods that begin before an instant, if nothing else happens."""
    while end is not None and _begins_before(ahead.subscription, end):
        taking = next_step(ahead.subscription)
        if taking is None:
            break
        _check_length(ahead)
        ahead = await take(ahead, taking)
    return ahead


async def _until(ahead: Ahead, at: datetime, phase: Phase, take: Take) -> Ahead:
    while taking := next_until(ahead.subscription, at, phase):
        if len(ahead.outcomes) > MOST_STEPS:
            raise Conflict(
                f"{ahead.subscription.key} has lived through more than {MOST_STEPS} steps"
            )
        ahead = await take(ahead, taking)
    return ahead


def _begins_before(subscription: Subscription, end: datetime) -> bool:
    """Whether its period, or what it waits for without one, is before an instant."""
    due = subscription.next_step()
    if subscription.period is None:
        return due is not None and due.at < end
    return subscription.period.start < end


def _check_length(ahead: Ahead) -> None:
    if len(ahead.outcomes) > MOST_STEPS:
        raise Conflict(f"{ahead.subscription.key} comes to more than {MOST_STEPS} steps")


def _again(command: Command) -> Command | None:
    match command:
        case ChangePlan() | Schedule(change=ChangePlan()) | NotePayment():
            return None
        case Transfer(unused=unused):
            return Cancel("immediately", unused)
        case _:
            return command
