"""From charges to an invoice, in the order of the contract: settle, coupons, promotional credits, tax, credit-note
balance, prepaid credits; what remains is due.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from domain import ledger
from domain.account import Bill
from domain.bounds import TOO_LARGE, is_too_large
from domain.burning import Promoted, burn_promotional, pay_with_balances
from domain.charges import Charge
from domain.customers import Redemption
from domain.discounts import Discounted, discount
from domain.errors import Invalid
from domain.invoices import (
    AppliedCredit,
    CreditNote,
    Invoice,
    Line,
)
from domain.ledger import Transaction
from domain.money import Money, apportion, greatest, total
from domain.taxes import Taxed, tax

__all__ = [
    "Bill",
    "Issued",
    "Worked",
    "billable",
    "issue",
    "settled",
    "settled_together",
    "work_out",
]


@dataclass(frozen=True, slots=True)
class Worked:
    """A bill worked out, stage by stage: the lines as settled, and what coupons, promotional credits, taxes and
    balances made of them.
    """

    lines: tuple[Line, ...]
    discounted: Discounted
    promoted: Promoted
    taxed: Taxed
    paid: tuple[AppliedCredit, ...]


@dataclass(frozen=True, slots=True)
class Issued:
    """An invoice, with what it brings: the coupons as used, a balance of a negative total, the postings."""

    bill: Bill = field(compare=False)
    invoice: Invoice
    coupons: tuple[Redemption, ...]
    credit_notes: tuple[CreditNote, ...]
    transactions: tuple[Transaction, ...]


def issue(bill: Bill) -> Issued | None:
    """Issue an invoice; None where there is nothing to bill."""
    worked = work_out(bill)
    if not worked.lines:
        return None
    invoice = _invoice(bill, worked)
    notes = _owed_back(invoice)
    postings = ledger.invoice_issued(invoice)
    for note in notes:
        postings += ledger.credit_note_issued(note, of_invoice=True)
    return Issued(bill, invoice, worked.discounted.coupons, notes, postings)


def work_out(bill: Bill) -> Worked:
    """Go through the order of the contract, from charges to what is due."""
    currency = bill.currency
    lines = settled(bill.charges, currency)
    due = bill.was_due or bill.at
    discounted = discount(lines, bill.coupons, currency, bill.billing_period, due)
    promoted = burn_promotional(discounted.lines, bill.grants, bill.at, currency, bill.was_due)
    taxed = tax(promoted.lines, bill.customer.tax_rates, currency)
    paid = pay_with_balances(
        taxed.lines, bill.credit_notes, bill.grants, bill.at, currency, bill.was_due
    )
    return Worked(lines, discounted, promoted, taxed, paid)


def settled(charges: Sequence[Charge], currency: str) -> tuple[Line, ...]:
    """Lines that add up to the exact sum rounded once; a charge of no quantity and no amount is none. Raises
    Invalid for one that the books cannot hold.
    """
    kept = billable(charges)
    for charge in kept:
        if is_too_large(charge.exact_amount):
            raise Invalid.at(charge.description, TOO_LARGE)
    amounts: dict[int, Money] = {}
    for places in settled_together(kept):
        parts = apportion([kept[place].exact_amount for place in places], currency)
        amounts |= zip(places, parts, strict=True)
    return tuple(_line(charge, amounts[place]) for place, charge in enumerate(kept))


def settled_together(charges: Sequence[Charge]) -> list[list[int]]:
    """The places of charges that are rounded as one sum: what is on account apart from the rest, so that nothing is won
    or lost by it in the end.
    """
    groups: dict[bool, list[int]] = {}
    for place, charge in enumerate(charges):
        groups.setdefault(charge.charged == "on_account", []).append(place)
    return list(groups.values())


def billable(charges: Sequence[Charge]) -> list[Charge]:
    """Those of which a line is made: of the others there is nothing to say."""
    return [charge for charge in charges if charge.quantity or charge.exact_amount]


def _invoice(bill: Bill, worked: Worked) -> Invoice:
    lines, credits = worked.taxed.lines, (*worked.promoted.applied, *worked.paid)

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
        taxes=worked.taxed.applied,
        discounts=worked.discounted.applied,
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
        credits_invoice=charge.credits_invoice,
    )
