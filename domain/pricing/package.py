"""Whole packages: those begun beyond the free units, or those filled."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, cast

from domain.decimals import round_to
from domain.pricing.steps import ZERO, Step, charged, refuse_negative
from domain.reading import Fields, decimal, not_negative, one_of, positive


@dataclass(frozen=True, slots=True)
class Package:
    package_size: Fraction
    package_amount: Fraction
    free_units: Fraction
    round: Literal["up", "down"]

    def charge(self, quantity: Fraction) -> list[Step]:
        refuse_negative(quantity)
        packages = max(quantity - self.free_units, ZERO) / self.package_size
        return [charged("package_amount", round_to(packages, 0, self.round), self.package_amount)]


def read_package(fields: Fields) -> Package:
    return Package(
        fields.required("package_size", positive),
        fields.required("package_amount", decimal),
        fields.optional("free_units", not_negative, ZERO),
        cast(Literal["up", "down"], fields.optional("round", one_of("up", "down"), "up")),
    )
