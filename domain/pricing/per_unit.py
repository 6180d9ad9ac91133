"""The same amount for each unit."""

from dataclasses import dataclass
from fractions import Fraction

from domain.pricing.steps import Step, charged
from domain.reading import Fields, decimal


@dataclass(frozen=True, slots=True)
class PerUnit:
    unit_amount: Fraction

    def charge(self, quantity: Fraction) -> list[Step]:
        return [charged("unit_amount", quantity, self.unit_amount)]


def read_per_unit(fields: Fields) -> PerUnit:
    return PerUnit(fields.required("unit_amount", decimal))
