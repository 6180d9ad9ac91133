from fractions import Fraction as F

import pytest

from domain.decimals import RoundingMode, fixed, plain, point, read_decimal, round_to, scaled


@pytest.mark.parametrize(("text", "number"), [
    ("0", F(0)), ("-0", F(0)), ("-0.0", F(0)), ("007.50", F("7.5")), ("-0.5", F("-0.5")), ("-12.05", F("-12.05")),
    ("9" * 38 + "." + "9" * 38, F(10**76 - 1, 10**38)),
])  # fmt: skip
def test_reading(text: str, number: F) -> None:
    assert read_decimal(text) == number


@pytest.mark.parametrize(
    "text", ["", "+1", ".5", "5.", "1e3", " 1", "1\n", "NaN", "٣", "1" * 39, "0." + "1" * 39]
)
def test_what_is_no_decimal(text: str) -> None:
    with pytest.raises(ValueError, match="must be a decimal"):
        read_decimal(text)


@pytest.mark.parametrize(("number", "text"), [
    (F(0), "0"), (F(5), "5"), (F(1200), "1200"), (F("-0.50"), "-0.5"), (F("0.000000001"), "0.000000001"), (F(1, 8), "0.125"),
    (F(1, 3), "0." + "3" * 30), (F(2, 3), "0." + "6" * 29 + "7"), (F(-2, 3), "-0." + "6" * 29 + "7"), (F(1, 7 * 10**40), "0"),
    (F(-1, 7 * 10**40), "0"), (F(5, 10**31 * 3) + 1, "1"), (F(1, 10**50), "0." + "0" * 49 + "1"),
])  # fmt: skip
def test_plain_notation(number: F, text: str) -> None:
    assert plain(number) == text


@pytest.mark.parametrize(("number", "digits", "text"), [
    (F("0.005"), 2, "0.01"), (F("-0.005"), 2, "-0.01"), (F("0.0049"), 2, "0.00"), (F("-0.0049"), 2, "0.00"), (F("1023.5"), 0, "1024"),
    (F("-0.4"), 0, "0"), (F(7), 3, "7.000"), (F("-12.345"), 4, "-12.3450"), (F(1, 3), 2, "0.33"),
])  # fmt: skip
def test_a_fixed_number_of_decimals(number: F, digits: int, text: str) -> None:
    assert fixed(number, digits) == text


@pytest.mark.parametrize(("units", "digits", "text"), [
    (0, 2, "0.00"), (5, 2, "0.05"), (-5, 2, "-0.05"), (-1250, 2, "-12.50"), (1250, 0, "1250"), (1, 4, "0.0001"),
])  # fmt: skip
def test_units_with_a_point(units: int, digits: int, text: str) -> None:
    assert point(units, digits) == text


@pytest.mark.parametrize(("number", "scale", "mode", "rounded"), [
    ("1.21", 1, "up", "1.3"), ("-1.21", 1, "up", "-1.3"), ("1.2", 1, "up", "1.2"), ("1.29", 1, "down", "1.2"), ("-1.29", 1, "down", "-1.2"),
    ("1.25", 1, "half_up", "1.3"), ("-1.25", 1, "half_up", "-1.3"), ("1.2499", 1, "half_up", "1.2"), ("1234", -2, "up", "1300"),
    ("1250", -2, "half_up", "1300"), ("-1299", -2, "down", "-1200"), ("0.1", 0, "up", "1"), ("0.9", 0, "down", "0"),
])  # fmt: skip
def test_rounding(number: str, scale: int, mode: RoundingMode, rounded: str) -> None:
    assert round_to(F(number), scale, mode) == F(rounded)
    assert scaled(F(number), scale, mode) == F(rounded) * F(10) ** scale
