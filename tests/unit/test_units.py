"""Credit in custom units: what it is worth, what is refused, and how it is shown."""

from datetime import datetime
from fractions import Fraction as F
from typing import Any

import pytest

from domain.credits import (
    Grant,
    GrantBalance,
    check_top_up,
    in_known_unit,
    new_grant,
    read_grant,
    read_top_up,
    topped_up,
)
from domain.documents import in_unit, units_left
from domain.errors import Invalid
from domain.money import Money
from domain.units import Unit, read_unit
from tests.makings import FEB, JAN, MAR, usd

CREDITS = Unit("credits", "USD", F("0.01"))
GRANT: dict[str, Any] = {"key": "g", "customer": "acme", "amount": "1000", "kind": "prepaid", "unit": "credits"}  # fmt: skip
TOP_UP: dict[str, Any] = {"key": "t", "customer": "acme", "amount": "1000", "unit": "credits"}


def made(known: Unit | None = None, **members: Any) -> Grant:
    order = in_known_unit(read_grant({**GRANT, **members}), known)
    return new_grant(order, id="id", customer="cus_1", currency="USD", at=JAN)


def faults(known: Unit | None, members: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        made(known, **members)
    return [(fault.path, fault.message) for fault in refused.value.faults]


@pytest.mark.parametrize(("known", "members", "amount", "unit"), [
    (None, {"unit_rate": "0.01"}, usd("10.00"), CREDITS),
    (CREDITS, {}, usd("10.00"), CREDITS),
    (CREDITS, {"currency": "USD"}, usd("10.00"), CREDITS),
    (CREDITS, {"unit_rate": "0.02"}, usd("20.00"), Unit("credits", "USD", F("0.02"))),  # its own rate goes before
    (Unit("points", "JPY", F("0.5")), {"unit": "points"}, Money(500, "JPY"), Unit("points", "JPY", F("0.5"))),
    (None, {"unit_rate": "0.5", "currency": "JPY"}, Money(500, "JPY"), Unit("credits", "JPY", F("0.5"))),
    (None, {"unit_rate": "0.00001"}, usd("0.01"), Unit("credits", "USD", F("0.00001"))),
    (None, {"unit": "AI credits", "unit_rate": "2"}, usd("2000.00"), Unit("AI credits", "USD", F(2))),
])  # fmt: skip
def test_what_a_grant_in_a_unit_is_worth(
    known: Unit | None, members: dict[str, Any], amount: Money, unit: Unit
) -> None:
    grant = made(known, **members)
    assert (grant.amount, grant.unit) == (amount, unit)


@pytest.mark.parametrize(("known", "members", "expected"), [
    (None, {}, [("unit_rate", "is required: there is no unit credits")]),
    (CREDITS, {"currency": "EUR"}, [("unit", "credits is a unit of USD, not of EUR")]),
    (CREDITS, {"currency": "EUR", "unit_rate": "0.01"}, [("unit", "credits is a unit of USD, not of EUR")]),
    (None, {"unit": None, "unit_rate": "0.01"}, [("unit", "is required where there is a unit_rate")]),
    (None, {"unit_rate": "0"}, [("unit_rate", "must be greater than zero")]),
    (None, {"unit_rate": "-0.01"}, [("unit_rate", "must be greater than zero")]),
    (None, {"unit_rate": "0." + "1" * 39}, [("unit_rate", "must be a decimal like 12.5, with at most 38 digits before and after the point")]),
    (None, {"unit": ""}, [("unit", "must have from 1 to 2000 characters")]),
    (CREDITS, {"amount": "0"}, [("amount", "must be greater than zero")]),
    (CREDITS, {"amount": "-1000"}, [("amount", "must be greater than zero")]),
    (CREDITS, {"amount": "10.5"}, [("amount", "comes to 0.105, which has more decimals than USD has")]),
    (Unit("points", "JPY", F("0.3")), {"unit": "points", "amount": "1"}, [("amount", "comes to 0.3, which has more decimals than JPY has")]),
    (CREDITS, {"amount": "1" + "0" * 16}, [("amount", "comes to more than 10000000000000, the most that can be invoiced")]),
    (CREDITS, {"amount": "0", "expires_at": "2025-01-01T00:00:00Z"}, [("amount", "must be greater than zero"), ("expires_at", "must be after the grant begins, and not be past")]),
])  # fmt: skip
def test_what_is_refused(
    known: Unit | None, members: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert faults(known, members) == expected


def test_a_top_up_is_paid_for_in_the_currency_and_granted_in_the_unit() -> None:
    order = in_known_unit(read_top_up(TOP_UP), CREDITS)
    price = check_top_up(order, "USD", JAN)
    assert price == usd("10.00")
    grant = topped_up(order, price, id="id", customer="cus_1", paid_at=JAN)
    assert (grant.amount, grant.unit) == (usd("10.00"), CREDITS)
    with pytest.raises(Invalid, match="there is no unit credits"):
        check_top_up(read_top_up(TOP_UP), "USD", JAN)


@pytest.mark.parametrize(("unit", "currency", "expected"), [
    ({"key": "credits", "rate": "0.01"}, "USD", CREDITS),
    ({"key": "credits", "rate": "0.01", "currency": "USD", "name": "AI credits"}, None, CREDITS),
    ({"key": "credits", "rate": "0.01", "currency": "USD"}, "EUR", CREDITS),
    ({"key": "credits", "rate": "0.01"}, None, [("currency", "is required")]),
    ({"key": "credits", "rate": "0", "currency": "US"}, None, [("currency", "must be an ISO 4217 code in upper case"), ("rate", "must be greater than zero")]),
    ({"key": "AI credits", "rate": "1", "currency": "USD", "per": "x"}, None, [("key", ""), ("per", "is not a known field")]),
])  # fmt: skip
def test_a_unit_of_the_catalogue(unit: dict[str, Any], currency: str | None, expected: Any) -> None:
    if isinstance(expected, Unit):
        assert read_unit(unit, currency) == expected
        return
    with pytest.raises(Invalid) as refused:
        read_unit(unit, currency)
    assert [f.path for f in refused.value.faults] == [path for path, _ in expected]


def in_credits(key: str, unit: Unit | None, left: str, expires_at: datetime | None = None) -> GrantBalance:  # fmt: skip
    amount = Money(1000, "USD")
    grant = Grant(key, key, "acme", "prepaid", amount, 50, JAN, JAN, expires_at, unit=unit)
    return GrantBalance(grant, usd(left))


@pytest.mark.parametrize(("rate", "left", "amount", "remaining"), [
    ("0.01", "7.50", "1000", "750"),
    ("0.03", "10.00", "333.333333333333", "333.333333333333"),  # 12 digits where they do not end
    ("0.03", "0.01", "333.333333333333", "0.333333333333"),
    ("8", "1.00", "1.25", "0.125"),
    ("0.01", "0.00", "1000", "0"),
])  # fmt: skip
def test_a_grant_is_shown_in_its_unit_too(
    rate: str, left: str, amount: str, remaining: str
) -> None:
    shown = in_unit(in_credits("g", Unit("credits", "USD", F(rate)), left))
    assert shown == {"unit": "credits", "unit_rate": rate, "unit_amount": amount, "unit_remaining": remaining}  # fmt: skip


def test_a_grant_in_its_currency_has_no_unit() -> None:
    nothing = dict.fromkeys(("unit", "unit_rate", "unit_amount", "unit_remaining"))
    assert in_unit(in_credits("g", None, "1.00")) == nothing


def test_what_is_left_in_each_unit() -> None:
    grants = [
        in_credits("a", CREDITS, "5.00"),
        in_credits("b", Unit("credits", "USD", F("0.03")), "1.00"),  # 33 and a third
        in_credits("c", Unit("credits", "USD", F("0.03")), "2.00"),  # added up exactly: 100
        in_credits("d", CREDITS, "4.00", expires_at=FEB),
        in_credits("e", Unit("minutes", "USD", F("0.50")), "1.00", expires_at=FEB),
        in_credits("f", None, "9.00"),
    ]
    assert units_left(JAN, "USD", grants) == {"credits": "1000", "minutes": "2"}
    assert units_left(MAR, "USD", grants) == {"credits": "600", "minutes": "0"}
    assert units_left(JAN, "EUR", grants) == {}
