"""Exact numbers, in and out.

Amounts and quantities are `Fraction` from the first character to the last: a `Decimal` rounds silently at
its context's digits, and a third of a price has no last digit. Text comes in and goes out at the edges.
"""

import re
from fractions import Fraction
from math import ceil, floor
from typing import Literal, assert_never

RoundingMode = Literal["up", "down", "half_up"]

_DECIMAL = re.compile(r"-?([0-9]{1,38})(?:\.([0-9]{1,38}))?", re.ASCII)
_ENDLESS_DIGITS = 30


def read_decimal(text: str) -> Fraction:
    """Read `-?digits[.digits]`, at most 38 digits on each side; raise ValueError for all else."""
    if _DECIMAL.fullmatch(text) is None:
        raise ValueError("must be a decimal like 12.5, with at most 38 digits before and after the point")
    return Fraction(text)


def plain(value: Fraction, endless_digits: int = _ENDLESS_DIGITS) -> str:
    """Write in plain notation without trailing zeros: exactly where the decimals end, otherwise with
    `endless_digits` decimals, half up. Never `-0`.
    """
    ends_after = _decimals_of(value)
    text = _write(value, endless_digits if ends_after is None else ends_after)
    return text.rstrip("0").rstrip(".") if "." in text else text


def fixed(value: Fraction, digits: int) -> str:
    """Write with exactly `digits` decimals, half up. Never `-0`."""
    return _write(value, digits)


def round_to(value: Fraction, scale: int, mode: RoundingMode) -> Fraction:
    """Round to `scale` decimals (negative: tens, hundreds); `up` and `down` are away from and towards zero."""
    unit = Fraction(10) ** -scale
    units = abs(value) / unit
    match mode:
        case "up":
            whole = ceil(units)
        case "down":
            whole = floor(units)
        case "half_up":
            whole = floor(units + Fraction(1, 2))
        case _:
            assert_never(mode)
    return whole * unit if value >= 0 else -whole * unit


def _decimals_of(value: Fraction) -> int | None:
    """How many decimals `value` has, or None if they never end."""
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    return max(twos, fives) if rest == 1 else None


def _write(value: Fraction, digits: int) -> str:
    scaled = round_to(value, digits, "half_up") * 10**digits
    whole = str(abs(scaled.numerator)).rjust(digits + 1, "0")
    sign = "-" if scaled < 0 else ""
    return f"{sign}{whole[:-digits]}.{whole[-digits:]}" if digits else f"{sign}{whole}"
