"""Each tier's units at that tier's rate, plus the flat amount of each tier reached."""

from dataclasses import dataclass
from fractions import Fraction

from domain.pricing.steps import ZERO, Step, charged, refuse_negative
from domain.pricing.tiers import Tiers, at_zero, flat_amount, read_amount_tiers
from domain.reading import Fields, boolean


@dataclass(frozen=True, slots=True)
class Graduated:
    tiers: Tiers
    flat_on_zero: bool

    def charge(self, quantity: Fraction) -> list[Step]:
        refuse_negative(quantity)
        if quantity == 0:
            return at_zero(self.tiers, self.flat_on_zero)
        return graduated_steps(self.tiers, quantity, "unit_amount")


def graduated_steps(tiers: Tiers, quantity: Fraction, rate_name: str) -> list[Step]:
    """Cut a quantity above zero at the bounds, and charge each part in its tier."""
    steps: list[Step] = []
    start = ZERO
    for index, tier in enumerate(tiers):
        bound = tier.up_to
        end = quantity if bound is None or quantity <= bound else bound
        steps.append(charged(f"tiers.{index}.{rate_name}", end - start, tier.rate))
        steps.extend(flat_amount(index, tier))
        if end is quantity:
            break
        start = end
    return steps


def read_graduated(fields: Fields) -> Graduated:
    return Graduated(
        fields.required("tiers", read_amount_tiers),
        fields.optional("flat_on_zero", boolean, False),
    )
