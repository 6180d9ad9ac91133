"""The same amount for each unit."""

from dataclasses import dataclass
from decimal import Decimal

from domain.decimals import Exact
from domain.pricing.figures import figure
from domain.pricing.steps import Step, charged
from domain.reading import Fields


@dataclass(frozen=True, slots=True)
class PerUnit:
    unit_amount: Decimal

    def charge(self, quantity: Exact) -> list[Step]:
        return [charged("unit_amount", quantity, self.unit_amount)]


def read_per_unit(fields: Fields) -> PerUnit:
    return PerUnit(fields.required("unit_amount", figure))
