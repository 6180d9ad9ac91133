"""What a subscription is, and what is due next in its life. No clock, no I/O.

One frozen value holds all that a life needs to go on: it is the workflow's only argument, the row's state and
what the simulation runs on. How each step changes it, and what the step bills, is in `lifecycle`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from fractions import Fraction
from typing import Literal

from domain.calendar import Cycle, Interval, Period, add_interval
from domain.customers import Redemption
from domain.plans import PlanRef

Status = Literal["scheduled", "trialing", "active", "paused", "cancelled"]
Reason = Literal["start", "trial_end", "day_end", "period_end", "grant_expiry"]


class Phase(IntEnum):
    """The order of what is due at one instant (contract: order at one instant). A clock stands at an
    instant and a phase; what is due at that instant up to that phase has happened.
    """

    ARRIVED = (
        0  # the instant has come: what is asked at it may happen, nothing that was due at it has
    )
    ATTEMPTS = 1  # payments to attempt, the oldest invoice first
    PERIODS = 2  # trial ends, period ends and their invoices
    EXPIRIES = 3  # grants that end
    DONE = 4


@dataclass(frozen=True, slots=True)
class Due:
    """The next thing a life waits for."""

    at: datetime
    phase: Phase
    reason: Reason
    grant: str | None = None


@dataclass(frozen=True, slots=True)
class GrantTimer:
    grant: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class QuantityChange:
    """A change inside a period that the next invoice prorates."""

    item: str
    at: datetime
    before: Fraction
    after: Fraction


@dataclass(frozen=True, slots=True)
class OneOffCharge:
    """A charge of its own that the next invoice bills. `amount` is exact, in the subscription's currency."""

    key: str
    description: str
    amount: Fraction
    quantity: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Subscription:
    """`period` is the current one (None before the start and while trialing), or the last one of a life that is
    over. In it, recurring items are charged from `charged_from` on (None while a pause has kept the period from
    being charged), and the usage that the next invoice bills begins at `usage_from`: both move when the plan
    changes. `request_ids` are the commands carried out lately, oldest first.
    """

    id: str
    key: str
    customer: str
    plan: PlanRef
    currency: str
    timezone: str
    started_at: datetime
    cycle: Cycle
    status: Status = "scheduled"
    period: Period | None = None
    period_index: int = 0
    usage_from: datetime | None = None
    charged_from: datetime | None = None
    trial_end: datetime | None = None
    quantities: Mapping[str, Fraction] = field(default_factory=dict)
    coupons: tuple[Redemption, ...] = ()
    quantity_changes: tuple[QuantityChange, ...] = ()
    one_off_charges: tuple[OneOffCharge, ...] = ()
    invoice_grace: Interval | None = None
    next_plan: PlanRef | None = None
    cancels_at_period_end: bool = False
    ended_at: datetime | None = None
    pauses: tuple[Period, ...] = ()
    paused_at: datetime | None = None
    grants: tuple[GrantTimer, ...] = ()
    gathers_until: datetime | None = (
        None  # the end of a day whose usage, charged as it arrives, is gathered
    )
    environment: str = ""  # whose books it is in
    test_clock: str | None = None
    request_ids: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        return self.status == "cancelled"

    def is_past_its_period(self, at: datetime) -> bool:
        """Whether the period is over but, in its grace, not yet closed: it must be, before anything else is done."""
        is_living = self.status in ("active", "paused")
        return is_living and self.period is not None and self.period.end < at

    def next_due(self) -> Due | None:
        """The earliest of what is due, or None when the life is over."""
        return min(self._dues(), key=lambda due: (due.at, due.phase), default=None)

    def _dues(self) -> tuple[Due, ...]:
        if self.is_over:
            return ()
        expiries = tuple(
            Due(timer.expires_at, Phase.EXPIRIES, "grant_expiry", timer.grant)
            for timer in self.grants
        )
        boundary = self.next_boundary()
        first = () if boundary is None else (boundary,)
        if self.gathers_until is not None:
            first = (Due(self.gathers_until, Phase.PERIODS, "day_end"), *first)
        return (*first, *expiries)

    def next_boundary(self) -> Due | None:
        """When the life itself goes on (its start, its trial's end, its period's end), grants apart. A period's
        end is done with when its invoice is due, `invoice_grace` later.
        """
        if self.is_over:
            return None
        if self.status == "scheduled":
            return Due(self.started_at, Phase.ARRIVED, "start")  # asked for, like a command
        if self.status == "trialing" and self.trial_end is not None:
            return Due(self.trial_end, Phase.PERIODS, "trial_end")
        if self.period is None:
            raise ValueError(f"{self.id} is {self.status} without a period")
        return Due(self.closes_at(self.period), Phase.PERIODS, "period_end")

    def closes_at(self, period: Period) -> datetime:
        """When a period's invoice is issued."""
        if self.invoice_grace is None:
            return period.end
        return add_interval(period.end, self.invoice_grace, self.timezone)
