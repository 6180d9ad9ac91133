"""Double entry: every transaction sums to zero in one currency, and none is ever edited."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from domain.credits import CreditKind, Grant, GrantBalance
from domain.errors import UnbalancedTransaction
from domain.invoices import CreditNote, Invoice
from domain.money import Money, total

Movement = Literal[
    "invoice", "payment", "grant", "burn", "transfer", "expire", "refund", "void", "credit_note"
]

_REFUND: Movement = "refund"
_CREDIT_NOTE: Movement = "credit_note"

_OF_INVOICES = ("burn:", "give_back:")

CASH = "cash"
REVENUE = "revenue"
TAX = "tax"
PROMOTIONS = "promotions"
BREAKAGE = "breakage"
DEPOSITS = "deposits"


@dataclass(frozen=True, slots=True)
class Posting:
    """Debits are positive, credits negative. Accounts: `receivable:{customer}`, `revenue`, `tax`, `cash`,
    `credits:{grant}` (what we owe in prepaid or promotional value), `deposits` (what prepaid credits are bought
    with), `promotions` (the cost of promotional grants), `breakage` (what is owed no longer),
    `credit_notes:{customer}`.
    """

    account: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Transaction:
    """`name` is the business fact it records (`invoice:{sub}:{period}`, `burn:{invoice}:{grant}`,
    `expire:{grant}`): a repeat is a no-op.
    """

    name: str
    movement: Movement
    at: datetime
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        if len({posting.amount.currency for posting in self.postings}) != 1:
            raise UnbalancedTransaction(self.name, "one currency per transaction")
        if sum(posting.amount.minor for posting in self.postings) != 0:
            raise UnbalancedTransaction(self.name, "postings do not sum to zero")


def receivable(customer: str) -> str:
    return f"receivable:{customer}"


def credit_note_balance(customer: str) -> str:
    return f"credit_notes:{customer}"


def credits_of(grant: str) -> str:
    return f"credits:{grant}"


def invoice_issued(invoice: Invoice) -> tuple[Transaction, ...]:
    """What the customer owes, what we have earned or taken for others, and what credits pay of it at once."""
    owed = invoice.total + invoice.promotional
    tax = invoice.tax
    is_top_up = any(line.kind == "top_up" for line in invoice.lines)
    earned = Posting(DEPOSITS if is_top_up else REVENUE, tax - owed)
    postings = (Posting(receivable(invoice.customer), owed), earned, Posting(TAX, -tax))
    issued = _transactions(invoice.name, "invoice", invoice.issued_at, postings)
    return (*issued, *_applied(invoice))


def _applied(invoice: Invoice) -> Iterator[Transaction]:
    owed, at = receivable(invoice.customer), invoice.issued_at
    for credit in invoice.credits:
        if credit.source == "credit_note":
            balance = credit_note_balance(invoice.customer)
            name = f"apply:{invoice.name}:{credit.id}"
            yield from _moved(name, "credit_note", at, balance, owed, credit.amount)
        else:
            name = f"burn:{invoice.name}:{credit.id}"
            yield from _moved(name, "burn", at, credits_of(credit.id), owed, credit.amount)


def invoice_voided(invoice: Invoice, at: datetime) -> tuple[Transaction, ...]:
    """Take back what was still owed on an invoice on which nothing was paid, and what it had earned."""
    reversed_ = [
        Posting(posting.account, -posting.amount)
        for transaction in invoice_issued(invoice)
        if transaction.movement == "invoice"
        for posting in transaction.postings
    ]
    return _transactions(f"void:{invoice.name}", "invoice", at, reversed_)


def invoice_taken_back(
    invoice: Invoice, at: datetime, lapsed: Collection[str] = ()
) -> tuple[Transaction, ...]:
    """Void an invoice for which nothing was delivered: what credits have paid of it goes back to them, but to the grants
    that have `lapsed` meanwhile.
    """
    return (*invoice_voided(invoice, at), *_given_back(invoice, at, lapsed))


def _given_back(invoice: Invoice, at: datetime, lapsed: Collection[str]) -> Iterator[Transaction]:
    owed = receivable(invoice.customer)
    for credit in invoice.credits:
        name, movement, to = f"give_back:{invoice.name}:{credit.id}", _REFUND, credits_of(credit.id)
        if credit.source == "credit_note":
            movement, to = _CREDIT_NOTE, credit_note_balance(invoice.customer)
        elif credit.id in lapsed:
            to = _where(credit.source, BREAKAGE)
        yield from _moved(name, movement, at, owed, to, credit.amount)


def paid(name: str, customer: str, amount: Money, at: datetime) -> tuple[Transaction, ...]:
    """The provider has been paid for an invoice. `name` is the attempt's, `payment:{invoice}:{attempt}`."""
    return _moved(name, "payment", at, CASH, receivable(customer), amount)


def credit_note_issued(note: CreditNote, of_invoice: bool) -> tuple[Transaction, ...]:
    """A balance for the customer: of an invoice's negative total (`of_invoice`), which leaves the receivable, or
    of what was earned, which is earned no longer. What it refunds leaves as cash; what it can neither send back
    nor keep lapses.
    """
    balance = credit_note_balance(note.customer)
    if of_invoice:
        return _moved(
            note.name, "credit_note", note.issued_at, receivable(note.customer), balance, note.total
        )
    earned = Posting(REVENUE, note.total - note.tax)
    postings = (earned, Posting(TAX, note.tax), Posting(balance, -note.total))
    lapsed = note.total - note.refunded - note.remaining
    return (
        *_transactions(note.name, "credit_note", note.issued_at, postings),
        *_moved(f"refund:{note.name}", "payment", note.issued_at, balance, CASH, note.refunded),
        *_moved(f"lapse:{note.name}", "credit_note", note.issued_at, balance, BREAKAGE, lapsed),
    )


def granted(grant: Grant) -> tuple[Transaction, ...]:
    source = DEPOSITS if grant.kind == "prepaid" else PROMOTIONS
    name, owed = f"grant:{grant.id}", credits_of(grant.id)
    return _moved(name, "grant", grant.granted_at, source, owed, grant.amount)


def expired(grant: Grant, remaining: Money, at: datetime) -> tuple[Transaction, ...]:
    return _ended("expire", grant, remaining, at, BREAKAGE)


def voided(grant: Grant, remaining: Money, at: datetime) -> tuple[Transaction, ...]:
    return _ended("void", grant, remaining, at, DEPOSITS)


def invoice_of(transaction: str, grant: str) -> str | None:
    """The name of the invoice of which a movement has paid, or given back what it paid; None of another movement."""
    for kind in _OF_INVOICES:
        if transaction.startswith(kind):
            return transaction.removeprefix(kind).removesuffix(f":{grant}")
    return None


def name_of_void(grant: Grant) -> str:
    """Of the transaction by which all that is left of it is taken back."""
    return f"void:{grant.id}"


def taken_back(grant: Grant, amount: Money, at: datetime, step: str) -> tuple[Transaction, ...]:
    """Some of what is left of a grant goes where it came from, by a step that has a name of its own."""
    account = _where(grant.kind, DEPOSITS)
    return _moved(f"void:{grant.id}:{step}", "void", at, credits_of(grant.id), account, amount)


def transferred(old: Grant, new: Grant, amount: Money, at: datetime) -> tuple[Transaction, ...]:
    """What is left of a grant, or some of it, is another's from now on."""
    name = f"transfer:{old.id}:{new.id}"
    return _moved(name, "transfer", at, credits_of(old.id), credits_of(new.id), amount)


def _ended(
    movement: Literal["expire", "void"], grant: Grant, remaining: Money, at: datetime, to: str
) -> tuple[Transaction, ...]:
    """What is left of a grant goes where it came from if it cost nothing, else to `to`."""
    account = _where(grant.kind, to)
    name = f"{movement}:{grant.id}"
    return _moved(name, movement, at, credits_of(grant.id), account, remaining)


def _where(kind: CreditKind, prepaid: str) -> str:
    return prepaid if kind == "prepaid" else PROMOTIONS


def _moved(
    name: str, movement: Movement, at: datetime, debit: str, credit: str, amount: Money
) -> tuple[Transaction, ...]:
    return _transactions(name, movement, at, (Posting(debit, amount), Posting(credit, -amount)))


def _transactions(
    name: str, movement: Movement, at: datetime, postings: Sequence[Posting]
) -> tuple[Transaction, ...]:
    """One transaction, or none where nothing moves."""
    moving = tuple(posting for posting in postings if posting.amount.minor)
    return (Transaction(name, movement, at, moving),) if moving else ()


def left_after(
    balances: Iterable[GrantBalance], transactions: Iterable[Transaction]
) -> tuple[GrantBalance, ...]:
    """What transactions leave of grants: those with anything left."""
    left = {balance.grant.id: balance for balance in balances}
    for transaction in transactions:
        for posting in transaction.postings:
            kind, _, grant = posting.account.partition(":")
            if kind == "credits" and grant in left:
                before = left[grant]
                left[grant] = replace(before, remaining=before.remaining - posting.amount)
    return tuple(balance for balance in left.values() if balance.remaining.minor)


def balance(transactions: Sequence[Transaction], account: str, currency: str) -> Money:
    """What an account holds, in debits."""
    postings = (posting for each in transactions for posting in each.postings)
    return total(
        [p.amount for p in postings if p.account == account and p.amount.currency == currency],
        currency,
    )
