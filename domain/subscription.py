"""What a subscription is, and what is due next in its life. No clock, no I/O.

One frozen value holds all that a life needs to go on: it is the workflow's only argument, the row's state and
what the simulation runs on. How each step changes it, and what the step bills, is in `lifecycle`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum
from fractions import Fraction
from typing import Literal

from domain.calendar import Cycle, Interval, Period, add_interval
from domain.commands import Cancel, ScheduledChange
from domain.customers import Redemption
from domain.errors import Corrupt
from domain.plans import PlanRef

Status = Literal["scheduled", "incomplete", "trialing", "active", "paused", "cancelled"]
Reason = Literal[
    "start",
    "trial_end",
    "scheduled_change",
    "window_start",
    "day_end",
    "period_end",
    "grant_expiry",
]


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
    change: str | None = None  # the id of a scheduled one


@dataclass(frozen=True, slots=True)
class GrantTimer:
    """`is_carried`: the next period's grant takes over what is left of it."""

    grant: str
    expires_at: datetime
    is_carried: bool = False


@dataclass(frozen=True, slots=True)
class QuantityChange:
    """A change inside a period that the next invoice prorates. `before` is None of an add-on that was not there yet,
    `after` of one that is there no longer.
    """

    item: str
    at: datetime
    before: Fraction | None
    after: Fraction | None


@dataclass(frozen=True, slots=True)
class OneOffCharge:
    """A charge of its own that the next invoice bills. `amount` is exact, in the subscription's currency."""

    key: str
    description: str
    amount: Fraction
    quantity: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class AddOn:
    """An item of the subscription's own since an instant: `document` is that of an item of a plan. One that was removed
    at `until` is kept while something of it may be left to bill: till the next period begins.
    """

    key: str
    document: Mapping[str, object]
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class OpenedWindow:
    """A window of usage began at `at`, by the step that has the invoice name `by`."""

    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """`period` is the current one (None before the start and while trialing), or the last one of a life that is
    over. In it, recurring items are charged from `charged_from` on (None while a pause has kept the period from
    being charged), and the usage that the next invoice bills begins at `usage_from`: both move when the plan
    changes. `request_ids` are the commands carried out lately, oldest first.

    `next_plan` and `cancels_at_period_end` are what happens at the end of the current period; `schedule` is what is
    to happen at other times, or besides. A `trial_end` that is given before the start is that of the trial, in the place
    of the plan's: at the start or before it, there is none. Nothing is done before `created_at`: periods of a start in
    the past are billed then. `payer` is the customer whom it is billed to, where that is another: then its lines tell
    `customer_key`, whose it is. With `pools_usage`, usage of its customer's children counts as its customer's own. While
    it is `incomplete` it waits for the invoice `awaits_payment` to be paid; `past_due` are its unpaid ones. Invoices are
    told by their names. `rest_since` is when its period began for another life, of which it has the rest.
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
    next_quantities: Mapping[str, Fraction] = field(default_factory=dict)  # asked for with it
    cancels_at_period_end: bool = False
    resets_anchor: bool = False  # the next period begins a cycle
    ended_at: datetime | None = None
    pauses: tuple[Period, ...] = ()
    paused_at: datetime | None = None
    grants: tuple[GrantTimer, ...] = ()
    gathers_until: datetime | None = (
        None  # the end of a day whose usage, charged as it arrives, is gathered
    )
    opened: OpenedWindow | None = None  # what had come for it before is to be charged, at once
    environment: str = ""  # whose books it is in
    test_clock: str | None = None
    request_ids: tuple[str, ...] = ()
    created_at: datetime | None = None
    schedule: tuple[ScheduledChange, ...] = ()
    add_ons: tuple[AddOn, ...] = ()
    payer: str | None = None
    customer_key: str | None = None
    pools_usage: bool = False
    awaits_payment: str | None = None
    past_due: tuple[str, ...] = ()
    transferred_to: str | None = None
    transferred_from: str | None = None
    paid_at: datetime | None = None  # when the payment came that it was `incomplete` without
    paused_for: str | None = None  # the invoice for which its plan has paused it
    closed_at: datetime | None = None  # when its last period was closed, if that was in a grace
    rest_since: datetime | None = None

    @property
    def living_add_ons(self) -> tuple[AddOn, ...]:
        return tuple(add_on for add_on in self.add_ons if add_on.until is None)

    @property
    def is_over(self) -> bool:
        return self.status == "cancelled"

    @property
    def billed_to(self) -> str:
        """The customer whose invoices, credits and payments are those of this subscription."""
        return self.payer or self.customer

    def scheduled_change(self, id: str) -> ScheduledChange:
        """The change of that id on the schedule. Raises Corrupt where there is none."""
        found = next((change for change in self.schedule if change.id == id), None)
        if found is None:
            raise Corrupt(f"{self.id} has no change {id} on its schedule")
        return found

    def is_past_its_period(self, at: datetime) -> bool:
        """Whether the period is over but, in its grace, not yet closed: it must be, before anything else is done."""
        is_living = self.status in ("active", "paused")
        return is_living and self.period is not None and self.period.end < at

    def closes_before_change(self, id: str, at: datetime) -> bool:
        """Whether the period must be closed before a change of the schedule is made at an instant: before an end that is
        past, only a period that was over by then.
        """
        change = self.scheduled_change(id).change
        as_of = change.as_of if isinstance(change, Cancel) else None
        return self.is_past_its_period(min(as_of or at, at))

    def next_due(self) -> Due | None:
        """The earliest of what is due, or None when the life is over."""
        return min(self._dues(), key=lambda due: (due.at, due.phase), default=None)

    def not_before(self, due: Due) -> Due:
        """What was due before the life was there, while it waited for its first payment, or before a period was closed in
        its grace, is done as soon as it can be: before what is asked at that instant, the oldest first. Grants end after
        that.
        """
        known = (self.created_at, self.paid_at, self.closed_at)
        since = max(filter(None, known), default=None)
        if since is None or due.at >= since:
            return due
        phase = due.phase if due.reason == "grant_expiry" else Phase.ARRIVED
        return replace(due, at=since, phase=phase)

    def _dues(self) -> tuple[Due, ...]:
        if self.is_over:
            return ()
        expiries = tuple(self.expiry(timer) for timer in self.grants)
        step = self.next_step()
        return expiries if step is None else (step, *expiries)

    def next_step(self) -> Due | None:
        """The earliest of what is due, grants apart: nothing but an end, while the first payment is awaited."""
        if self.is_over:
            return None
        waits = self.status == "incomplete"
        dues = [
            Due(change.at, Phase.ARRIVED, "scheduled_change", change=change.id)
            for change in self.schedule
            if change.at is not None and (not waits or isinstance(change.change, Cancel))
        ]
        if self.opened is not None:
            dues.append(Due(self.opened.at, Phase.ARRIVED, "window_start"))
        if self.gathers_until is not None:
            dues.append(Due(self.gathers_until, Phase.PERIODS, "day_end"))
        if (boundary := self.next_boundary()) is not None:
            dues.append(boundary)
        first = min(dues, key=lambda due: (due.at, due.phase), default=None)
        return None if first is None else self.not_before(first)

    def next_boundary(self) -> Due | None:
        """When the life itself goes on (its start, its trial's end, its period's end), grants apart. A period's
        end is done with when its invoice is due, `invoice_grace` later.
        """
        if self.is_over or self.status == "incomplete":
            return None
        if self.status == "scheduled":
            return Due(self.started_at, Phase.ARRIVED, "start")  # asked for, like a command
        if self.status == "trialing" and self.trial_end is not None:
            return Due(self.trial_end, Phase.PERIODS, "trial_end")
        if self.period is None:
            raise ValueError(f"{self.id} is {self.status} without a period")
        return Due(self.closes_at(self.period), Phase.PERIODS, "period_end")

    def expiry(self, timer: GrantTimer) -> Due:
        """When the end of a grant is to be posted."""
        due = Due(self.ends_at(timer), Phase.EXPIRIES, "grant_expiry", timer.grant)
        return self.not_before(due)

    def ends_at(self, timer: GrantTimer) -> datetime:
        """When a grant is at its end: as it expires. What may be carried into the next period waits until this one
        is closed, worth nothing meanwhile.
        """
        is_living = self.status in ("active", "paused")
        if not timer.is_carried or not is_living or self.period is None:
            return timer.expires_at
        if timer.expires_at < self.period.end:
            return timer.expires_at
        return max(timer.expires_at, self.closes_at(self.period))

    def closes_at(self, period: Period) -> datetime:
        """When a period's invoice is issued."""
        if self.invoice_grace is None:
            return period.end
        return add_interval(period.end, self.invoice_grace, self.timezone)
