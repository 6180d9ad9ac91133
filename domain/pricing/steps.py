"""The steps of a rating: how an amount came about, one part of the price after another."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from domain.decimals import plain
from domain.errors import Invalid

ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Step:
    """What one part of a price adds. `step` is that part's path in the price (`tiers.0.unit_amount`); where
    both are there, `quantity` × `rate` is `amount`.
    """

    step: str
    quantity: Fraction | None
    rate: Fraction | None
    amount: Fraction


def charged(step: str, quantity: Fraction, rate: Fraction) -> Step:
    return Step(step, quantity, rate, quantity * rate)


def lump(step: str, amount: Fraction) -> Step:
    return Step(step, None, None, amount)


def total(steps: Sequence[Step]) -> Fraction:
    """The sum of the amounts, over one common denominator: quicker than adding them one by one."""
    if len(steps) == 1:
        return steps[0].amount
    common = lcm(*(step.amount.denominator for step in steps))
    return Fraction(
        sum(step.amount.numerator * (common // step.amount.denominator) for step in steps), common
    )


def written(step: Step) -> dict[str, str | None]:
    """A step as users see it, its numbers in plain notation."""
    return {
        "step": step.step,
        "quantity": None if step.quantity is None else plain(step.quantity),
        "rate": None if step.rate is None else plain(step.rate),
        "amount": plain(step.amount),
    }


def refuse_negative(quantity: Fraction) -> None:
    """Tiers and packages are counted from zero: a negative quantity is in none of them."""
    if quantity.numerator < 0:
        raise Invalid.at("usage.quantity", "must not be negative under this price")
