"""All units at the rate of the tier that the whole quantity falls in, plus that tier's flat amount."""

from dataclasses import dataclass
from fractions import Fraction

from domain.pricing.steps import Step, charged, refuse_negative
from domain.pricing.tiers import Tiers, at_zero, flat_amount, read_amount_tiers
from domain.reading import Fields, boolean


@dataclass(frozen=True, slots=True)
class Volume:
    tiers: Tiers
    flat_on_zero: bool

    def charge(self, quantity: Fraction) -> list[Step]:
        refuse_negative(quantity)
        if quantity == 0:
            return at_zero(self.tiers, self.flat_on_zero)
        index = next(
            index
            for index, tier in enumerate(self.tiers)
            if tier.up_to is None or quantity <= tier.up_to
        )
        tier = self.tiers[index]
        return [
            charged(f"tiers.{index}.unit_amount", quantity, tier.rate),
            *flat_amount(index, tier),
        ]


def read_volume(fields: Fields) -> Volume:
    return Volume(
        fields.required("tiers", read_amount_tiers),
        fields.optional("flat_on_zero", boolean, False),
    )
