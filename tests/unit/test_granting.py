"""What a plan's credits carry over and prorate: each rule by a table. Whole stories are told by the scenarios."""

from dataclasses import replace
from datetime import datetime
from fractions import Fraction as F
from typing import Any

import pytest

from domain import ledger, lifecycle
from domain.account import Facts, Outcome
from domain.commands import ChangePlan, Request
from domain.credits import GrantBalance
from domain.granting import credits_taken_back
from domain.ledger import Transaction
from domain.periods import rest_of_period
from domain.plans import Plan
from domain.pricing.usage import Quantity
from domain.subscription import Subscription
from tests.makings import CALLS, FEB, JAN, MAR, day, facts, plan, subscription, usd

MONTH = {"unit": "month"}
PRORATED = {"on_plan_change": "prorate"}


def crediting(key: str = "pro", **members: Any) -> Plan:
    of_plan = {name: members.pop(name) for name in ("interval", "proration") if name in members}
    credit = {"key": "monthly", "amount": "10.00", "expires_after": MONTH, **members}
    return plan(CALLS, key=key, credits=[credit], **of_plan)


def begun(of: Plan) -> tuple[Subscription, GrantBalance]:
    outcome = lifecycle.begin(facts(of), subscription(of), JAN)
    (grant,) = outcome.grants
    return outcome.subscription, GrantBalance(grant, grant.amount)


def left(balance: GrantBalance, amount: str) -> GrantBalance:
    return replace(balance, remaining=usd(amount))


def used(known: Facts, living: Subscription, step: lifecycle.Step, at: datetime, n: int) -> Facts:
    needs = lifecycle.needs(living, step, known, at)
    return replace(known, usage={need: Quantity(F(n)) for need in needs})


def ended(living: Subscription, known: Facts, at: datetime = FEB, n: int = 0) -> Outcome:
    return lifecycle.end_period(used(known, living, "period_end", at, n), living, at)


def moved(transactions: tuple[Transaction, ...]) -> list[tuple[str, str]]:
    """What grants gained and lost, in order."""
    return [
        (each.movement, str(-posting.amount))
        for each in transactions
        for posting in each.postings
        if posting.account.startswith("credits:")
    ]


@pytest.mark.parametrize(
    ("rollover", "before", "expected"),
    [
        ({}, "7.00", [("grant", "10.00"), ("transfer", "-7.00"), ("transfer", "7.00")]),
        ({}, "0", [("grant", "10.00")]),
        ({"maximum": "7.00"}, "7.00", [("grant", "10.00"), ("transfer", "-7.00"), ("transfer", "7.00")]),
        ({"maximum": "6.99"}, "7.00", [("grant", "10.00"), ("transfer", "-6.99"), ("transfer", "6.99"), ("expire", "-0.01")]),
        ({"maximum": "0"}, "7.00", [("grant", "10.00"), ("expire", "-7.00")]),
        ({"minimum": "2.00"}, "0", [("grant", "12.00")]),
        ({"minimum": "2.00"}, "1.50", [("grant", "10.50"), ("transfer", "-1.50"), ("transfer", "1.50")]),
        ({"minimum": "2.00"}, "2.00", [("grant", "10.00"), ("transfer", "-2.00"), ("transfer", "2.00")]),
        ({"minimum": "2.00", "maximum": "2.00"}, "3.00", [("grant", "10.00"), ("transfer", "-2.00"), ("transfer", "2.00"), ("expire", "-1.00")]),
    ],
)  # fmt: skip
def test_what_is_left_is_carried_within_its_bounds(
    rollover: dict[str, str], before: str, expected: list[tuple[str, str]]
) -> None:
    pro = crediting(rollover=rollover)
    living, january = begun(pro)
    outcome = ended(living, facts(pro, grants=(left(january, before),)))
    assert moved(outcome.transactions) == expected
    (february,) = outcome.grants
    known = (left(january, before), GrantBalance(february, usd("0")))
    held = ledger.left_after(known, outcome.transactions)
    assert [balance.grant.id for balance in held] == [february.id]
    assert outcome.ends == ((january.grant.id,) if before != "0" else ())


def test_a_transfer_is_one_transaction_between_the_two_grants() -> None:
    pro = crediting(rollover={})
    living, january = begun(pro)
    outcome = ended(living, facts(pro, grants=(january,)))
    (february,) = outcome.grants
    transfer = outcome.transactions[-1]
    assert transfer.name == f"transfer:{january.grant.id}:{february.id}"
    assert [(posting.account, str(posting.amount)) for posting in transfer.postings] == [
        (f"credits:{january.grant.id}", "10.00"),
        (f"credits:{february.id}", "-10.00"),
    ]
    assert [timer.grant for timer in outcome.subscription.grants] == [february.id]
    assert (february.amount, february.expires_at) == (usd("10.00"), MAR)


def test_without_a_rollover_what_is_left_stays_where_it_is() -> None:
    pro = crediting()
    living, january = begun(pro)
    outcome = ended(living, facts(pro, grants=(january,)))
    assert moved(outcome.transactions) == [("grant", "10.00")]
    assert (len(outcome.subscription.grants), outcome.ends) == (2, ())


def test_what_the_invoice_has_burned_is_not_carried() -> None:
    pro = crediting(rollover={"maximum": "3.00"})
    living, january = begun(pro)
    outcome = ended(living, facts(pro, grants=(january,)), n=8)
    burned_first = [("grant", "10.00"), ("burn", "-8.00")]
    assert moved(outcome.transactions) == [*burned_first, ("transfer", "-2.00"), ("transfer", "2.00")]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "is_carried"),
    [
        ({}, True),
        ({"expires_at": FEB}, True),  # at the very instant it still lives
        ({"expires_at": day(31)}, False),
        ({"key": "other"}, False),
        ({"subscription": "s2"}, False),
        ({"subscription": None}, False),  # given by hand under the same key
    ],
)
def test_only_living_grants_of_this_credit_are_carried(
    change: dict[str, Any], is_carried: bool
) -> None:
    pro = crediting(rollover={})
    living, january = begun(pro)
    other = GrantBalance(replace(january.grant, **change), usd("4.00"))
    outcome = ended(living, facts(pro, grants=(other,)))
    assert ("transfer", "4.00") in moved(outcome.transactions) or not is_carried
    assert bool(outcome.ends) == is_carried


def test_several_grants_are_kept_in_the_order_in_which_they_burn() -> None:
    pro = crediting(rollover={"maximum": "5.00"})
    living, january = begun(pro)
    endless = replace(january.grant, id="older", expires_at=None)
    both = (GrantBalance(endless, usd("4.00")), left(january, "3.00"))
    outcome = ended(living, facts(pro, grants=both))
    assert moved(outcome.transactions) == [
        ("grant", "10.00"),
        ("transfer", "-3.00"),
        ("transfer", "3.00"),
        ("transfer", "-2.00"),
        ("transfer", "2.00"),
        ("expire", "-2.00"),
    ]


def test_in_a_grace_the_end_of_what_is_carried_waits_for_the_close() -> None:
    pro = replace(crediting(rollover={}), invoice_grace=plan().interval)
    living, _ = begun(pro)
    (timer,) = living.grants
    assert living.ends_at(timer) == MAR  # the grace is a month
    assert living.ends_at(replace(timer, expires_at=day(20))) == day(20)
    assert living.ends_at(replace(timer, is_carried=False)) == FEB
    assert replace(living, invoice_grace=None).ends_at(timer) == FEB
    assert replace(living, status="cancelled").ends_at(timer) == FEB


def changed(old: Plan, new: Plan, before: str = "10.00", n: int = 0) -> Outcome:
    """From one plan to another in the middle of a January of 31 days: 15.5 are left."""
    at = datetime(2026, 1, 16, 12, tzinfo=JAN.tzinfo)
    living, january = begun(old)
    command = ChangePlan(new.ref, "immediately")
    known = facts(old, new, grants=(left(january, before),))
    return lifecycle.carry_out(
        used(known, living, command, at, n), living, Request("r1", command), at
    )


@pytest.mark.parametrize(
    ("old", "new", "before", "expected"),
    [
        ({}, {}, "10.00", []),
        (PRORATED, {}, "10.00", [("void", "-5.00")]),
        ({}, PRORATED, "10.00", [("grant", "5.00")]),
        (PRORATED, PRORATED, "10.00", [("void", "-5.00"), ("grant", "5.00")]),
        (PRORATED, {**PRORATED, "amount": "0.03"}, "4.00", [("void", "-4.00"), ("grant", "0.02")]),
        (PRORATED, {**PRORATED, "amount": "0.01"}, "0", [("grant", "0.01")]),
        (PRORATED, {**PRORATED, "expires_after": {"unit": "day"}}, "10.00", [("void", "-5.00")]),
        ({**PRORATED, "proration": "none"}, PRORATED, "10.00", []),
        (PRORATED, {**PRORATED, "proration": "none"}, "10.00", []),
        ({**PRORATED, "proration": "day"}, PRORATED, "10.00", [("void", "-5.16"), ("grant", "5.00")]),
        (PRORATED, {"interval": {"unit": "year"}}, "10.00", [("void", "-5.00"), ("grant", "10.00")]),
        (PRORATED, {"interval": {"unit": "year"}, "rollover": {}}, "10.00", [("void", "-5.00"), ("grant", "10.00"), ("transfer", "-5.00"), ("transfer", "5.00")]),
        ({}, {"interval": {"unit": "year"}, "rollover": {"minimum": "9.00"}}, "1.00", [("grant", "10.00"), ("transfer", "-1.00"), ("transfer", "1.00")]),
    ],
)  # fmt: skip
def test_each_credit_says_whether_it_is_prorated(
    old: dict[str, Any], new: dict[str, Any], before: str, expected: list[tuple[str, str]]
) -> None:
    outcome = changed(crediting(**old), crediting("plus", **new), before)
    assert moved(outcome.transactions) == expected


def test_what_is_taken_back_pays_nothing_of_the_change_s_invoice() -> None:
    outcome = changed(crediting(**PRORATED), crediting("plus", **PRORATED), n=7)
    assert moved(outcome.transactions) == [("void", "-5.00"), ("grant", "5.00"), ("burn", "-5.00")]
    assert [str(each.amount_due) for each in outcome.invoices] == ["2.00"]
    (rest,) = outcome.grants
    assert (rest.effective_at, rest.expires_at) == (day(16) + (day(2) - day(1)) / 2, FEB)


def test_only_what_this_plan_granted_is_taken_back() -> None:
    """Of a credit that was kept, with the same key, the plan after it takes back nothing."""
    old, new = crediting(), crediting("plus", **PRORATED)
    living, january = begun(old)
    charged = replace(living, charged_from=day(10), plan=new.ref)
    rest = rest_of_period(charged, day(20), changes_plan=True)
    of = facts(old, new, grants=(january,))
    assert credits_taken_back(of, charged, new, rest, "invoice:1") == ()
    anew = replace(january.grant, id="anew", effective_at=day(10), amount=usd("7.10"))
    of = facts(old, new, grants=(january, GrantBalance(anew, usd("7.10"))))
    (void,) = credits_taken_back(of, charged, new, rest, "invoice:1")
    assert (void.name, void.postings[0].account) == ("void:anew:1", "credits:anew")
    assert str(void.postings[0].amount) == "3.87"  # 12 of 31 days


def test_nothing_is_prorated_of_a_period_that_was_not_charged() -> None:
    old, new = crediting(**PRORATED), crediting("plus", **PRORATED)
    living, january = begun(old)
    paused = replace(living, status="paused", paused_at=day(2), charged_from=None)
    command = ChangePlan(new.ref, "immediately")
    known = facts(old, new, grants=(january,))
    request = Request("r1", command)
    outcome = lifecycle.carry_out(used(known, paused, command, day(3), 0), paused, request, day(3))
    assert outcome.transactions == ()
