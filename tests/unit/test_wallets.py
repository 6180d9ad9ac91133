"""What a wallet holds at an instant, until when that is so, and what runs up of the usage that no invoice has billed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from domain import lifecycle
from domain.account import BilledUsage
from domain.calendar import Period
from domain.credits import GrantBalance
from domain.customers import Redemption, TaxRate
from domain.invoices import Line
from domain.money import Money
from domain.periods import ended
from domain.plans import Plan
from domain.pricing.usage import Quantity
from domain.running import billed_usage, running_needs, running_up
from domain.subscription import Subscription
from domain.wallets import Wallet, posted_at, posted_until
from tests.makings import (
    ACME,
    BASE,
    CALLS,
    JAN,
    day,
    facts,
    grant,
    line,
    plan,
    redeemed,
    subscription,
    usd,
)

TICK = timedelta(microseconds=1)
LATER = grant("later", "5.00", effective_at=day(10))
ENDING = grant("ending", "7.00", expires_at=day(20))
FOR_EVER = grant("for ever", "1.00", kind="prepaid")
SPENT = replace(grant("spent", "9.00", expires_at=day(5)), remaining=usd("0"))
ALL = (LATER, ENDING, FOR_EVER, SPENT)


@pytest.mark.parametrize(
    ("at", "worth", "until"),
    [
        (JAN, "8.00", day(10)),
        (day(10) - TICK, "8.00", day(10)),
        (day(10), "13.00", day(20) + TICK),
        (day(20), "13.00", day(20) + TICK),
        (day(20) + TICK, "6.00", None),
    ],
)
def test_time_alone_changes_what_is_posted(
    at: datetime, worth: str, until: datetime | None
) -> None:
    assert posted_at(ALL, "USD", at) == usd(worth)
    assert posted_until(ALL, at) == until


def test_no_grants_are_worth_nothing_for_ever() -> None:
    none: tuple[GrantBalance, ...] = ()
    assert (posted_at(none, "USD", JAN), posted_until(none, JAN)) == (usd("0"), None)


@pytest.mark.parametrize(
    ("amount", "covered"), [("7.249", True), ("7.25", True), ("7.2501", False), ("0", True)]
)
def test_a_wallet_covers_what_is_available_and_what_it_may_overdraw(
    amount: str, covered: bool
) -> None:
    wallet = Wallet("USD", usd("10.00"), usd("2.50"), Fraction("0.75"), usd("0.50"))
    assert wallet.available == Fraction("6.75")
    assert wallet.covers(Fraction(amount)) is covered


def running(
    used: str,
    *items: Mapping[str, object],
    tax: str | None = None,
    coupons: tuple[Redemption, ...] = (),
    **members: Any,
) -> Money:
    """What runs up of so many calls in January."""
    of = plan(*(items or (BASE, CALLS)), **members)
    living = replace(begun(of), coupons=coupons)
    rates = () if tax is None else (TaxRate("vat", Fraction(tax), inclusive=False),)
    known = facts(of, customer=replace(ACME, tax_rates=rates), grants=(grant("g", "100.00"),))
    usage = {need: Quantity(Fraction(used)) for need in running_needs(living, known)}
    return running_up(replace(known, usage=usage), living, day(15))


def begun(of: Plan) -> Subscription:
    return lifecycle.begin(facts(of), subscription(of), JAN).subscription


def test_usage_runs_up_and_nothing_else_does() -> None:
    assert running("12") == usd("12.00")
    assert running("12", minimum_commitment="500") == usd("12.00")


def test_less_than_half_a_cent_has_not_run_up_yet() -> None:
    tiny = {**CALLS, "price": {"model": "per_unit", "unit_amount": "0.001"}}
    assert [str(running(used, tiny)) for used in ("4", "5", "14", "15")] == [
        "0.00",
        "0.01",
        "0.01",
        "0.02",
    ]


def test_coupons_and_taxes_count_and_credits_do_not() -> None:
    assert running("10", tax="20") == usd("12.00")
    half = redeemed("half", percent_off=Fraction(50))
    assert running("10", tax="20", coupons=(half,)) == usd("6.00")


def test_a_correction_owes_nothing_back() -> None:
    assert running("0") == usd("0")


def test_nothing_runs_up_in_a_trial_and_after_the_end() -> None:
    of = plan(CALLS, trial={"unit": "day", "count": 14})
    trying = begun(of)
    assert running_needs(trying, facts(of)) == ()
    assert running_up(facts(of), trying, day(3)) == usd("0")
    over = ended(begun(plan(CALLS)), day(3))
    assert running_needs(over, facts(plan(CALLS))) == ()
    assert running_up(facts(plan(CALLS)), over, day(3)) == usd("0")


@pytest.mark.parametrize(("used", "runs_up"), [("7", "5"), ("2", "0"), ("1", "0")])
def test_what_comes_late_runs_up_after_the_end_too(used: str, runs_up: str) -> None:
    of = plan(CALLS)
    over = ended(begun(of), day(3))
    window = BilledUsage("calls", of.ref, Period(JAN, day(3)), Fraction(2), Fraction(2))
    known = replace(facts(of), billed=(window,))
    (need,) = running_needs(over, known)
    known = replace(known, usage={need: Quantity(Fraction(used))})
    assert running_up(known, over, day(4)) == usd(runs_up)


def test_what_an_invoice_bills_of_usage_is_told_apart() -> None:
    def of(kind: Any, amount: str, **members: Any) -> Line:
        return replace(line(amount), kind=kind, **members)

    lines = (
        of("recurring", "20.00"),
        of("usage", "5.00", credits=usd("2.00"), tax=usd("0.60")),
        of("late_usage", "-1.00"),
    )
    assert billed_usage(lines, "USD") == usd("4.60")
    assert billed_usage(lines[2:], "USD") == usd("0")
