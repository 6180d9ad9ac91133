"""What was asked, and what is to come, as a subscription's documents show it."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from fractions import Fraction
from typing import cast

from domain.changing.scheduling import CANCELLATION, NEXT_PLAN
from domain.codec import from_plain
from domain.commands import (
    Cancel,
    Change,
    ChangePlan,
    Command,
    Request,
    ScheduledChange,
    SetTrialEnd,
)
from domain.customers import Coupon
from domain.decimals import plain
from domain.documents import Document
from domain.plans import PlanRef
from domain.reading import written
from domain.subscription import Subscription

_NOT_FOR_USERS = ("if_on", "payer", "customer_key")
_IS_TOLD_WHERE_NULL = (SetTrialEnd,)


def command_again(body: Mapping[str, object]) -> Document:
    """A command as it was written down."""
    return shown_command(from_plain(Request, {"id": "", "command": body}).command)


def shown_command(command: Command) -> Document:
    """Its members, but those that were not given."""
    members = {each.name: getattr(command, each.name) for each in fields(command)}
    told = {
        name: _shown(value)
        for name, value in members.items()
        if name not in _NOT_FOR_USERS
        and (isinstance(command, _IS_TOLD_WHERE_NULL) or (value is not None and value != {}))
    }
    return told | ({"version": command.plan.version} if isinstance(command, ChangePlan) else {})


def to_come(living: Subscription) -> list[Document]:
    """What is planned: at the end of the current period, then the schedule in its own order."""
    return [_planned(change) for change in (*_at_period_end(living), *living.schedule)]


def _at_period_end(living: Subscription) -> Iterator[ScheduledChange]:
    """What a subscription knows of its period's end without a schedule."""
    if living.next_plan is not None:
        change = ChangePlan(living.next_plan, "period_end", quantities=living.next_quantities)
        yield ScheduledChange(NEXT_PLAN, change, periods=1)
    if living.cancels_at_period_end:
        yield ScheduledChange(CANCELLATION, Cancel("period_end"), periods=1)


def _planned(entry: ScheduledChange) -> Document:
    return {
        "id": entry.id,
        "at": entry.at and written(entry.at),
        "periods": entry.periods,
        "reason": entry.reason,
        "change": shown_command(entry.change),
    }


def _shown(value: object) -> object:
    match value:
        case Fraction():
            return plain(value)
        case PlanRef() | Coupon():
            return value.key
        case datetime():
            return written(value)
        case Mapping():
            return {name: _shown(member) for name, member in value.items()}
        case str() | int() | None:
            return value
        case _:
            return shown_command(cast(Change, value))
