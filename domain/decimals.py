"""Exact numbers, in and out.

Amounts and quantities are `Fraction` from the first character to the last: a `Decimal` rounds silently at
its context's digits, and a third of a price has no last digit. Text comes in and goes out at the edges.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import Literal, assert_never

RoundingMode = Literal["up", "down", "half_up"]

_DECIMAL = re.compile(r"(-?[0-9]{1,38})(?:\.([0-9]{1,38}))?", re.ASCII)
_ENDLESS_DIGITS = 30
_NUMBERS_REMEMBERED = 16_384  # prices and events repeat a few again and again


@lru_cache(_NUMBERS_REMEMBERED)
def read_decimal(text: str) -> Fraction:
    """Read `-?digits[.digits]`, at most 38 digits on each side; raise ValueError for all else."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError(
            "must be a decimal like 12.5, with at most 38 digits before and after the point"
        )
    whole, decimals = match.groups()
    if decimals is None:
        return Fraction(int(whole))
    return Fraction(int(whole + decimals), 10 ** len(decimals))


def plain(value: Fraction, endless_digits: int = _ENDLESS_DIGITS) -> str:
    """Write in plain notation without trailing zeros: exactly where the decimals end, otherwise with
    `endless_digits` decimals, half up. Never `-0`.
    """
    numerator, denominator = value.numerator, value.denominator
    if denominator == 1:
        return str(numerator)
    digits = _decimals_of(denominator)
    if digits is not None:
        return point(numerator * 10**digits // denominator, digits)
    return (
        fixed(value, endless_digits).rstrip("0").rstrip(".") if endless_digits else fixed(value, 0)
    )


def fixed(value: Fraction, digits: int) -> str:
    """Write with exactly `digits` decimals, half up. Never `-0`."""
    return point(scaled(value, digits), digits)


def point(units: int, digits: int) -> str:
    """Write a whole number of units of which `10 ** digits` are one: 1250 of 2 digits is `12.50`."""
    if digits == 0:
        return str(units)
    text = str(units).zfill(digits + (2 if units < 0 else 1))
    return f"{text[:-digits]}.{text[-digits:]}"


def scaled(value: Fraction, digits: int, mode: RoundingMode = "half_up") -> int:
    """`value` in units of which `10 ** digits` are one, rounded to whole ones (negative digits: tens,
    hundreds); `up` and `down` are away from and towards zero.
    """
    numerator, denominator = abs(value.numerator), value.denominator
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
    return units if value.numerator >= 0 else -units


def round_to(value: Fraction, scale: int, mode: RoundingMode) -> Fraction:
    """Round to `scale` decimals (negative: tens, hundreds)."""
    units = scaled(value, scale, mode)
    return Fraction(units, 10**scale) if scale >= 0 else Fraction(units * 10**-scale)


@lru_cache(_NUMBERS_REMEMBERED)
def _decimals_of(denominator: int) -> int | None:
    """How many decimals a fraction in lowest terms has, or None if they never end."""
    twos = (denominator & -denominator).bit_length() - 1
    rest, fives = denominator >> twos, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    return max(twos, fives) if rest == 1 else None
