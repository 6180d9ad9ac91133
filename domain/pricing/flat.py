"""One amount, whatever the quantity."""

from dataclasses import dataclass
from decimal import Decimal

from domain.decimals import Exact
from domain.exact import ONE
from domain.pricing.figures import figure
from domain.pricing.steps import Step
from domain.reading import Fields


@dataclass(frozen=True, slots=True)
class Flat:
    amount: Decimal

    def charge(self, quantity: Exact) -> list[Step]:
        return [Step("amount", ONE, self.amount, self.amount)]


def read_flat(fields: Fields) -> Flat:
    return Flat(fields.required("amount", figure))
