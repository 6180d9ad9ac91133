"""Grants and top-ups as they are asked for, and what of it is refused."""

from fractions import Fraction as F
from typing import Any

import pytest

from domain.credits import (
    GrantOrder,
    TopUpOrder,
    check_payable,
    check_top_up,
    new_grant,
    read_grant,
    read_top_up,
)
from domain.errors import Invalid
from tests.makings import FEB, JAN, MAR, usd

GRANT: dict[str, Any] = {"key": "g", "customer": "acme", "amount": "10.00", "kind": "prepaid"}


def order(**members: Any) -> GrantOrder:
    return read_grant({**GRANT, **members})


def made(**members: Any) -> Any:
    return new_grant(order(**members), id="id", customer="cus_1", currency="USD", at=JAN)


def faults(**members: Any) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        made(**members)
    return [(fault.path, fault.message) for fault in refused.value.faults]


def test_a_grant_begins_when_it_is_made_and_never_expires() -> None:
    grant = made()
    assert (grant.effective_at, grant.granted_at, grant.expires_at) == (JAN, JAN, None)
    assert (grant.amount, grant.priority, grant.items) == (usd("10"), 50, ())
    assert (grant.id, grant.key, grant.customer) == ("id", "g", "cus_1")


def test_a_grant_as_it_was_asked_for() -> None:
    grant = made(
        effective_at="2026-02-01T00:00:00Z",
        expires_at="2026-03-01T00:00:00Z",
        priority=3,
        currency="EUR",
        scope={"items": ["seats"]},
    )
    assert (grant.effective_at, grant.expires_at, grant.granted_at) == (FEB, MAR, JAN)
    assert (grant.amount.currency, grant.priority, grant.items) == ("EUR", 3, ("seats",))


@pytest.mark.parametrize(("members", "expected"), [
    ({"amount": "0"}, [("amount", "must be greater than zero")]),
    ({"amount": "-1"}, [("amount", "must be greater than zero")]),
    ({"amount": "0.001"}, [("amount", "has more decimals than USD has")]),
    ({"amount": "0.5", "currency": "JPY"}, [("amount", "has more decimals than JPY has")]),
    ({"expires_at": "2026-01-01T00:00:00Z"}, [("expires_at", "must be after the grant begins, and not be past")]),
    ({"expires_at": "2026-01-15T00:00:00Z", "effective_at": "2026-01-15T00:00:00Z"}, [("expires_at", "must be after the grant begins, and not be past")]),
    ({"expires_at": "2025-12-15T00:00:00Z", "effective_at": "2025-12-01T00:00:00Z"}, [("expires_at", "must be after the grant begins, and not be past")]),
    ({"kind": "gift"}, [("kind", "must be one of prepaid, promotional")]),
    ({"kind": None}, [("kind", "must be one of prepaid, promotional")]),
    ({"priority": -1}, [("priority", "must be a whole number from 0 to 1000000")]),
    ({"scope": {"plans": ["pro"]}}, [("scope.plans", "is not a known field")]),
])  # fmt: skip
def test_faults_of_a_grant(members: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert faults(**members) == expected


def test_what_a_top_up_costs() -> None:
    asked = read_top_up({"key": "t", "customer": "acme", "amount": "50"})
    assert asked == TopUpOrder("t", "acme", F(50))
    assert check_top_up(asked, "USD", JAN) == usd("50")


@pytest.mark.parametrize(("currency", "pays_in", "refused"), [
    ("EUR", (), None),
    ("EUR", ("EUR",), None),
    ("EUR", ("EUR", "USD"), None),
    (None, ("USD",), None),
    ("EUR", ("USD",), "EUR is none that the customer pays in: USD"),
    ("EUR", ("USD", "JPY"), "EUR is none that the customer pays in: JPY, USD"),
    (None, ("EUR",), "USD is none that the customer pays in: EUR"),
])  # fmt: skip
def test_a_top_up_is_in_a_currency_that_can_pay_something(
    currency: str | None, pays_in: tuple[str, ...], refused: str | None
) -> None:
    asked = currency or "USD"
    if refused is None:
        check_payable(asked, pays_in)
        return
    with pytest.raises(Invalid) as told:
        check_payable(asked, pays_in)
    assert [(f.path, f.message) for f in told.value.faults] == [("currency", refused)]


@pytest.mark.parametrize(("top_up", "path"), [
    (TopUpOrder("t", "acme", F(0)), "amount"),
    (TopUpOrder("t", "acme", F(1, 1000)), "amount"),
    (TopUpOrder("t", "acme", F(1, 2), currency="JPY"), "amount"),
    (TopUpOrder("t", "acme", F(1), expires_at=JAN), "expires_at"),
])  # fmt: skip
def test_faults_of_a_top_up(top_up: TopUpOrder, path: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_top_up(top_up, "USD", JAN)
    assert [fault.path for fault in refused.value.faults] == [path]
