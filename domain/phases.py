"""Phases: the plans that a subscription begins with, one after the other, as changes on its schedule."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from itertools import pairwise

from domain.changing.quantities import check_quantity
from domain.commands import Cancel, ChangePlan, ScheduledChange
from domain.errors import Fault, Invalid
from domain.plans import Plan, PlanRef

MOST_PHASES = 50
MOST_PERIODS = 1_000
END = "end"


@dataclass(frozen=True, slots=True)
class Phase:
    """`periods` billing periods on a version of a plan; without them, for ever."""

    plan: PlanRef
    periods: int | None = None
    quantities: Mapping[str, Fraction] = field(default_factory=dict)


def faults_of_phases(periods: Sequence[int | None]) -> list[Fault]:
    """What is wrong with the lengths of phases, with paths in their list."""
    if not periods:
        return [Fault("", "must have at least one")]
    return [
        Fault(f"{index}.periods", "is required for every phase but the last")
        for index, length in enumerate(periods[:-1])
        if length is None
    ]


def check_plans(plans: Sequence[Plan], phases: Sequence[Phase]) -> None:
    """Raise Invalid, with paths in the list, where a later phase could not begin: for a plan in another currency than the
    first one's, and for quantities that its plan cannot charge. `plans` are those of the phases.
    """
    faults: list[Fault] = []
    for index, (plan, phase) in enumerate(zip(plans, phases, strict=True)):
        if plan.currency != plans[0].currency:
            faults.append(Fault(f"phases.{index}.plan", f"is not in {plans[0].currency}"))
        if index:
            faults += _faults_of_quantities(plan, phase, f"phases.{index}.quantities")
    if faults:
        raise Invalid(faults)


def _faults_of_quantities(plan: Plan, phase: Phase, path: str) -> Iterator[Fault]:
    for key, quantity in phase.quantities.items():
        if quantity < 0:
            yield Fault(f"{path}.{key}", "must not be negative")
            continue
        try:
            check_quantity(plan, key, quantity)
        except Invalid as invalid:
            yield from (Fault(f"{path}.{key}", fault.message) for fault in invalid.faults)


def scheduled(
    phases: Sequence[Phase], starts_at: datetime, ends_at: datetime | None = None
) -> tuple[ScheduledChange, ...]:
    """What is to come after the first phase, counted from the first paid period on: the changes of plan, and the end
    after a last phase that has one, or at `ends_at`. Raises Invalid for an end that is told twice, or not after the start.
    """
    if faults := faults_of_phases([phase.periods for phase in phases]):
        raise Invalid(faults)
    changes, passed = [], 0
    for number, (before, phase) in enumerate(pairwise(phases), start=2):
        passed += before.periods or 0
        change = ChangePlan(phase.plan, "period_end", quantities=phase.quantities)
        changes.append(ScheduledChange(f"phase-{number}", change, periods=passed))
    last = phases[-1].periods
    if last is not None and ends_at is not None:
        raise Invalid.at("ends_at", "is told by the last phase, which has periods")
    if ends_at is not None and ends_at <= starts_at:
        raise Invalid.at("ends_at", "must be after the start")
    if last is not None:
        changes.append(ScheduledChange(END, Cancel("period_end"), periods=passed + last))
    if ends_at is not None:
        changes.append(ScheduledChange(END, Cancel("immediately", as_of=ends_at), at=ends_at))
    return tuple(changes)
