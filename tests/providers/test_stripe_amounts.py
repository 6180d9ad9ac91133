"""Amounts as Stripe counts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.currencies import MINOR_DIGITS
from domain.errors import Corrupt
from domain.money import Money
from providers.payments.currencies import amount_of, units_of
from providers.payments.port import NotChargeable


@pytest.mark.parametrize(
    ("minor", "currency", "units"),
    [
        (1050, "USD", 1050),
        (1, "USD", 1),
        (500, "JPY", 500),
        (7, "CLP", 7),
        (1045, "HUF", 1045),
        (80045, "TWD", 80045),
        (5, "ISK", 500),
        (5, "UGX", 500),
        (1000, "MGA", 10),
        (5120, "KWD", 5120),
        (10, "BHD", 10),
    ],
)
def test_an_amount_is_said_exactly(minor: int, currency: str, units: int) -> None:
    assert units_of(Money(minor, currency)) == units
    assert amount_of(units, currency.lower()) == Money(minor, currency)


@pytest.mark.parametrize(
    ("minor", "currency"),
    [(5124, "KWD"), (5125, "TND"), (1, "OMR"), (1050, "MGA"), (0, "USD"), (-5, "EUR")],
)
def test_what_cannot_be_said_exactly_is_refused(minor: int, currency: str) -> None:
    with pytest.raises(NotChargeable):
        units_of(Money(minor, currency))


def test_providers_without_card_networks_take_the_last_digit() -> None:
    assert units_of(Money(5124, "KWD"), to_the_last_digit=True) == 5124


@pytest.mark.parametrize(("units", "currency"), [(550, "isk"), (1, "ugx"), (100, "xyz")])
def test_an_amount_that_makes_no_sense_stops_everything(units: int, currency: str) -> None:
    with pytest.raises(Corrupt):
        amount_of(units, currency)


@given(
    minor=st.integers(1, 10**12),
    currency=st.sampled_from(sorted(MINOR_DIGITS)),
    to_the_last_digit=st.booleans(),
)
def test_no_amount_changes_on_the_way(minor: int, currency: str, to_the_last_digit: bool) -> None:
    amount = Money(minor, currency)
    try:
        units = units_of(amount, to_the_last_digit=to_the_last_digit)
    except NotChargeable:
        return
    assert amount_of(units, currency) == amount
