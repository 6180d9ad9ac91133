from fractions import Fraction as F

import pytest

from domain.money import Money, apportion, read_money, settle, share, total


@pytest.mark.parametrize(("exact", "currency", "text"), [
    (F("1.005"), "USD", "1.01"), (F("-1.005"), "USD", "-1.01"), (F("1.0049"), "USD", "1.00"), (F("-0.004"), "USD", "0.00"),
    (F("0.5"), "JPY", "1"), (F("-0.5"), "JPY", "-1"), (F("123.4995"), "KWD", "123.500"), (F("0.00005"), "CLF", "0.0001"), (F(2, 3), "EUR", "0.67"),
])  # fmt: skip
def test_settling_rounds_half_up_to_the_minor_unit(exact: F, currency: str, text: str) -> None:
    assert str(settle(exact, currency)) == text


@pytest.mark.parametrize(("parts", "minor"), [
    pytest.param(["0.004", "0.004", "0.004"],   [1, 0, 0],       id="one cent of three parts: ties in order"),
    pytest.param(["0.001", "0.009"],            [0, 1],          id="the largest remainder"),
    pytest.param(["1.1"] * 3,                   [110, 110, 110], id="nothing to share out"),
    pytest.param(["-0.004", "-0.006"],          [0, -1],         id="floors are towards minus infinity"),
    pytest.param(["10.005", "-10.005"],         [1001, -1001],   id="what cancels out stays so"),
    pytest.param([],                            [],              id="no parts"),
])  # fmt: skip
def test_parts_are_settled_together(parts: list[str], minor: list[int]) -> None:
    assert [money.minor for money in apportion([F(part) for part in parts], "USD")] == minor


def test_a_settled_amount_is_shared_out_in_proportion() -> None:
    shares = share(Money(100, "USD"), [F(1), F(1), F(1)])
    assert [money.minor for money in shares] == [34, 33, 33]


def test_nothing_can_be_shared_out_over_nothing_but_not_more() -> None:
    assert share(Money(0, "USD"), [F(0), F(0)]) == (Money(0, "USD"), Money(0, "USD"))
    with pytest.raises(ValueError, match=r"^1\.00 USD cannot be shared out over nothing$"):
        share(Money(100, "USD"), [F(0)])


@pytest.mark.parametrize(("text", "currency", "minor"), [
    ("12.5", "USD", 1250), ("-0.01", "USD", -1), ("7", "JPY", 7), ("0.001", "KWD", 1), ("1.000", "JPY", 1),
])  # fmt: skip
def test_reading_what_is_settled(text: str, currency: str, minor: int) -> None:
    assert read_money(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(("text", "currency", "digits"), [("0.001", "USD", 2), ("0.5", "JPY", 0)])
def test_what_is_not_settled_is_refused(text: str, currency: str, digits: int) -> None:
    with pytest.raises(ValueError, match=f"must have at most {digits} decimals in {currency}"):
        read_money(text, currency)


def test_currencies_do_not_mix() -> None:
    assert total([Money(1, "USD"), Money(2, "USD")], "USD") == Money(3, "USD")
    with pytest.raises(ValueError, match="USD and EUR do not add up"):
        Money(1, "EUR") + Money(1, "USD")
