"""All units at the rate of the tier that the whole quantity falls in, plus that tier's flat amount."""

from dataclasses import dataclass
from fractions import Fraction

from domain.pricing.steps import Step
from domain.pricing.tiers import Tiers, charge_at_zero, read_amount_tiers, tier_of
from domain.reading import Fields, boolean


@dataclass(frozen=True, slots=True)
class Volume:
    tiers: Tiers
    flat_on_zero: bool

    def charge(self, quantity: Fraction) -> list[Step]:
        if quantity.numerator <= 0:
            return charge_at_zero(self.tiers, quantity, self.flat_on_zero)
        return list(self.tiers[tier_of(self.tiers, quantity)].charge(quantity))


def read_volume(fields: Fields) -> Volume:
    return Volume(
        fields.required("tiers", read_amount_tiers),
        fields.optional("flat_on_zero", boolean, False),
    )
