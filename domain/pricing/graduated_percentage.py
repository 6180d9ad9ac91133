"""Each tier's part of an amount of money at that tier's percentage, plus the flat amount of each tier reached."""

from dataclasses import dataclass
from fractions import Fraction

from domain.pricing.steps import Step
from domain.pricing.tiers import Tiers, charge_tiers, read_percent_tiers
from domain.reading import Fields, boolean


@dataclass(frozen=True, slots=True)
class GraduatedPercentage:
    """The tiers' rates are shares of one, not percentages."""

    tiers: Tiers
    flat_on_zero: bool

    def charge(self, quantity: Fraction) -> list[Step]:
        return charge_tiers(self.tiers, quantity, self.flat_on_zero)


def read_graduated_percentage(fields: Fields) -> GraduatedPercentage:
    return GraduatedPercentage(
        fields.required("tiers", read_percent_tiers),
        fields.optional("flat_on_zero", boolean, False),
    )
