"""Rating: usage under a price becomes an exact amount, and the steps that make it up."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from domain.decimals import Exact
from domain.errors import Invalid
from domain.exact import HUNDREDTH, ZERO, as_exact, as_fraction, minus, plus, times
from domain.pricing.dynamic import Dynamic
from domain.pricing.flat import Flat
from domain.pricing.graduated import Graduated
from domain.pricing.graduated_percentage import GraduatedPercentage
from domain.pricing.matrix import Matrix
from domain.pricing.package import Package
from domain.pricing.per_unit import PerUnit
from domain.pricing.percentage import Percentage
from domain.pricing.price import Price, QuantityModel, usage_shape
from domain.pricing.steps import Step, lump, total
from domain.pricing.usage import Events, Groups, Quantity, Usage
from domain.pricing.volume import Volume

__all__ = ["Rated", "Step", "rate"]


@dataclass(frozen=True, slots=True)
class Rated:
    """An exact amount in the currency; the steps' amounts add up to it."""

    exact: Exact
    trace: tuple[Step, ...]

    @property
    def amount(self) -> Fraction:
        return as_fraction(self.exact)


def rate(price: Price, usage: Usage) -> Rated:
    """Charge usage in the order of the contract: included, model, discount, maximum, minimum, unit rate.

    Raises `Invalid` with a path from `usage` where the usage is not what the price is applied to.
    """
    steps = _charged(price, usage)
    amount = total(steps)
    for step in _adjustments(price, amount):
        steps.append(step)
        amount = plus(amount, step.amount)
    if price.unit_rate is None:
        return Rated(amount, tuple(steps))
    return Rated(times(amount, price.unit_rate), tuple(_in_currency(steps, price.unit_rate)))


def _charged(price: Price, usage: Usage) -> list[Step]:
    """What the model alone charges."""
    match price.model, usage:
        case (
            Flat()
            | PerUnit()
            | Package()
            | Graduated()
            | Volume()
            | GraduatedPercentage() as model,
            Quantity(quantity),
        ):
            return _charged_beyond(price.included, model, as_exact(quantity))
        case Matrix() as matrix, Groups():
            return matrix.charge(usage)
        case (Percentage() | Dynamic() as model, Events()):
            return model.charge(usage)
        case _:
            raise Invalid.at("usage", f"must have {usage_shape(price)} under this price")


def _charged_beyond(included: Exact, model: QuantityModel, quantity: Exact) -> list[Step]:
    if not included or quantity <= 0:
        return model.charge(quantity)
    taken_off = min(included, quantity)
    return [
        Step("included", minus(ZERO, taken_off), ZERO, ZERO),
        *model.charge(minus(quantity, taken_off)),
    ]


def _adjustments(price: Price, amount: Exact) -> Iterator[Step]:
    """What a price's discount, maximum and minimum add to the amount of its model, one after the other."""
    if price.discount_percent and amount:
        discount = times(times(amount, price.discount_percent), HUNDREDTH)
        amount = minus(amount, discount)
        yield lump("discount_percent", minus(ZERO, discount))
    if price.maximum is not None and amount > price.maximum:
        yield lump("maximum", minus(price.maximum, amount))
        amount = price.maximum
    if price.minimum is not None and amount < price.minimum:
        yield lump("minimum", minus(price.minimum, amount))


def _in_currency(steps: Iterable[Step], unit_rate: Exact) -> Iterator[Step]:
    """Steps of a price in a custom unit, and a last one that adds nothing but says what they were worth."""
    for step in steps:
        rate = None if step.rate is None else times(step.rate, unit_rate)
        yield Step(step.step, step.quantity, rate, times(step.amount, unit_rate))
    yield Step("unit_rate", None, unit_rate, ZERO)
