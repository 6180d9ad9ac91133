"""The documents: invoices with their lines, and credit notes. Immutable once issued."""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal

from domain.calendar import Period
from domain.money import Money
from domain.plans import PlanRef

LineKind = Literal[
    "recurring", "usage", "proration", "commitment", "late_usage", "one_off", "top_up"
]
LineCharged = Literal["in_advance", "in_arrears", "on_account"]
InvoiceStatus = Literal["draft", "open", "paid", "past_due", "uncollectible", "void"]


@dataclass(frozen=True, slots=True)
class Line:
    """One charge. `exact_amount` is in the currency, unrounded; `amount` its share of the settled subtotal;
    `discount`, `credits` (promotional) and `tax` its shares of the invoice's; `inclusive_tax` is the part of `tax`
    that `amount` already holds. What is charged `on_account` is usage in arrears, invoiced before its period is over, and
    what takes that back: it tells the number of the invoice that it credits.
    """

    kind: LineKind
    item: str | None
    description: str
    quantity: Fraction
    exact_amount: Fraction
    amount: Money
    period: Period | None
    discount: Money
    credits: Money
    tax: Money
    inclusive_tax: Money
    charged: LineCharged = "in_arrears"
    plan: PlanRef | None = None
    credits_invoice: str | None = None

    @property
    def net(self) -> Money:
        """What is left of the amount after discounts and promotional credits: what is taxed."""
        return self.amount - self.discount - self.credits

    @property
    def owed(self) -> Money:
        """The line's share of the invoice's total."""
        return self.net + self.tax - self.inclusive_tax


@dataclass(frozen=True, slots=True)
class AppliedTax:
    rate: str
    percent: Fraction
    inclusive: bool
    amount: Money


@dataclass(frozen=True, slots=True)
class AppliedDiscount:
    coupon: str
    amount: Money


@dataclass(frozen=True, slots=True)
class AppliedCredit:
    """What a grant (or, with `source` credit_note, a credit note) paid of an invoice."""

    source: Literal["promotional", "prepaid", "credit_note"]
    id: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Invoice:
    """`name` is the business fact (`invoice:{subscription}:{period start}`…), unique for ever; the number is
    given when it is recorded. `total` = subtotal - discount - promotional + exclusive tax; `amount_due` =
    total - credit notes - prepaid, never below zero.
    """

    name: str
    subscription: str | None
    customer: str
    currency: str
    issued_at: datetime
    due_at: datetime
    status: InvoiceStatus
    lines: tuple[Line, ...]
    subtotal: Money
    discount: Money
    promotional: Money
    tax: Money
    total: Money
    credit_notes_applied: Money
    prepaid: Money
    amount_due: Money
    taxes: tuple[AppliedTax, ...] = ()
    discounts: tuple[AppliedDiscount, ...] = ()
    credits: tuple[AppliedCredit, ...] = ()
    amount_paid: Money | None = None  # by the payment provider; None is nothing yet
    number: str | None = None


@dataclass(frozen=True, slots=True)
class CreditNote:
    """Money owed back: `total` = subtotal + exclusive tax, of which `refunded` was sent back and `remaining` is
    the balance that pays later invoices.
    """

    name: str
    subscription: str | None
    customer: str
    currency: str
    issued_at: datetime
    reason: str
    lines: tuple[Line, ...]
    subtotal: Money
    tax: Money
    total: Money
    refunded: Money
    remaining: Money
    number: str | None = None
