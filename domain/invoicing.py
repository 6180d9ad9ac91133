"""From charges to an invoice, in the order of the contract: settle, coupons, promotional credits, tax, credit-note
balance, prepaid credits; what remains is due.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain import ledger
from domain.account import CreditNoteBalance
from domain.burning import burn_promotional, pay_with_balances
from domain.charges import Charge
from domain.credits import GrantBalance
from domain.customers import Customer, Redemption
from domain.discounts import discount
from domain.invoices import (
    AppliedCredit,
    AppliedDiscount,
    AppliedTax,
    CreditNote,
    Invoice,
    Line,
)
from domain.ledger import Transaction
from domain.money import Money, apportion, greatest, total
from domain.taxes import tax


@dataclass(frozen=True, slots=True)
class Bill:
    """What an invoice is made from. `billing_period` is the start of the period in which it is issued; grants and
    credit notes are in its currency.
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


@dataclass(frozen=True, slots=True)
class Issued:
    """An invoice, with what it brings: the coupons as used, a balance of a negative total, the postings."""

    invoice: Invoice
    coupons: tuple[Redemption, ...]
    credit_notes: tuple[CreditNote, ...]
    transactions: tuple[Transaction, ...]


def issue(bill: Bill) -> Issued | None:
    """Issue an invoice; None where there is nothing to bill."""
    lines = settled(bill.charges, bill.currency)
    if not lines:
        return None
    currency = bill.currency
    discounted = discount(lines, bill.coupons, currency, bill.billing_period)
    promoted = burn_promotional(discounted.lines, bill.grants, bill.at, currency)
    taxed = tax(promoted.lines, bill.customer.tax_rates, currency)
    paid = pay_with_balances(taxed.lines, bill.credit_notes, bill.grants, bill.at, currency)
    credits = (*promoted.applied, *paid)
    invoice = _invoice(bill, taxed.lines, taxed.applied, discounted.applied, credits)
    notes = _owed_back(invoice)
    postings = ledger.invoice_issued(invoice)
    for note in notes:
        postings += ledger.credit_note_issued(note, of_invoice=True)
    return Issued(invoice, discounted.coupons, notes, postings)


def settled(charges: Sequence[Charge], currency: str) -> tuple[Line, ...]:
    """Lines that add up to the exact sum rounded once; a charge of no quantity and no amount is none."""
    kept = [charge for charge in charges if charge.quantity or charge.exact_amount]
    amounts = apportion([charge.exact_amount for charge in kept], currency)
    return tuple(_line(charge, amount) for charge, amount in zip(kept, amounts, strict=True))


def _invoice(
    bill: Bill,
    lines: tuple[Line, ...],
    taxes: tuple[AppliedTax, ...],
    discounts: tuple[AppliedDiscount, ...],
    credits: tuple[AppliedCredit, ...],
) -> Invoice:
    def paid_by(source: str) -> Money:
        return total([c.amount for c in credits if c.source == source], bill.currency)

    owed = total([line.owed for line in lines], bill.currency)
    notes, prepaid = paid_by("credit_note"), paid_by("prepaid")
    due = greatest(owed - notes - prepaid, Money(0, bill.currency))
    return Invoice(
        name=bill.name,
        subscription=bill.subscription,
        customer=bill.customer.id,
        currency=bill.currency,
        issued_at=bill.at,
        due_at=bill.at,
        status="open" if due.minor else "paid",
        lines=lines,
        subtotal=total([line.amount for line in lines], bill.currency),
        discount=total([line.discount for line in lines], bill.currency),
        promotional=paid_by("promotional"),
        tax=total([line.tax for line in lines], bill.currency),
        total=owed,
        credit_notes_applied=notes,
        prepaid=prepaid,
        amount_due=due,
        taxes=taxes,
        discounts=discounts,
        credits=credits,
        amount_paid=Money(0, bill.currency),
    )


def _owed_back(invoice: Invoice) -> tuple[CreditNote, ...]:
    """The balance that a negative total leaves the customer."""
    if invoice.total.minor >= 0:
        return ()
    exclusive = total([line.tax - line.inclusive_tax for line in invoice.lines], invoice.currency)
    note = CreditNote(
        name=f"credit_note:{invoice.name}",
        subscription=invoice.subscription,
        customer=invoice.customer,
        currency=invoice.currency,
        issued_at=invoice.issued_at,
        reason="negative_invoice",
        lines=(),
        subtotal=exclusive - invoice.total,
        tax=-invoice.tax,
        total=-invoice.total,
        refunded=Money(0, invoice.currency),
        remaining=-invoice.total,
    )
    return (note,)


def _line(charge: Charge, amount: Money) -> Line:
    nothing = Money(0, amount.currency)
    return Line(
        kind=charge.kind,
        item=charge.item,
        description=charge.description,
        quantity=charge.quantity,
        exact_amount=charge.exact_amount,
        amount=amount,
        period=charge.period,
        discount=nothing,
        credits=nothing,
        tax=nothing,
        inclusive_tax=nothing,
        charged=charge.charged,
        plan=charge.plan,
    )
