"""One amount, whatever the quantity."""

from dataclasses import dataclass
from fractions import Fraction

from domain.pricing.steps import Step, charged
from domain.reading import Fields, decimal


@dataclass(frozen=True, slots=True)
class Flat:
    amount: Fraction

    def charge(self, quantity: Fraction) -> list[Step]:
        return [charged("amount", Fraction(1), self.amount)]


def read_flat(fields: Fields) -> Flat:
    return Flat(fields.required("amount", decimal))
