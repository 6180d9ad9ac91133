"""Each tier's units at that tier's rate, plus the flat amount of each tier reached."""

from dataclasses import dataclass

from domain.decimals import Exact
from domain.pricing.steps import Step
from domain.pricing.tiers import Tiers, read_amount_tiers
from domain.reading import Fields, boolean


@dataclass(frozen=True, slots=True)
class Graduated:
    tiers: Tiers
    flat_on_zero: bool

    def charge(self, quantity: Exact) -> list[Step]:
        return self.tiers.charge(quantity, self.flat_on_zero)


def read_graduated(fields: Fields) -> Graduated:
    return Graduated(
        fields.required("tiers", read_amount_tiers),
        fields.optional("flat_on_zero", boolean, False),
    )
