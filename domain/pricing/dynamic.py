"""The sum of the amounts that events carry, times a multiplier."""

from dataclasses import dataclass
from fractions import Fraction

from domain.errors import Invalid
from domain.pricing.steps import ZERO, Step, charged
from domain.pricing.usage import Events
from domain.reading import Fields, decimal


@dataclass(frozen=True, slots=True)
class Dynamic:
    multiplier: Fraction

    def charge(self, usage: Events) -> list[Step]:
        carried = ZERO
        for index, event in enumerate(usage.events):
            if event.amount is None:
                raise Invalid.at(f"usage.events.{index}.amount", "is required")
            carried += event.amount
        return [charged("multiplier", carried, self.multiplier)]


def read_dynamic(fields: Fields) -> Dynamic:
    return Dynamic(fields.optional("multiplier", decimal, Fraction(1)))
