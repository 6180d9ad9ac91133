"""The facts that a decision about a subscription rests on, loaded by the caller, and what a decision brings.

A decision is pure: `Facts` in, `Outcome` out. The simulation keeps facts in memory, the activities load them
from rows and write the outcome in one transaction: the same code bills both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from domain.calendar import Period
from domain.credits import Grant, GrantBalance
from domain.customers import Customer
from domain.invoices import CreditNote, Invoice, Line
from domain.ledger import Transaction
from domain.metering.meter import Meter
from domain.money import Money
from domain.plans import Plan, PlanRef
from domain.pricing.usage import Usage
from domain.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Need:
    """Usage that a decision must know: of an item's meter in a window, leaving out the pauses."""

    item: str
    meter: str
    window: Period
    without: tuple[Period, ...] = ()


@dataclass(frozen=True, slots=True)
class BilledUsage:
    """What has been billed of one item for one closed window, late lines included: what late usage is
    measured against.
    """

    item: str
    plan: PlanRef
    window: Period
    quantity: Fraction
    exact_amount: Fraction
    without: tuple[Period, ...] = ()


@dataclass(frozen=True, slots=True)
class IssuedLine:
    """A line of an issued invoice, with what of that invoice was paid by the provider."""

    invoice: str
    line: Line
    amount_paid: Money


@dataclass(frozen=True, slots=True)
class CreditNoteBalance:
    name: str
    currency: str
    issued_at: datetime
    remaining: Money


@dataclass(frozen=True, slots=True)
class Facts:
    """`usage` answers each `Need` that `lifecycle.needs` named; `billed` are the closed windows that usage
    may have reached since; `advance` the lines already issued that reach beyond now.
    """

    customer: Customer
    plans: Mapping[PlanRef, Plan]
    meters: Mapping[str, Meter]
    usage: Mapping[Need, Usage] = field(default_factory=dict)
    billed: tuple[BilledUsage, ...] = ()
    advance: tuple[IssuedLine, ...] = ()
    grants: tuple[GrantBalance, ...] = ()
    credit_notes: tuple[CreditNoteBalance, ...] = ()


@dataclass(frozen=True, slots=True)
class Refund:
    name: str
    invoice: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that a decision brings: the subscription as it is now, and facts to record in one transaction."""

    subscription: Subscription
    invoices: tuple[Invoice, ...] = ()
    credit_notes: tuple[CreditNote, ...] = ()
    grants: tuple[Grant, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    billed: tuple[BilledUsage, ...] = ()
    refunds: tuple[Refund, ...] = ()
