"""Laws of every invoice: what its parts add up to, and what its postings leave owed."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain import ledger
from domain.account import CreditNoteBalance
from domain.charges import Charge
from domain.credits import GrantBalance
from domain.customers import Customer, Redemption, TaxRate
from domain.explaining.credits import paid_by
from domain.invoices import Invoice
from domain.invoicing import Bill, Issued, issue, work_out
from domain.money import Money, settle, total
from tests.makings import ACME, FEB, FEBRUARY, JAN, JANUARY, charge, day, grant, redeemed

ITEMS = ("base", "seats", "calls")

cents = st.integers(1, 50_000).map(lambda minor: str(Fraction(minor, 100)))
percents = st.integers(0, 100).map(Fraction)
scopes = st.sampled_from([(), ("seats",), ("base", "calls")])


@st.composite
def charges(draw: st.DrawFn) -> Charge:
    exact = draw(st.fractions(min_value=-50, max_value=500, max_denominator=3_000))
    item, period = draw(st.sampled_from(ITEMS)), draw(st.sampled_from([JANUARY, FEBRUARY, None]))
    return charge(str(exact), item, period=period, of=draw(st.sampled_from(["pro", "old"])))


@st.composite
def coupons(draw: st.DrawFn) -> Redemption:
    scope: dict[str, Any] = {
        "items": draw(scopes),
        "plans": draw(st.sampled_from([(), ("pro",)])),
    }
    redeemed_at = draw(st.sampled_from([JAN, day(2)]))
    if draw(st.booleans()):
        return redeemed("c", redeemed_at, percent_off=draw(percents), **scope)
    amount = Fraction(draw(cents))
    return redeemed("c", redeemed_at, amount_off=amount, currency="USD", **scope)


@st.composite
def grants(draw: st.DrawFn, name: str) -> GrantBalance:
    return grant(
        name,
        draw(cents),
        draw(st.sampled_from(["promotional", "prepaid"])),
        draw(st.integers(1, 3)),
        draw(st.sampled_from([JAN, day(20), FEB])),
        expires_at=draw(st.sampled_from([None, day(25), FEB])),
        items=draw(scopes),
    )


@st.composite
def customers(draw: st.DrawFn) -> Customer:
    rates = draw(st.lists(st.tuples(percents, st.booleans()), max_size=3))
    taxes = tuple(TaxRate(f"t{n}", percent, kind) for n, (percent, kind) in enumerate(rates))
    return replace(ACME, tax_rates=taxes)


@st.composite
def bills(draw: st.DrawFn) -> Bill:
    notes = enumerate(draw(st.lists(cents, max_size=2)))
    return Bill(
        name="invoice:1",
        subscription="s1",
        customer=draw(customers()),
        currency="USD",
        at=FEB,
        billing_period=FEB,
        charges=draw(st.lists(charges(), min_size=1, max_size=6)),
        coupons=tuple(draw(st.lists(coupons(), max_size=3))),
        grants=[draw(grants(f"g{n}")) for n in range(draw(st.integers(0, 4)))],
        credit_notes=[
            CreditNoteBalance(f"n{n}", "USD", day(n + 1), settle(Fraction(amount), "USD"))
            for n, amount in notes
        ],
    )


issued = bills().map(lambda bill: (bill, issue(bill))).filter(lambda pair: pair[1] is not None)


def added(amounts: Sequence[Money]) -> Money:
    return total(amounts, "USD")


@given(issued)
def test_lines_add_up(pair: tuple[Bill, Issued]) -> None:
    bill, made = pair
    invoice = made.invoice
    exact = sum((each.exact_amount for each in bill.charges), Fraction(0))
    assert invoice.subtotal == settle(exact, "USD")
    assert added([line.amount for line in invoice.lines]) == invoice.subtotal
    assert added([line.discount for line in invoice.lines]) == invoice.discount
    assert added([line.credits for line in invoice.lines]) == invoice.promotional
    assert added([line.tax for line in invoice.lines]) == invoice.tax


@given(issued)
def test_totals_add_up(pair: tuple[Bill, Issued]) -> None:
    invoice = pair[1].invoice
    on_top = added([tax.amount for tax in invoice.taxes if not tax.inclusive])
    assert invoice.total == invoice.subtotal - invoice.discount - invoice.promotional + on_top
    assert added([tax.amount for tax in invoice.taxes]) == invoice.tax
    assert added([each.amount for each in invoice.discounts]) == invoice.discount
    owed = invoice.total - invoice.credit_notes_applied - invoice.prepaid
    assert invoice.amount_due.minor == max(owed.minor, 0)
    assert (invoice.status == "paid") == (invoice.amount_due.minor == 0)


@given(issued)
def test_no_credit_is_used_beyond_what_there_is(pair: tuple[Bill, Issued]) -> None:
    bill, made = pair
    available = {each.grant.id: each.remaining for each in bill.grants}
    available |= {note.name: note.remaining for note in bill.credit_notes}
    used = [credit.id for credit in made.invoice.credits]
    assert len(used) == len(set(used))
    for credit in made.invoice.credits:
        assert 0 < credit.amount.minor <= available[credit.id].minor


@given(issued)
def test_what_a_credit_paid_of_each_line_is_told_by_the_invoice(pair: tuple[Bill, Issued]) -> None:
    bill, made = pair
    known = {each.grant.id: each.grant for each in bill.grants}
    paid = paid_by(made.invoice, known)
    assert [each.credit for each in paid] == list(made.invoice.credits)
    for each in paid:
        assert added(each.parts) == each.credit.amount
    promoted = work_out(bill).promoted
    assert tuple(each.parts for each in paid[: len(promoted.applied)]) == promoted.shares


@given(issued)
def test_credits_never_turn_into_a_balance(pair: tuple[Bill, Issued]) -> None:
    bill, made = pair
    bare = issue(replace(bill, grants=(), credit_notes=()))
    assert bare is not None
    if made.invoice.promotional.minor:
        assert made.invoice.total.minor >= 0
    assert made.invoice.prepaid.minor <= max(bare.invoice.total.minor, 0)


@given(issued)
def test_the_postings_leave_what_is_due(pair: tuple[Bill, Issued]) -> None:
    _, made = pair
    assert owed_by_customer(made) == made.invoice.amount_due
    balance = ledger.balance(made.transactions, "credit_notes:acme", "USD")
    owed_back = added([note.remaining for note in made.credit_notes])
    assert balance == made.invoice.credit_notes_applied - owed_back


def owed_by_customer(made: Issued) -> Money:
    return ledger.balance(made.transactions, "receivable:acme", "USD")


@given(issued)
def test_a_negative_total_is_owed_back_whole(pair: tuple[Bill, Issued]) -> None:
    invoice, notes = pair[1].invoice, pair[1].credit_notes
    assert added([note.total for note in notes]) == Money(max(-invoice.total.minor, 0), "USD")
    assert all(_adds_up(invoice, note.subtotal, note.tax, note.total) for note in notes)


def _adds_up(invoice: Invoice, subtotal: Money, tax: Money, owed: Money) -> bool:
    inclusive = added([each.amount for each in invoice.taxes if each.inclusive])
    return subtotal + tax + inclusive == owed


@given(issued, st.randoms())
def test_the_order_in_which_credits_are_loaded_does_not_matter(
    pair: tuple[Bill, Issued], chance: object
) -> None:
    bill, made = pair
    shuffled = list(bill.grants)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # a Random of hypothesis
    again = issue(replace(bill, grants=shuffled))
    assert again == made
