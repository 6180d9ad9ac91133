"""The facts that a decision about a subscription rests on, loaded by the caller, and what a decision brings.

A decision is pure: `Facts` in, `Outcome` out. The simulation keeps facts in memory, the activities load them
from rows and write the outcome in one transaction: the same code bills both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from domain.calendar import Period
from domain.charges import Charge
from domain.credits import Grant, GrantBalance
from domain.customers import Customer, Redeemed, Redemption
from domain.invoices import CreditNote, Invoice, Line
from domain.ledger import Transaction
from domain.metering.meter import Meter
from domain.money import Money
from domain.plans import Plan, PlanRef
from domain.pricing.usage import Usage, UsageShape
from domain.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Need:
    """Usage that a decision must know: of an item's meter in a window, leaving out the pauses, in the shape that
    the item's price takes (`domain.metering.consumption.consumption` answers it). `closings` are the ends of earlier
    windows of a meter whose level carries over what corrections took from it: each cut it at 0.
    """

    item: str
    meter: str
    window: Period
    without: tuple[Period, ...] = ()
    shape: UsageShape = "quantity"
    closings: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class BilledUsage:
    """What has been billed of one item for one closed window, late lines included: what late usage is
    measured against. One an outcome brings replaces the one of the same item and window.
    """

    item: str
    plan: PlanRef
    window: Period
    quantity: Fraction
    exact_amount: Fraction
    without: tuple[Period, ...] = ()


@dataclass(frozen=True, slots=True)
class IssuedLine:
    """A line of an issued invoice, with what the provider was paid for that invoice, less what was refunded."""

    invoice: str  # its name
    line: Line
    amount_paid: Money
    number: str | None = None


@dataclass(frozen=True, slots=True)
class CreditNoteBalance:
    """What is left of a credit note: its total, less what was refunded and what has paid invoices."""

    name: str
    currency: str
    issued_at: datetime
    remaining: Money


@dataclass(frozen=True, slots=True)
class Facts:
    """What must be loaded for a decision; more does no harm, but for `billed`, of which each costs a rating.

    customer      with its tax rates
    plans         the subscription's, its next one, the one that a command names, those of `billed`
    meters        those that items of these plans measure with, by key
    usage         the answer to each `Need` that `lifecycle.needs` named, from the same facts
    closings      the ends of the closed windows of each meter that this subscription was billed by, oldest first
    billed        the closed windows of this subscription that events have reached since they were closed (for a
                  meter that carries over: the later windows too); all of them is right as well
    advance       the lines charged in advance, or on account, of this subscription's invoices (but void ones), whose period ends
                  after the start of the subscription's current period; oldest invoice first, in line order
    grants        the customer's grants in the subscription's currency with anything left by postings, whatever
                  their dates, oldest first
    credit_notes  the customer's in that currency with anything left, oldest first
    redeemed      how often the coupons that `domain.redeeming` names have been redeemed, by key

    Where somebody else pays (`Subscription.payer`), `customer`, `grants` and `credit_notes` are the payer's: the
    subscription's own customer matters to its usage alone.
    """

    customer: Customer
    plans: Mapping[PlanRef, Plan]
    meters: Mapping[str, Meter]
    usage: Mapping[Need, Usage] = field(default_factory=dict)
    closings: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)
    billed: tuple[BilledUsage, ...] = ()
    advance: tuple[IssuedLine, ...] = ()
    grants: tuple[GrantBalance, ...] = ()
    credit_notes: tuple[CreditNoteBalance, ...] = ()
    redeemed: Mapping[str, Redeemed] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bill:
    """What an invoice is made from. `billing_period` is the start of the period in which it is issued; grants and
    credit notes are in its currency. `was_due` is when it should have been issued, where that is past: what could pay
    then can pay now.
    """

    name: str
    subscription: str | None
    customer: Customer
    currency: str
    at: datetime
    billing_period: datetime
    charges: Sequence[Charge]
    coupons: tuple[Redemption, ...] = ()
    grants: Sequence[GrantBalance] = ()
    credit_notes: Sequence[CreditNoteBalance] = ()
    was_due: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money to send back, of what the provider was paid for `invoice` (its name)."""

    name: str
    invoice: str
    amount: Money
    credit_note: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that a decision brings: the subscription as it is now, and facts to record in one transaction.

    invoices      to number in this order; each with an amount due is to be collected (`dunning.begin_collection`)
    credit_notes  new ones
    grants        new ones, of the plan's credits
    transactions  every ledger posting of all of these; what grants and credit notes have left follows from them
    billed        windows closed or billed again, by item and window
    refunds       to send; the ledger has them already
    redeemed      keys of coupons that were redeemed, once for each
    voids         names of invoices to take back whole, unless they are void: nothing was delivered for them
    ends          ids of grants of which nothing is left: later grants have taken them over
    begins        subscriptions that begin by it, to write down and set going
    refused       why a scheduled change was not carried out after all
    bills         what the invoices were made from, one for each: nothing to record
    """

    subscription: Subscription
    invoices: tuple[Invoice, ...] = ()
    credit_notes: tuple[CreditNote, ...] = ()
    grants: tuple[Grant, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    billed: tuple[BilledUsage, ...] = ()
    refunds: tuple[Refund, ...] = ()
    redeemed: tuple[str, ...] = ()
    voids: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    begins: tuple[Subscription, ...] = ()
    refused: str | None = None
    bills: tuple[Bill, ...] = field(default=(), compare=False)
