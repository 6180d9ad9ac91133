"""Which grants and credit notes pay, in which order, for which lines, and when."""

from datetime import datetime
from fractions import Fraction as F

import pytest

from domain.account import CreditNoteBalance
from domain.burning import burn_promotional, pay_with_balances
from domain.credits import GrantBalance, in_burn_order
from domain.customers import TaxRate
from domain.invoices import AppliedCredit, Line
from domain.taxes import tax
from tests.makings import FEB, FEBRUARY, MAR, day, grant, line, usd


def burned(*grants: GrantBalance, lines: tuple[Line, ...] = ()) -> list[tuple[str, str]]:
    return shown(burn_promotional(lines or (line("100"),), grants, FEB, "USD").applied)


def paid(
    *grants: GrantBalance, lines: tuple[Line, ...] = (), notes: tuple[CreditNoteBalance, ...] = ()
) -> list[tuple[str, str]]:
    return shown(pay_with_balances(lines or (line("100"),), notes, grants, FEB, "USD"))


def shown(applied: tuple[AppliedCredit, ...]) -> list[tuple[str, str]]:
    return [(credit.id, str(credit.amount)) for credit in applied]


def note(name: str, amount: str, on: int) -> CreditNoteBalance:
    return CreditNoteBalance(name, "USD", day(on), usd(amount))


def test_the_burn_order() -> None:
    grants = [
        grant("5-key-b", "1", "prepaid"),
        grant("5-key-a", "1", "prepaid"),
        grant("4-newer", "1", "prepaid", granted_at=day(2)),
        grant("3-promotional", "1", granted_at=day(9)),
        grant("2-expires", "1", "prepaid", expires_at=MAR),
        grant("1-priority", "1", "prepaid", priority=1),
    ]
    order = [each.grant.id for each in in_burn_order(grants)]
    assert order == [
        "1-priority",
        "2-expires",
        "3-promotional",
        "5-key-a",
        "5-key-b",
        "4-newer",
    ]


@pytest.mark.parametrize(("balance", "pays"), [
    pytest.param(grant("g", "10"), True, id="from before, without an end"),
    pytest.param(grant("g", "10", expires_at=FEB), True, id="at the very instant it expires"),
    pytest.param(grant("g", "10", expires_at=day(31)), False, id="expired before, though it overlaps"),
    pytest.param(grant("g", "10", effective_at=FEB), False, id="begins where January ends"),
    pytest.param(grant("g", "10", effective_at=day(31)), True, id="overlaps the last day"),
    pytest.param(grant("g", "10", effective_at=MAR), False, id="has not begun"),
    pytest.param(grant("g", "10", items=("base",)), True, id="for this item"),
    pytest.param(grant("g", "10", items=("seats",)), False, id="for another item"),
    pytest.param(grant("g", "10", "prepaid"), False, id="prepaid is no promotion"),
])  # fmt: skip
def test_which_promotional_grant_reduces_a_line_of_january(
    balance: GrantBalance, pays: bool
) -> None:
    assert burned(balance) == ([("g", "10.00")] if pays else [])


def test_a_line_of_the_next_period_needs_a_grant_that_reaches_into_it() -> None:
    advance = (line("100", period=FEBRUARY),)
    assert burned(grant("ends", "10", expires_at=FEB), lines=advance) == []
    assert burned(grant("begins", "10", effective_at=FEB), lines=advance) == [("begins", "10.00")]


def test_a_line_without_a_period_is_of_its_instant() -> None:
    once = (line("100", period=None),)
    assert burned(grant("g", "10"), lines=once) == [("g", "10.00")]
    assert burned(grant("g", "10", expires_at=FEB), lines=once) == []


@pytest.mark.parametrize(("lines", "expected"), [
    pytest.param((line("7"),), [("g", "7.00")], id="no more than the lines"),
    pytest.param((line("0"),), [], id="nothing on nothing"),
    pytest.param((line("-7"),), [], id="nothing on what is given back"),
    pytest.param((line("7"), line("-4")), [("g", "3.00")], id="no more than all lines together"),
    pytest.param((line("7", "x"), line("-4")), [], id="only its own lines"),
])  # fmt: skip
def test_how_much_a_grant_pays(lines: tuple[Line, ...], expected: list[tuple[str, str]]) -> None:
    assert burned(grant("g", "10", items=("base",)), lines=lines) == expected


def test_grants_burn_one_after_the_other() -> None:
    lines = (line("6"), line("3", "seats"))
    grants = (grant("a", "5", priority=1), grant("b", "5", items=("seats",)), grant("c", "9"))
    result = burn_promotional(lines, grants, FEB, "USD")
    # a: 5.00 shared 6 : 3 is 3.33 and 1.67; b takes the other 1.33 of the seats; c the other 2.67
    assert shown(result.applied) == [("a", "5.00"), ("b", "1.33"), ("c", "2.67")]
    assert [each.credits for each in result.lines] == [usd("6"), usd("3")]


@pytest.mark.parametrize(("balance", "pays"), [
    pytest.param(grant("g", "10", "prepaid"), True, id="prepaid pays whatever the period"),
    pytest.param(grant("g", "10", "prepaid", effective_at=FEB), True, id="begins now"),
    pytest.param(grant("g", "10", "prepaid", expires_at=FEB), True, id="expires now"),
    pytest.param(grant("g", "10", "prepaid", expires_at=day(31)), False, id="expired yesterday"),
    pytest.param(grant("g", "10", "prepaid", effective_at=MAR), False, id="begins in March"),
    pytest.param(grant("g", "10"), False, id="promotional is no money"),
])  # fmt: skip
def test_which_prepaid_grant_pays(balance: GrantBalance, pays: bool) -> None:
    assert paid(balance) == ([("g", "10.00")] if pays else [])


def test_credit_notes_come_first_and_the_oldest_of_them() -> None:
    notes = (note("young", "40", 20), note("old", "30", 10))
    assert paid(grant("g", "90", "prepaid"), notes=notes) == [
        ("old", "30.00"),
        ("young", "40.00"),
        ("g", "30.00"),
    ]


def test_prepaid_credits_pay_the_tax_of_their_items_too() -> None:
    lines = tax((line("10", "seats"), line("20")), [TaxRate("vat", F(10), False)], "USD").lines
    assert paid(grant("g", "30", "prepaid", items=("seats",)), lines=lines) == [("g", "11.00")]


def test_nothing_is_paid_of_a_negative_total() -> None:
    lines = (line("-10"),)
    assert paid(grant("g", "5", "prepaid"), lines=lines, notes=(note("n", "5", 1),)) == []


@pytest.mark.parametrize(("at", "worth"), [
    (day(1), "0"), (day(2), "10"), (day(9), "10"), (day(10), "10"), (day(11), "0")
])  # fmt: skip
def test_what_a_grant_is_worth_at_an_instant(at: datetime, worth: str) -> None:
    balance = grant("g", "10", effective_at=day(2), expires_at=day(10))
    assert balance.at(at) == usd(worth)
