"""Whole packages: those begun beyond the free units, or those filled."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, cast

from domain.decimals import Exact
from domain.exact import ZERO, minus
from domain.pricing.figures import figure, not_negative, positive
from domain.pricing.steps import Step, charged, refuse_negative
from domain.reading import Fields, one_of


@dataclass(frozen=True, slots=True)
class Package:
    package_size: Decimal
    package_amount: Decimal
    free_units: Decimal
    round: Literal["up", "down"]

    def charge(self, quantity: Exact) -> list[Step]:
        refuse_negative(quantity)
        packages = Decimal(self._packages(max(minus(quantity, self.free_units), ZERO)))
        return [charged("package_amount", packages, self.package_amount)]

    def _packages(self, units: Exact) -> int:
        numerator, denominator = units.as_integer_ratio()
        size, parts = self.package_size.as_integer_ratio()
        begun = (
            -1 if self.round == "up" else 1
        )  # the quotient rounds down, and of minus the units, up
        return begun * (begun * numerator * parts // (denominator * size))


def read_package(fields: Fields) -> Package:
    return Package(
        fields.required("package_size", positive),
        fields.required("package_amount", figure),
        fields.optional("free_units", not_negative, ZERO),
        cast(Literal["up", "down"], fields.optional("round", one_of("up", "down"), "up")),
    )
