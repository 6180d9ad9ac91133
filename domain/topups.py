"""Top-ups and charges of their own: invoices that no billing period issues."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from domain import ledger
from domain.account import CreditNoteBalance
from domain.bonuses import Bonus, bonus_granted
from domain.charges import Charge
from domain.credits import Grant, GrantBalance, TopUpOrder, check_top_up, topped_up
from domain.customers import Customer
from domain.invoices import Invoice
from domain.invoicing import Bill, Issued, issue
from domain.ledger import Transaction
from domain.subscription import OneOffCharge


@dataclass(frozen=True, slots=True)
class TopUpEnded:
    """What the answer to its one payment makes of a top-up: paid for and granted, with its bonus, or void."""

    invoice: Invoice
    grants: tuple[Grant, ...]
    transactions: tuple[Transaction, ...]


def top_up_invoice(
    order: TopUpOrder, customer: Customer, currency: str, at: datetime, name: str
) -> Issued:
    """The invoice of a top-up: one line, no tax, no credits; it is to be collected at once.

    `currency` is the usual one, `name` unique for ever. Raises Invalid where `check_top_up` does.
    """
    price = check_top_up(order, currency, at)
    line = Charge(
        kind="top_up",
        item=None,
        description=f"Top-up {order.key}",
        quantity=Fraction(1),
        exact_amount=price.exact,
        period=None,
    )
    untaxed = replace(customer, tax_rates=())
    issued = issue(Bill(name, None, untaxed, price.currency, at, at, (line,)))
    assert issued is not None
    return issued


def top_up_paid(
    order: TopUpOrder, invoice: Invoice, grant: str, at: datetime, bonus: Bonus | None = None
) -> TopUpEnded:
    """The credit that was paid for is granted, under the id `grant`, and with it the bonus that was promised."""
    bought = topped_up(order, invoice.total, id=grant, customer=invoice.customer, paid_at=at)
    grants = (bought,) if bonus is None else (bought, bonus_granted(bonus, bought))
    paid = replace(invoice, status="paid", amount_paid=invoice.amount_due)
    posted = tuple(posting for each in grants for posting in ledger.granted(each))
    return TopUpEnded(paid, grants, posted)


def top_up_declined(invoice: Invoice, at: datetime) -> TopUpEnded:
    """Nothing was paid: the invoice is void, and nothing is granted."""
    return TopUpEnded(replace(invoice, status="void"), (), ledger.invoice_voided(invoice, at))


def one_off_invoice(
    charges: Sequence[OneOffCharge],
    customer: Customer,
    currency: str,
    at: datetime,
    name: str,
    grants: Sequence[GrantBalance] = (),
    credit_notes: Sequence[CreditNoteBalance] = (),
) -> Issued | None:
    """An invoice of charges that belong to no subscription; None where they come to nothing. Taxes and credits
    apply as to any other; `grants` and `credit_notes` are in its currency.
    """
    lines = [
        Charge("one_off", charge.key, charge.description, charge.quantity, charge.amount, None)
        for charge in charges
    ]
    bill = Bill(name, None, customer, currency, at, at, lines, (), grants, credit_notes)
    return issue(bill)
