"""All units at the rate of the tier that the whole quantity falls in, plus that tier's flat amount."""

from dataclasses import dataclass

from domain.decimals import Exact
from domain.pricing.steps import Step
from domain.pricing.tiers import Tiers, read_amount_tiers
from domain.reading import Fields, boolean


@dataclass(frozen=True, slots=True)
class Volume:
    tiers: Tiers
    flat_on_zero: bool

    def charge(self, quantity: Exact) -> list[Step]:
        if quantity <= 0:
            return self.tiers.charge_at_zero(quantity, self.flat_on_zero)
        return self.tiers.charge_in(self.tiers.tier_of(quantity), quantity)


def read_volume(fields: Fields) -> Volume:
    return Volume(
        fields.required("tiers", read_amount_tiers),
        fields.optional("flat_on_zero", boolean, False),
    )
