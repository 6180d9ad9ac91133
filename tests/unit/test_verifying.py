"""Where two documents differ: told by path, the shown before the unrounded."""

from dataclasses import replace
from fractions import Fraction

from domain.invoices import Invoice
from domain.invoicing import Bill, issue
from domain.verifying import Difference, invoice_differences
from tests.makings import ACME, JAN, charge


def invoice() -> Invoice:
    made = issue(Bill("invoice:1", "sub_1", ACME, "USD", JAN, JAN, (charge("7.5"), charge("2"))))
    assert made is not None
    return made.invoice


def with_line(place: int, **changes: object) -> Invoice:
    made = invoice()
    lines = list(made.lines)
    lines[place] = replace(lines[place], **changes)  # type: ignore[arg-type]  # any member of a line
    return replace(made, lines=tuple(lines))


def test_what_became_of_an_invoice_is_no_difference() -> None:
    issued = replace(invoice(), number="INV-1", status="paid", amount_paid=invoice().amount_due)
    assert invoice_differences(issued, [invoice()]) == ()


def test_a_difference_is_told_with_its_path() -> None:
    issued = with_line(1, quantity=Fraction(3))
    assert invoice_differences(issued, [invoice()]) == (Difference("lines.1.quantity", "3", "1"),)


def test_a_difference_beyond_what_is_shown_is_told_too() -> None:
    issued = with_line(0, exact_amount=Fraction(15, 2) + Fraction(1, 3 * 10**20))
    again = with_line(0, exact_amount=Fraction(15, 2) + Fraction(1, 7 * 10**20))
    found = invoice_differences(issued, [again])
    assert [each.path for each in found] == ["exact.lines.0.exact_amount"]


def test_a_line_that_is_not_there_again_is_told() -> None:
    issued = invoice()
    again = replace(issued, lines=issued.lines[:1])
    paths = [each.path for each in invoice_differences(issued, [again])]
    assert paths == ["lines.1"]


def test_an_invoice_that_is_not_issued_again_is_told() -> None:
    other = replace(invoice(), name="invoice:2")
    assert invoice_differences(invoice(), [other]) == (Difference("", "invoice:1", None),)
