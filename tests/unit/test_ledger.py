"""Every fact of money is a transaction that sums to zero, and what each account then holds."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction as F

import pytest

from domain import ledger
from domain.account import CreditNoteBalance
from domain.credits import TopUpOrder
from domain.customers import TaxRate
from domain.errors import UnbalancedTransaction
from domain.invoicing import Bill, Issued, issue
from domain.ledger import Posting, Transaction
from domain.money import Money
from domain.topups import top_up_declined, top_up_invoice, top_up_paid
from tests.makings import ACME, FEB, JAN, charge, day, grant, usd

TAXED = replace(ACME, tax_rates=(TaxRate("in", F(10), True), TaxRate("out", F(5), False)))


def issued(**members: object) -> Issued:
    bill = Bill("invoice:1", "s1", TAXED, "USD", JAN, JAN, (charge("110"),))
    found = issue(replace(bill, **members))  # type: ignore[arg-type]  # members of a Bill
    assert found is not None
    return found


def balances(transactions: Sequence[Transaction]) -> dict[str, str]:
    accounts = {posting.account for each in transactions for posting in each.postings}
    held = {name: ledger.balance(transactions, name, "USD") for name in sorted(accounts)}
    return {name: str(money) for name, money in held.items() if money.minor}


def test_a_transaction_sums_to_zero_in_one_currency() -> None:
    with pytest.raises(UnbalancedTransaction, match="do not sum to zero"):
        Transaction("x", "grant", JAN, (Posting("a", usd("1")),))
    pair = Posting("a", usd("1")), Posting("b", Money(-100, "EUR"))
    with pytest.raises(UnbalancedTransaction, match="one currency"):
        Transaction("x", "grant", JAN, pair)


def test_an_invoice_is_owed_earned_and_partly_taken_for_others() -> None:
    # 110.00 with 10.00 in it, and 5.50 on top
    assert balances(issued().transactions) == {
        "receivable:acme": "115.50",
        "revenue": "-100.00",
        "tax": "-15.50",
    }


def test_credits_pay_what_is_owed_by_name() -> None:
    grants = (grant("promo", "10"), grant("paid", "20", "prepaid"))
    notes = (CreditNoteBalance("note", "USD", JAN, usd("30")),)
    made = issued(grants=grants, credit_notes=notes)
    assert [(each.name, each.movement) for each in made.transactions] == [
        ("invoice:1", "invoice"),
        ("burn:invoice:1:promo", "burn"),
        ("apply:invoice:1:note", "credit_note"),
        ("burn:invoice:1:paid", "burn"),
    ]
    held = balances(made.transactions)
    assert held["receivable:acme"] == str(made.invoice.amount_due)
    assert (held["credits:promo"], held["credits:paid"]) == ("10.00", "20.00")
    assert held["credit_notes:acme"] == "30.00"


def test_a_paid_invoice_leaves_cash_and_nothing_owed() -> None:
    made = issued()
    payment = ledger.paid("payment:invoice:1:1", "acme", made.invoice.amount_due, JAN)
    held = balances((*made.transactions, *payment))
    assert (held["cash"], "receivable:acme" in held) == ("115.50", False)


def test_a_negative_total_is_owed_to_the_customer() -> None:
    made = issued(charges=(charge("-110"),))
    assert balances(made.transactions) == {
        "credit_notes:acme": "-115.50",
        "revenue": "100.00",
        "tax": "15.50",
    }


def test_a_void_invoice_leaves_nothing() -> None:
    made = issued()
    assert balances((*made.transactions, *ledger.invoice_voided(made.invoice, FEB))) == {}


def test_a_grant_lives_from_what_it_costs_to_what_lapses() -> None:
    promo, paid = grant("promo", "10").grant, grant("paid", "20", "prepaid").grant
    granted = (*ledger.granted(promo), *ledger.granted(paid))
    assert balances(granted) == {
        "credits:paid": "-20.00",
        "credits:promo": "-10.00",
        "deposits": "20.00",
        "promotions": "10.00",
    }
    ended = (*ledger.expired(promo, usd("10"), FEB), *ledger.expired(paid, usd("20"), FEB))
    assert balances((*granted, *ended)) == {"breakage": "-20.00", "deposits": "20.00"}
    voided = (*ledger.voided(promo, usd("10"), FEB), *ledger.voided(paid, usd("20"), FEB))
    assert balances((*granted, *voided)) == {}


def test_nothing_left_is_nothing_to_post() -> None:
    assert ledger.expired(grant("g", "10").grant, usd("0"), FEB) == ()


def test_a_top_up_is_money_in_for_credit_owed() -> None:
    order = TopUpOrder("t1", "acme", F(50))
    made = top_up_invoice(order, TAXED, "USD", JAN, "topup:t1")
    payment = ledger.paid("payment:topup:t1:1", "acme", made.invoice.amount_due, JAN)
    ended = top_up_paid(order, made.invoice, "grant_1", JAN)
    held = balances((*made.transactions, *payment, *ended.transactions))
    assert held == {"cash": "50.00", "credits:grant_1": "-50.00"}
    assert (ended.invoice.status, ended.invoice.amount_paid) == ("paid", usd("50"))
    (bought,) = ended.grants
    assert (bought.kind, bought.id, bought.key) == ("prepaid", "grant_1", "t1")


def test_a_declined_top_up_leaves_nothing() -> None:
    made = top_up_invoice(TopUpOrder("t1", "acme", F(50)), TAXED, "USD", JAN, "topup:t1")
    ended = top_up_declined(made.invoice, day(2))
    assert (ended.invoice.status, ended.grants) == ("void", ())
    assert balances((*made.transactions, *ended.transactions)) == {}
