"""What a charge was computed from: kept beside it while a decision lasts, so that a line can be explained by what was
done and not by what somebody thinks was done.
"""

from dataclasses import dataclass
from fractions import Fraction

from domain.calendar import Period
from domain.pricing.price import Price
from domain.proration import Mode


@dataclass(frozen=True, slots=True)
class OfUsage:
    """All usage of the charge's window, and what it costs: rounded, where it is charged as it arrives. What the charge
    is less than that has been billed before.
    """

    quantity: Fraction
    exact_amount: Fraction


@dataclass(frozen=True, slots=True)
class OfShare:
    """A share, signed, of what a quantity costs at a `price` for the `whole` of a period, less what the quantity `before`
    does.
    """

    price: Price
    quantity: Fraction
    share: Fraction
    part: Period
    whole: Period
    proration: Mode
    timezone: str
    before: Fraction | None = None


@dataclass(frozen=True, slots=True)
class OfCommitment:
    """What was `committed` for a whole period, the share of it that was compared, with what was `spent`; beyond it,
    each unit of money costs `overage_factor`. Of an `item`, with its own lines alone, or of the plan.
    """

    committed: Fraction
    share: Fraction
    spent: Fraction
    overage_factor: Fraction
    item: str | None = None


@dataclass(frozen=True, slots=True)
class OfCredit:
    """What an invoice billed on account, taken back; `number` is that invoice's, None where it is only foreseen."""

    number: str | None


Basis = OfUsage | OfShare | OfCommitment | OfCredit
