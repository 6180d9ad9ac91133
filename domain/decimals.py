"""Exact numbers, in and out.

Amounts and quantities are `Fraction`: a `Decimal` rounds silently at its context's digits, and a third of a price
has no last digit. Only prices and what they are applied to may be decimals, by the rules of `domain.exact`. Text
comes in and goes out at the edges.
"""

import re
from decimal import (
    ROUND_DOWN,
    ROUND_HALF_UP,
    ROUND_UP,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    Rounded,
)
from fractions import Fraction
from functools import lru_cache
from typing import Literal, assert_never

Exact = Decimal | Fraction
RoundingMode = Literal["up", "down", "half_up"]

# Numbers that users write have 76 digits at most, and four of them at most are multiplied with one another.
EXACTLY = Context(prec=1_000, traps=[DivisionByZero, Inexact, InvalidOperation, Overflow, Rounded])

_MOST_DIGITS = 38
_NO_DECIMAL = "must be a decimal like 12.5, with at most 38 digits before and after the point"
_is_decimal = re.compile(r"-?[0-9]{1,38}(?:\.[0-9]{1,38})?", re.ASCII).fullmatch
_POWERS = tuple(10**digits for digits in range(_MOST_DIGITS + 1))
_ENDLESS_DIGITS = 30
_ROUNDINGS = {"up": ROUND_UP, "down": ROUND_DOWN, "half_up": ROUND_HALF_UP}
_NUMBERS_REMEMBERED = 16_384  # prices and events repeat a few again and again


@lru_cache(_NUMBERS_REMEMBERED)
def read_decimal(text: str) -> Fraction:
    """Read `-?digits[.digits]`, at most 38 digits on each side; raise ValueError for all else."""
    if not _is_decimal(text):
        raise ValueError(_NO_DECIMAL)
    whole, _, decimals = text.partition(".")
    if not decimals:
        return Fraction(int(whole))
    return Fraction(int(whole + decimals), _POWERS[len(decimals)])


def read_exact(text: str) -> Decimal:
    """Read as `read_decimal` does."""
    if not _is_decimal(text):
        raise ValueError(_NO_DECIMAL)
    return Decimal(text)


def plain(value: Exact, endless_digits: int = _ENDLESS_DIGITS) -> str:
    """Write in plain notation without trailing zeros: exactly where the decimals end, otherwise with
    `endless_digits` decimals, half up. Never `-0`.
    """
    if type(value) is Decimal:
        return _plain_decimal(value)
    numerator, denominator = value.as_integer_ratio()
    if denominator == 1:
        return str(numerator)
    digits = decimals_of(denominator)
    if digits is not None:
        return point(numerator * 10**digits // denominator, digits)
    return (
        fixed(value, endless_digits).rstrip("0").rstrip(".") if endless_digits else fixed(value, 0)
    )


def _plain_decimal(value: Decimal) -> str:
    text = str(value)
    if "E" in text:  # only then is it not in plain notation already
        text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def fixed(value: Exact, digits: int) -> str:
    """Write with exactly `digits` decimals, half up. Never `-0`."""
    return point(scaled(value, digits), digits)


def point(units: int, digits: int) -> str:
    """Write a whole number of units of which `10 ** digits` are one: 1250 of 2 digits is `12.50`."""
    if digits == 0:
        return str(units)
    text = str(units).zfill(digits + (2 if units < 0 else 1))
    return f"{text[:-digits]}.{text[-digits:]}"


def scaled(value: Exact, digits: int, mode: RoundingMode = "half_up") -> int:
    """`value` in units of which `10 ** digits` are one, rounded to whole ones (negative digits: tens,
    hundreds); `up` and `down` are away from and towards zero.
    """
    if type(value) is Decimal:
        in_units = value.scaleb(digits, EXACTLY)
        return int(in_units.to_integral_value(_ROUNDINGS[mode], EXACTLY))
    signed, denominator = value.as_integer_ratio()
    numerator = abs(signed)
    if digits >= 0:
        numerator *= 10**digits
    else:
        denominator *= 10**-digits
    match mode:
        case "up":
            units = -(-numerator // denominator)
        case "down":
            units = numerator // denominator
        case "half_up":
            units = (2 * numerator + denominator) // (2 * denominator)
        case _:
            assert_never(mode)
    return units if signed >= 0 else -units


def round_to(value: Fraction, scale: int, mode: RoundingMode) -> Fraction:
    """Round to `scale` decimals (negative: tens, hundreds)."""
    units = scaled(value, scale, mode)
    return Fraction(units, 10**scale) if scale >= 0 else Fraction(units * 10**-scale)


@lru_cache(_NUMBERS_REMEMBERED)
def decimals_of(denominator: int) -> int | None:
    """How many decimals a fraction in lowest terms has, or None if they never end."""
    twos = (denominator & -denominator).bit_length() - 1
    rest, fives = denominator >> twos, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    return max(twos, fives) if rest == 1 else None
