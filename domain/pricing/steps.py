"""The steps of a rating: how an amount came about, one part of the price after another."""

from collections.abc import Sequence
from typing import NamedTuple

from domain.decimals import Exact, plain
from domain.errors import Invalid
from domain.exact import sum_of, times


class Step(NamedTuple):
    """What one part of a price adds. `step` is that part's path in the price (`tiers.0.unit_amount`); where
    both are there, `quantity` × `rate` is `amount`.

    A named tuple, as all that there are many of in a rating: it is made in half the time of a dataclass.
    """

    step: str
    quantity: Exact | None
    rate: Exact | None
    amount: Exact


def charged(step: str, quantity: Exact, rate: Exact) -> Step:
    return Step(step, quantity, rate, times(quantity, rate))


def lump(step: str, amount: Exact) -> Step:
    return Step(step, None, None, amount)


def total(steps: Sequence[Step]) -> Exact:
    """The sum of the amounts."""
    return sum_of([step.amount for step in steps])


def written(step: Step) -> dict[str, str | None]:
    """A step as users see it, its numbers in plain notation."""
    return {
        "step": step.step,
        "quantity": None if step.quantity is None else plain(step.quantity),
        "rate": None if step.rate is None else plain(step.rate),
        "amount": plain(step.amount),
    }


def refuse_negative(quantity: Exact) -> None:
    """Tiers and packages are counted from zero: a negative quantity is in none of them."""
    if quantity < 0:
        raise Invalid.at("usage.quantity", "must not be negative under this price")
