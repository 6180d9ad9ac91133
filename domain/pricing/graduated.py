"""Each tier's units at that tier's rate, plus the flat amount of each tier reached."""

from dataclasses import dataclass
from fractions import Fraction

from domain.pricing.steps import Step
from domain.pricing.tiers import Tiers, charge_tiers, read_amount_tiers
from domain.reading import Fields, boolean


@dataclass(frozen=True, slots=True)
class Graduated:
    tiers: Tiers
    flat_on_zero: bool

    def charge(self, quantity: Fraction) -> list[Step]:
        return charge_tiers(self.tiers, quantity, self.flat_on_zero)


def read_graduated(fields: Fields) -> Graduated:
    return Graduated(
        fields.required("tiers", read_amount_tiers),
        fields.optional("flat_on_zero", boolean, False),
    )
