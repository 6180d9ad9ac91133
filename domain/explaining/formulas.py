"""What a price does, in words: a sentence for the model, and one for each thing that the price adds to it."""

from collections.abc import Iterator
from typing import assert_never

from domain.decimals import plain
from domain.pricing.dynamic import Dynamic
from domain.pricing.flat import Flat
from domain.pricing.graduated import Graduated
from domain.pricing.graduated_percentage import GraduatedPercentage
from domain.pricing.matrix import Matrix
from domain.pricing.package import Package
from domain.pricing.per_unit import PerUnit
from domain.pricing.percentage import Percentage
from domain.pricing.price import Model, Price
from domain.pricing.volume import Volume


def formula(price: Price) -> str:
    """The price's rule, in the order in which it is applied."""
    return " ".join(_sentences(price))


def _sentences(price: Price) -> Iterator[str]:
    if price.included:
        yield f"{plain(price.included)} included units come off first."
    yield _of_model(price.model)
    if price.discount_percent:
        yield f"Less {plain(price.discount_percent)} percent."
    if price.maximum is not None:
        yield f"At most {plain(price.maximum)}."
    if price.minimum is not None:
        yield f"At least {plain(price.minimum)}."
    if price.unit_rate is not None:
        yield f"One of {price.unit} is worth {plain(price.unit_rate)} in the currency."


def _of_model(model: Model) -> str:
    match model:
        case Flat():
            return "One amount, whatever the quantity."
        case PerUnit():
            return "The quantity times the amount of one unit."
        case Package(round=rounding):
            counted = "begun" if rounding == "up" else "filled"
            return f"The packages {counted} beyond the free units, times the amount of one package."
        case Graduated():
            return (
                "Each tier's units at that tier's rate, plus the flat amount of each tier reached."
            )
        case Volume():
            return "All units at the rate of the tier that the whole quantity falls in, plus its flat amount."
        case Percentage():
            return (
                "Of each event beyond the free allowance a percentage and the fixed amount, within"
                " the bounds of one event."
            )
        case GraduatedPercentage():
            return (
                "Each tier's part of the money at that tier's percentage, plus the flat amount of each"
                " tier reached."
            )
        case Matrix():
            return "Each group at the rate of the cell that matches most of its dimensions."
        case Dynamic():
            return "The sum of the amounts that the events carry, times the multiplier."
        case _:
            assert_never(model)
