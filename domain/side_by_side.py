"""What was billed and what would have been, period by period: two sides of one history."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from domain.documents import Document, line_document
from domain.invoices import CreditNote, Invoice, Line
from domain.money import Money, total

FIGURES = ("subtotal", "discount", "credits", "tax", "credited", "total")


@dataclass(slots=True)
class Side:
    """The lines of one period under one plan, and the credit notes for what was not used of it."""

    lines: list[Line] = field(default_factory=list)
    credited: list[Money] = field(default_factory=list)


def by_period(
    invoices: Iterable[Invoice],
    notes: Iterable[CreditNote],
    starts: Sequence[datetime],
    end: datetime | None,
) -> list[Side]:
    """Each line in the period in which its own begins, late usage in the period it is of; a line without a period, and a
    credit note, in the one of its issue. What is before all is in the first, what is from `end` on in none.
    """
    sides = [Side() for _ in starts]
    for invoice in invoices:
        for line in invoice.lines:
            if line.period is None:  # it waited for that invoice
                sides[_place(starts, invoice.issued_at)].lines.append(line)
            elif end is None or line.period.start < end:
                sides[_place(starts, line.period.start)].lines.append(line)
    for note in notes:
        if note.reason != "negative_invoice":  # that one's lines are told already
            sides[_place(starts, note.issued_at)].credited.append(note.total)
    return sides


def figures(side: Side, currency: str) -> dict[str, Money]:
    """`total` is what invoices come to, less what was credited: before balances and prepaid credits pay of it."""
    lines, credited = side.lines, total(side.credited, currency)
    return {
        "subtotal": total([line.amount for line in lines], currency),
        "discount": total([line.discount for line in lines], currency),
        "credits": total([line.credits for line in lines], currency),
        "tax": total([line.tax for line in lines], currency),
        "credited": credited,
        "total": total([line.owed for line in lines], currency) - credited,
    }


def side_document(side: Side, currency: str) -> Document:
    shown = {name: str(amount) for name, amount in figures(side, currency).items()}
    return {"lines": [line_document(line) for line in side.lines], **shown}


def difference(actual: Side, simulated: Side, currency: str) -> Document:
    """How much more the simulated side comes to."""
    one, other = figures(actual, currency), figures(simulated, currency)
    return {name: str(other[name] - one[name]) for name in FIGURES}


def together(sides: Iterable[Side]) -> Side:
    """Several periods as one."""
    whole = Side()
    for side in sides:
        whole.lines += side.lines
        whole.credited += side.credited
    return whole


def _place(starts: Sequence[datetime], at: datetime) -> int:
    return max(bisect_right(starts, at) - 1, 0)
