"""Each tier's part of an amount of money at that tier's percentage, plus the flat amount of each tier reached."""

from dataclasses import dataclass

from domain.decimals import Exact
from domain.pricing.steps import Step
from domain.pricing.tiers import Tiers, read_percent_tiers
from domain.reading import Fields, boolean


@dataclass(frozen=True, slots=True)
class GraduatedPercentage:
    """The tiers' rates are shares of one, not percentages."""

    tiers: Tiers
    flat_on_zero: bool

    def charge(self, quantity: Exact) -> list[Step]:
        return self.tiers.charge(quantity, self.flat_on_zero)


def read_graduated_percentage(fields: Fields) -> GraduatedPercentage:
    return GraduatedPercentage(
        fields.required("tiers", read_percent_tiers),
        fields.optional("flat_on_zero", boolean, False),
    )
