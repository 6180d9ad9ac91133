"""Arithmetic that never rounds, and is quick where numbers have an end.

A `Decimal` is ten times quicker than a `Fraction`, but its own operators round at the digits of whatever context is in
force. These functions compute in a context that traps every rounding instead. What has no end (an average, a third)
is a `Fraction`, and so is whatever is computed with it. To compare the two needs no function: that is always exact.
"""

from collections.abc import Sequence
from decimal import Decimal, Inexact, Rounded
from fractions import Fraction
from math import lcm

from domain.decimals import EXACTLY, Exact, decimals_of

ZERO = Decimal(0)
ONE = Decimal(1)
HUNDREDTH = Decimal("0.01")

# What a fraction may have to become a decimal: the digits still suffice for a few of them together. What is longer all
# the same goes on as a fraction.
_LONGEST = 10**200
_TOO_LONG = (Inexact, Rounded)


def plus(one: Exact, other: Exact) -> Exact:
    if type(one) is Decimal and type(other) is Decimal:
        try:
            return EXACTLY.add(one, other)
        except _TOO_LONG:
            pass
    return as_fraction(one) + as_fraction(other)


def minus(one: Exact, other: Exact) -> Exact:
    if type(one) is Decimal and type(other) is Decimal:
        try:
            return EXACTLY.subtract(one, other)
        except _TOO_LONG:
            pass
    return as_fraction(one) - as_fraction(other)


def times(one: Exact, other: Exact) -> Exact:
    if type(one) is Decimal and type(other) is Decimal:
        try:
            return EXACTLY.multiply(one, other)
        except _TOO_LONG:
            pass
    return as_fraction(one) * as_fraction(other)


def sum_of(numbers: Sequence[Exact]) -> Exact:
    total = ZERO
    for number in numbers:
        if type(number) is not Decimal:
            return _sum_of_fractions(numbers)
        try:
            total = EXACTLY.add(total, number)
        except _TOO_LONG:
            return _sum_of_fractions(numbers)
    return total


def as_fraction(number: Exact) -> Fraction:
    return number if type(number) is Fraction else Fraction(*number.as_integer_ratio())


def as_exact(number: Exact) -> Exact:
    """As a decimal, if it has an end within reach."""
    if type(number) is Decimal:
        return number
    numerator, denominator = number.as_integer_ratio()
    digits = decimals_of(denominator)
    if digits is None or denominator > _LONGEST or not -_LONGEST < numerator < _LONGEST:
        return number
    return Decimal(numerator * 10**digits // denominator).scaleb(-digits, EXACTLY)


def _sum_of_fractions(numbers: Sequence[Exact]) -> Fraction:
    """Over one common denominator: quicker than adding one by one."""
    ratios = [number.as_integer_ratio() for number in numbers]
    common = lcm(*[denominator for _, denominator in ratios])
    return Fraction(sum([top * (common // bottom) for top, bottom in ratios]), common)
