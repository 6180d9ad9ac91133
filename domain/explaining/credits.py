"""Which credit paid which line of an issued invoice: told again from what the invoice keeps, in the order in which it was
paid.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from domain.burning import is_for, overlaps, shared
from domain.credits import Grant
from domain.documents import Document
from domain.invoices import AppliedCredit, Invoice, Line
from domain.money import Money


@dataclass(frozen=True, slots=True)
class Paid:
    """What one credit paid of each line, in line order."""

    credit: AppliedCredit
    parts: tuple[Money, ...]


def paid_by(invoice: Invoice, grants: Mapping[str, Grant]) -> tuple[Paid, ...]:
    """Each credit that paid of an invoice; `grants` are those among them, by id. Promotional credit is taken off what
    lines come to, before tax; the others pay of what is owed for them.
    """
    nothing = Money(0, invoice.currency)
    net = [replace(line, credits=nothing).net for line in invoice.lines]
    owed = [line.owed for line in invoice.lines]
    paid = []
    for credit in invoice.credits:
        of = net if credit.source == "promotional" else owed
        parts = shared(credit.amount, of, _eligible(invoice, credit, grants))
        of[:] = [left - part for left, part in zip(of, parts, strict=True)]
        paid.append(Paid(credit, parts))
    return tuple(paid)


def lines_paid(lines: Sequence[Line], paid: Paid) -> list[Document]:
    """The lines that a credit paid something of; the first line is number 1."""
    pairs = enumerate(zip(lines, paid.parts, strict=True), start=1)
    return [
        {"line": number, "item": line.item, "amount": str(part)}
        for number, (line, part) in pairs
        if part.minor
    ]


def _eligible(
    invoice: Invoice, credit: AppliedCredit, grants: Mapping[str, Grant]
) -> Sequence[bool]:
    if credit.source == "credit_note":
        return [True] * len(invoice.lines)
    grant, at = grants[credit.id], invoice.issued_at
    if credit.source == "prepaid":
        return [is_for(grant, line) for line in invoice.lines]
    return [is_for(grant, line) and overlaps(grant, line, at) for line in invoice.lines]
