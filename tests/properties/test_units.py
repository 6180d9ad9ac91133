"""Laws of credit in custom units: nothing is gained or lost by the way it is counted."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.credits import Grant, GrantBalance, GrantOrder, new_grant
from domain.currencies import MINOR_DIGITS
from domain.documents import units_left
from domain.errors import Invalid
from domain.money import Money
from domain.units import Unit
from tests.makings import JAN

decimals = st.decimals("0.0001", "9999", allow_nan=False, places=4).map(Fraction)
currencies = st.sampled_from(["USD", "JPY", "KWD"])


@given(amount=decimals, rate=decimals, currency=currencies)
def test_a_grant_is_worth_exactly_what_was_asked_for_or_refused(
    amount: Fraction, rate: Fraction, currency: str
) -> None:
    order = GrantOrder("g", "acme", amount, "prepaid", currency, unit="credits", unit_rate=rate)
    value = amount * rate
    if (value * 10 ** MINOR_DIGITS[currency]).denominator > 1:
        with pytest.raises(Invalid, match="has more decimals than"):
            new_grant(order, id="g", customer="acme", currency=currency, at=JAN)
        return
    grant = new_grant(order, id="g", customer="acme", currency=currency, at=JAN)
    assert grant.unit is not None
    assert grant.amount.exact == amount * grant.unit.rate == value
    assert grant.unit.of(grant.amount) == amount


@given(
    minor=st.integers(1, 10**6), rate=decimals, currency=currencies, burned=st.integers(0, 10**6)
)
def test_what_is_burned_and_what_is_left_make_what_was_given(
    minor: int, rate: Fraction, currency: str, burned: int
) -> None:
    unit = Unit("credits", currency, rate)
    given_, gone = Money(minor, currency), Money(min(burned, minor), currency)
    assert unit.of(gone) + unit.of(given_ - gone) == unit.of(given_)


@given(parts=st.lists(st.tuples(st.integers(0, 10**4), decimals), max_size=6))
def test_units_add_up_exactly_however_they_were_bought(parts: list[tuple[int, Fraction]]) -> None:
    grants = [
        GrantBalance(
            Grant(str(n), str(n), "acme", "prepaid", Money(minor, "USD"), 50, JAN, JAN, unit=Unit("c", "USD", rate)),
            Money(minor, "USD"),
        )
        for n, (minor, rate) in enumerate(parts)
    ]  # fmt: skip
    left = units_left(JAN, "USD", grants)
    exact = sum((Fraction(minor, 100) / rate for minor, rate in parts), Fraction(0))
    shown = Fraction(left.get("c", "0"))
    assert abs(shown - exact) <= Fraction(1, 2 * 10**12)
