"""When a change is to take effect: at once, at the end of the period, or at an instant of its own."""

from dataclasses import replace
from datetime import datetime
from typing import Literal

from domain.commands import Cancel, Change, ChangePlan, Command, Schedule
from domain.errors import Invalid
from domain.reading import instant

Effective = Literal["immediately", "period_end"] | datetime


def read_effective(value: object) -> Effective:
    """Read `immediately`, `period_end` or an RFC 3339 time; raise Invalid for all else."""
    match value:
        case "immediately":
            return "immediately"
        case "period_end":
            return "period_end"
        case str() if not value[:1].isdigit():
            raise Invalid.at("", "must be immediately, period_end or an RFC 3339 time")
        case _:
            return instant(value)


def timed(change: Change, effective: Effective, id: str | None = None) -> Command:
    """The command that has a change take effect then. What knows the period's end itself is told of it; the rest goes on
    the schedule, under `id`. Raises Invalid for an id where nothing goes there.
    """
    command = _timed(change, effective, id)
    if id is not None and not isinstance(command, Schedule):
        raise Invalid.at("id", "is for changes that wait on the schedule")
    return command


def _timed(change: Change, effective: Effective, id: str | None) -> Command:
    if isinstance(effective, datetime):
        if isinstance(change, Cancel | ChangePlan):
            change = replace(change, effective="immediately")
        return Schedule(change, at=effective, id=id)
    if isinstance(change, Cancel | ChangePlan):
        return replace(change, effective=effective)
    return change if effective == "immediately" else Schedule(change, periods=1, id=id)
