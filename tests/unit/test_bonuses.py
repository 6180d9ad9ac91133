"""Bonuses on top-ups, by a table; and grants of which nothing can be taken back."""

from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction as F
from typing import Any

import pytest

from domain.bonuses import best_bonus, bonus_key, bonus_of, earns
from domain.credits import TopUpOrder, check_void
from domain.errors import Conflict
from domain.money import Money
from domain.topups import top_up_declined, top_up_invoice, top_up_paid
from tests.makings import ACME, FEB, JAN, MAR, day, grant, plan, subscription, usd

TENTH = {"from": "100.00", "percent": "10"}
FIVE = {"from": "50.00", "amount": "5.00"}
LESS = {"from": "200.00", "amount": "1.00"}
MONTH = {"unit": "month"}


@pytest.mark.parametrize(
    ("plans", "paid", "expected"),
    [
        ([], "100.00", None),
        ([[]], "100.00", None),
        ([[TENTH]], "99.99", None),
        ([[TENTH]], "100.00", "10.00"),
        ([[TENTH]], "100.05", "10.01"),  # half up
        ([[{"from": "0.01", "percent": "10"}]], "0.04", None),  # not a cent
        ([[{"from": "0.01", "percent": "100"}]], "0.04", "0.04"),
        ([[TENTH, FIVE]], "99.99", "5.00"),
        ([[FIVE, TENTH]], "1000.00", "100.00"),
        ([[TENTH, LESS]], "200.00", "1.00"),  # the highest that is reached counts
        ([[LESS], [TENTH]], "200.00", "20.00"),  # of several plans, the best
        ([[], [FIVE], [TENTH]], "60.00", "5.00"),
    ],
)
def test_the_best_of_what_each_plan_promises(
    plans: list[list[dict[str, str]]], paid: str, expected: str | None
) -> None:
    promising = [plan(top_up_bonuses=each) for each in plans]
    found = best_bonus(promising, usd(paid), "crg_1", JAN, "UTC")
    assert (found and str(found.amount)) == expected


def test_of_equal_bonuses_the_longest_counts() -> None:
    ends = [{**FIVE, "expires_after": MONTH}]
    longer = [{**FIVE, "expires_after": {"unit": "month", "count": 2}}]
    for plans, expires_at in (
        ([ends, longer], MAR),
        ([longer, ends], MAR),
        ([ends, [FIVE]], None),
    ):
        promising = [plan(top_up_bonuses=each) for each in plans]
        found = best_bonus(promising, usd("50"), "crg_1", JAN, "UTC")
        assert found is not None
        assert found.expires_at == expires_at


def test_it_is_told_in_the_currency_s_minor_units() -> None:
    yen = plan(currency="JPY", top_up_bonuses=[{"from": "100", "percent": "1.5"}])
    found = best_bonus([yen], Money(100, "JPY"), "crg_1", JAN, "UTC")
    assert found is not None
    assert found.amount == Money(2, "JPY")


def test_it_is_granted_with_what_was_paid_for_and_never_without() -> None:
    order = TopUpOrder("t1", "acme", F(100), priority=7)
    bonus = best_bonus([plan(top_up_bonuses=[TENTH])], usd("100"), "crg_2", JAN, "UTC")
    invoice = top_up_invoice(order, ACME, "USD", JAN, "topup:t1").invoice
    paid = top_up_paid(order, invoice, "crg_1", day(3), bonus)
    assert [(g.id, g.key, g.kind, str(g.amount), g.priority) for g in paid.grants] == [
        ("crg_1", "t1", "prepaid", "100.00", 7),
        ("crg_2", "t1:bonus", "promotional", "10.00", 7),
    ]
    assert [each.name for each in paid.transactions] == ["grant:crg_1", "grant:crg_2"]
    assert {posting.account for each in paid.transactions for posting in each.postings} == {
        "deposits",
        "credits:crg_1",
        "promotions",
        "credits:crg_2",
    }
    assert top_up_declined(invoice, day(3)).grants == ()


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"status": "active"}, True),
        ({"status": "paused"}, True),
        ({"status": "trialing"}, True),
        ({"status": "scheduled"}, False),
        ({"status": "incomplete"}, False),
        ({"status": "cancelled"}, False),
        ({"status": "active", "payer": "other"}, False),
        ({"status": "active", "customer": "child", "payer": "acme"}, True),
        ({"status": "active", "currency": "EUR"}, False),
    ],
)
def test_only_what_the_customer_pays_for_and_that_lives_counts(
    state: dict[str, Any], expected: bool
) -> None:
    assert earns(replace(subscription(plan()), **state), "acme", "USD") == expected


def test_a_bonus_is_told_by_its_top_up_s_key() -> None:
    assert bonus_of(bonus_key("t1")) == "t1"
    assert bonus_of("t1") is None


@pytest.mark.parametrize(
    ("expires_at", "left", "at", "refused"),
    [
        (None, "5", MAR, None),
        (FEB, "5", FEB, None),  # at the very instant it still lives
        (FEB, "5", FEB + timedelta(microseconds=1), "g has expired: nothing is left of it"),
        (FEB, "0", MAR, "g has expired: nothing is left of it"),
        (FEB, "0", JAN, "nothing is left of g"),
    ],
)
def test_nothing_is_taken_back_of_what_is_worth_nothing(
    expires_at: datetime | None, left: str, at: datetime, refused: str | None
) -> None:
    balance = replace(grant("g", "5", expires_at=expires_at), remaining=usd(left))
    if refused is None:
        check_void(balance, at)
        return
    with pytest.raises(Conflict, match=refused):
        check_void(balance, at)
