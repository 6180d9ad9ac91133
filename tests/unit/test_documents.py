"""Documents as they are shown: money with its decimals, exact amounts that end, keys and not ids."""

from dataclasses import replace
from fractions import Fraction as F

import pytest

from domain.allowances import Checked
from domain.documents import (
    Document,
    balance_document,
    check_document,
    credit_note_document,
    in_order,
    invoice_document,
    ledger_document,
    line_document,
    notifications,
    payment_document,
    refusal_document,
    subscription_document,
)
from domain.errors import Conflict, Declined, Forbidden, Invalid, NotFound, Rejected
from domain.invoicing import Bill, issue
from domain.money import Money
from domain.payments import Payment
from tests.makings import ACME, FEB, JAN, charge, day, grant, line, plan, subscription, usd


def test_an_invoice_shows_the_keys_it_is_given() -> None:
    made = issue(Bill("invoice:1", "sub_1", ACME, "USD", JAN, JAN, (charge("-7.5"),), grants=()))
    assert made is not None
    shown = invoice_document(replace(made.invoice, number="INV-000007"), "acme", "s1")
    assert (shown["number"], shown["customer"], shown["subscription"]) == (
        "INV-000007",
        "acme",
        "s1",
    )
    assert (shown["total"], shown["amount_due"], shown["status"]) == ("-7.50", "0.00", "paid")
    assert (shown["issued_at"], shown["due_at"]) == ("2026-01-01T00:00:00Z",) * 2
    (note,) = made.credit_notes
    told = credit_note_document(note, "acme", "s1")
    assert (told["total"], told["remaining"], told["refunded"]) == ("7.50", "7.50", "0.00")


def test_credits_of_both_kinds_are_applied() -> None:
    grants = (grant("a", "2"), grant("b", "3", "prepaid"))
    made = issue(Bill("invoice:1", None, ACME, "USD", JAN, JAN, (charge("9"),), grants=grants))
    assert made is not None
    shown = invoice_document(made.invoice, "acme", None)
    assert (shown["credits_applied"], shown["promotional_credits"], shown["prepaid_credits"]) == (
        "5.00",
        "2.00",
        "3.00",
    )


@pytest.mark.parametrize(("exact", "shown"), [
    (F("0.0000125"), "0.0000125"),
    (F(20), "20"),
    (F(2, 3), "0.666666666667"),
    (F(-2, 3), "-0.666666666667"),
    (F(1, 3 * 10**15), "0"),
    (F(1, 2**20), "0.00000095367431640625"),
])  # fmt: skip
def test_an_exact_amount_ends_or_has_twelve_decimals(exact: F, shown: str) -> None:
    assert line_document(replace(line("1"), exact_amount=exact))["exact_amount"] == shown


def test_a_line_without_item_period_and_plan() -> None:
    bare = replace(line("1"), item=None, period=None, plan=None)
    shown = line_document(bare)
    assert (shown["item"], shown["period"], shown["plan"]) == (None, None, None)


def test_payments_of_an_instant_come_before_refunds() -> None:
    refund = Payment(JAN, "refund", usd("5"), "succeeded", "INV-000001")
    later = Payment(FEB, "payment", usd("5"), "succeeded", "INV-000003", 1)
    payment = Payment(JAN, "payment", usd("5"), "failed", "INV-000002", 1, "lost_card")
    assert in_order([refund, later, payment]) == [payment, refund, later]
    assert payment_document(refund)["attempt"] is None
    assert payment_document(payment)["failure_code"] == "lost_card"


def test_a_movement_shows_how_much_its_type_which_way() -> None:
    assert ledger_document(JAN, "burn", "g1", usd("-5")) == {
        "at": "2026-01-01T00:00:00Z",
        "type": "burn",
        "grant": "g1",
        "amount": "5.00",
    }


def test_a_balance_is_what_grants_are_worth_at_the_instant() -> None:
    grants = [
        grant("live", "5"),
        grant("over", "6", expires_at=day(9)),
        grant("ahead", "7", "prepaid", effective_at=FEB),
        grant("monthly", "1", "prepaid"),
        grant("monthly", "2", "prepaid"),
    ]
    notes = [usd("3"), usd("4"), Money(9, "EUR")]
    shown = balance_document(day(10), "acme", "USD", grants, notes)
    assert shown == {
        "at": "2026-01-10T00:00:00Z",
        "customer": "acme",
        "currency": "USD",
        "promotional": "5.00",
        "prepaid": "3.00",
        "credit_notes": "7.00",
        "grants": {"live": "5.00", "over": "0.00", "ahead": "0.00", "monthly": "3.00"},
    }
    assert balance_document(day(10), "acme", "JPY", grants, notes)["promotional"] == "0"


def test_a_check_shows_what_was_used_of_what() -> None:
    shown = check_document(JAN, "acme", "calls", Checked(True, F("1.50"), F(10)))
    assert (shown["allowed"], shown["used"], shown["limit"]) == (True, "1.5", "10")
    bare = check_document(JAN, "acme", "sso", Checked(False))
    assert (bare["allowed"], bare["used"], bare["limit"]) == (False, None, None)


def test_the_current_period_is_the_trial_or_none() -> None:
    scheduled = subscription(plan())
    trialing = replace(scheduled, status="trialing", trial_end=day(15))
    over = replace(scheduled, status="cancelled", period=None)
    assert subscription_document(scheduled, "acme")["current_period"] is None
    assert subscription_document(trialing, "acme")["current_period"] == [
        "2026-01-01T00:00:00Z",
        "2026-01-15T00:00:00Z",
    ]
    assert subscription_document(over, "acme")["current_period"] is None


@pytest.mark.parametrize(("error", "status", "title"), [
    (Invalid.at("amount", "is wrong"), 422, "Not valid"),
    (NotFound("nothing"), 404, "Not found"),
    (Forbidden("no"), 403, "Not allowed"),
    (Declined("no"), 402, "Payment declined"),
    (Conflict("no"), 409, "Conflict"),
    (Rejected("no"), 409, "Refused"),
])  # fmt: skip
def test_a_refusal_is_an_answer(error: Rejected, status: int, title: str) -> None:
    told = {"status": status, "title": title, "detail": str(error)}
    assert refusal_document(JAN, "grant", error) == {
        "at": "2026-01-01T00:00:00Z",
        "action": "grant",
        "error": told,
    }


def test_notifications_are_told_in_the_order_of_their_times() -> None:
    invoices: list[Document] = [{"issued_at": "2026-01-02T00:00:00Z", "number": "INV-000001"}]
    notes: list[Document] = [{"issued_at": "2026-01-01T00:00:00Z", "number": "CN-000001"}]
    failed = {"at": "2026-01-02T00:00:00Z", "kind": "payment", "status": "failed"}
    told = notifications(invoices, notes, [{**failed, "invoice": "INV-000001"}])
    assert [(each["type"], each["at"]) for each in told] == [
        ("credit_note.issued", "2026-01-01T00:00:00Z"),
        ("invoice.issued", "2026-01-02T00:00:00Z"),
        ("payment.failed", "2026-01-02T00:00:00Z"),
    ]
