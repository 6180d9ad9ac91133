"""Money: exact while we compute, whole minor units once we settle.

Exact amounts are `Fraction` in units of the currency (`Fraction("0.002")` dollars). `settle` and `settle_within` are the
only places where an amount is rounded, and `apportion` the only one where a settled total is shared out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Self

from domain.currencies import MINOR_DIGITS
from domain.decimals import Exact, point, read_decimal, scaled


@dataclass(frozen=True, slots=True)
class Money:
    """An amount someone can owe, in whole minor units of its currency; negative where it is owed back."""

    minor: int
    currency: str

    def __add__(self, other: Self) -> Self:
        self._require_same(other)
        return type(self)(self.minor + other.minor, self.currency)

    def __sub__(self, other: Self) -> Self:
        self._require_same(other)
        return type(self)(self.minor - other.minor, self.currency)

    def __neg__(self) -> Self:
        return type(self)(-self.minor, self.currency)

    def __str__(self) -> str:
        """The amount alone, with the currency's decimals: `12.50`."""
        return point(self.minor, MINOR_DIGITS[self.currency])

    @property
    def exact(self) -> Fraction:
        return Fraction(self.minor, 10 ** MINOR_DIGITS[self.currency])

    def _require_same(self, other: "Money") -> None:
        if other.currency != self.currency:
            raise ValueError(f"{other.currency} and {self.currency} do not add up")


def settle(exact: Exact, currency: str) -> Money:
    """Round an exact amount to what can be charged, half up (away from zero)."""
    return Money(scaled(exact, MINOR_DIGITS[currency]), currency)


def settle_within(exact: Exact, currency: str) -> Money:
    """The whole minor units of an exact amount, towards zero: never more than it."""
    return Money(scaled(exact, MINOR_DIGITS[currency], "down"), currency)


def apportion(parts: Sequence[Fraction], currency: str) -> tuple[Money, ...]:
    """Settle parts so that they add up to their settled sum: floors (towards minus infinity), then the
    missing units to the largest remainders, ties in order.
    """
    in_minor = [part * 10 ** MINOR_DIGITS[currency] for part in parts]
    minor = [floor(part) for part in in_minor]
    missing = settle(sum(parts, Fraction(0)), currency).minor - sum(minor)
    by_remainder = sorted(range(len(in_minor)), key=lambda index: minor[index] - in_minor[index])
    for index in by_remainder[:missing]:
        minor[index] += 1
    return tuple(Money(units, currency) for units in minor)


def share(settled: Money, weights: Sequence[Fraction]) -> tuple[Money, ...]:
    """Share a settled amount out in proportion to `weights`, exactly, as `apportion` does. Where the weights
    add up to zero there must be nothing to share.
    """
    whole = sum(weights, Fraction(0))
    if whole == 0 and settled.minor:
        raise ValueError(f"{settled} {settled.currency} cannot be shared out over nothing")
    exact = [weight * settled.exact / whole if whole else Fraction(0) for weight in weights]
    return apportion(exact, settled.currency)


def read_money(text: str, currency: str) -> Money:
    """Read an amount that is already settled; raise ValueError where it has too many decimals."""
    exact = read_decimal(text)
    money = settle(exact, currency)
    if money.exact != exact:
        raise ValueError(f"must have at most {MINOR_DIGITS[currency]} decimals in {currency}")
    return money


def total(parts: Sequence[Money], currency: str) -> Money:
    return sum(parts, Money(0, currency))


def least(first: Money, *others: Money) -> Money:
    """The smallest of some amounts of one currency."""
    smallest = first
    for other in others:
        smallest = other if (other - smallest).minor < 0 else smallest
    return smallest


def greatest(one: Money, other: Money) -> Money:
    return one if (one - other).minor >= 0 else other
