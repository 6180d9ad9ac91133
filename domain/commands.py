"""What may be asked of a living subscription. Each is one value, so that it can be previewed, queued,
carried out once, put on the schedule and shown in the timeline.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Literal

from domain.customers import Coupon
from domain.plans import PlanRef

Unused = Literal["credit", "refund", "none"]
Became = Literal["past_due", "paid", "uncollectible", "void"]


@dataclass(frozen=True, slots=True)
class Cancel:
    """With `as_of`, as at that instant where it is past: nothing is billed beyond it."""

    effective: Literal["immediately", "period_end"]
    unused: Unused = "credit"
    as_of: datetime | None = None
    action: Literal["cancel"] = "cancel"


@dataclass(frozen=True, slots=True)
class UndoCancel:
    """Take back a cancellation that has not taken effect: at the period's end, or at a date."""

    action: Literal["undo_cancel"] = "undo_cancel"


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """To one version of a plan. With `if_on`, only from that version: not where somebody has moved it meanwhile, or
    where it is to move to another plan. With `quantities`, of recurring items of the new plan, in place of those kept.
    """

    plan: PlanRef
    effective: Literal["immediately", "period_end"]
    if_on: PlanRef | None = None
    quantities: Mapping[str, Fraction] = field(default_factory=dict)
    action: Literal["change_plan"] = "change_plan"


@dataclass(frozen=True, slots=True)
class SetQuantity:
    item: str
    quantity: Fraction
    action: Literal["set_quantity"] = "set_quantity"


@dataclass(frozen=True, slots=True)
class Pause:
    """With `until`, it goes on by itself then."""

    until: datetime | None = None
    action: Literal["pause"] = "pause"


@dataclass(frozen=True, slots=True)
class Resume:
    action: Literal["resume"] = "resume"


@dataclass(frozen=True, slots=True)
class ChargeOnce:
    """A one-off charge that the next invoice bills. `amount` is in the subscription's currency."""

    key: str
    description: str
    amount: Fraction
    quantity: Fraction = Fraction(1)
    action: Literal["charge_once"] = "charge_once"


@dataclass(frozen=True, slots=True)
class AddAddOn:
    """A recurring add-on: an item of the subscription's own, beside those of its plan. `document` is that item's, as in
    a plan; it has been read before.
    """

    key: str
    document: Mapping[str, object]
    action: Literal["add_add_on"] = "add_add_on"


@dataclass(frozen=True, slots=True)
class RemoveAddOn:
    key: str
    action: Literal["remove_add_on"] = "remove_add_on"


@dataclass(frozen=True, slots=True)
class AddCoupon:
    coupon: Coupon
    action: Literal["add_coupon"] = "add_coupon"


@dataclass(frozen=True, slots=True)
class RemoveCoupon:
    """`coupon` is its key."""

    coupon: str
    action: Literal["remove_coupon"] = "remove_coupon"


@dataclass(frozen=True, slots=True)
class ResetAnchor:
    """A new period begins now, and all later ones are counted from it."""

    action: Literal["reset_anchor"] = "reset_anchor"


@dataclass(frozen=True, slots=True)
class SetTrialEnd:
    """A trial ends at another instant than it would: later, earlier, or (without an instant) now."""

    at: datetime | None = None
    action: Literal["set_trial_end"] = "set_trial_end"


@dataclass(frozen=True, slots=True)
class Transfer:
    """To another customer: this life ends, and one of the new customer's goes on from here under `key`, with the same
    plan, periods, quantities and add-ons. Coupons stay behind. `to` is the id of that life, `customer` the new
    customer's. Where another pays for that customer, that is `payer`, and `customer_key` is told on its lines.
    """

    to: str
    customer: str
    key: str
    unused: Unused = "credit"
    payer: str | None = None
    customer_key: str | None = None
    action: Literal["transfer"] = "transfer"


@dataclass(frozen=True, slots=True)
class NotePayment:
    """What became of the payment of one of its invoices (`invoice` is its name), where that matters to it. The request is
    named `payment:{invoice}:{became}`.
    """

    invoice: str
    became: Became
    action: Literal["note_payment"] = "note_payment"


Change = (
    Cancel
    | ChangePlan
    | SetQuantity
    | Pause
    | Resume
    | ChargeOnce
    | AddAddOn
    | RemoveAddOn
    | AddCoupon
    | RemoveCoupon
    | ResetAnchor
)
"""What can be put on the schedule."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Do that at an instant, or at the end of the period after `periods` (1: the current one). One of them is given. `id`
    is what it is called till then; without one, it has the id of the request.
    """

    change: Change
    at: datetime | None = None
    periods: int | None = None
    id: str | None = None
    action: Literal["schedule"] = "schedule"


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take a change off the schedule. `change` is its id."""

    change: str
    action: Literal["withdraw"] = "withdraw"


Command = Change | UndoCancel | SetTrialEnd | Transfer | NotePayment | Schedule | Withdraw


@dataclass(frozen=True, slots=True)
class ScheduledChange:
    """A change on the schedule of a subscription, due at the instant `at`, or at the end of the period after `periods`
    (1: the current one). `id` is unique on that schedule.
    """

    id: str
    change: Change
    at: datetime | None = None
    periods: int | None = None
    actor: str = "api"
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A command under the name of the request that asked for it: asked twice, it is done once. `at` is given
    where the customer lives on a test clock: what it showed when the request was made.
    """

    id: str
    command: Command
    actor: str = "api"
    reason: str | None = None
    at: datetime | None = None
