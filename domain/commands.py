"""What may be asked of a living subscription. Each is one value, so that it can be previewed, queued,
carried out once and shown in the timeline.
"""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal

from domain.plans import PlanRef


@dataclass(frozen=True, slots=True)
class Cancel:
    effective: Literal["immediately", "period_end"]
    unused: Literal["credit", "refund", "none"] = "credit"
    action: Literal["cancel"] = "cancel"


@dataclass(frozen=True, slots=True)
class ChangePlan:
    plan: PlanRef
    effective: Literal["immediately", "period_end"]
    action: Literal["change_plan"] = "change_plan"


@dataclass(frozen=True, slots=True)
class SetQuantity:
    item: str
    quantity: Fraction
    action: Literal["set_quantity"] = "set_quantity"


@dataclass(frozen=True, slots=True)
class Pause:
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


Command = Cancel | ChangePlan | SetQuantity | Pause | Resume | ChargeOnce


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
