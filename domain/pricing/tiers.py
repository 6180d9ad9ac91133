"""Tiers: how `graduated`, `volume` and `graduated_percentage` divide quantities, from one bound to the next."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from domain.decimals import Exact
from domain.errors import Fault, Invalid
from domain.exact import ZERO, minus
from domain.pricing.figures import figure, percentage
from domain.pricing.steps import Step, charged, lump, refuse_negative
from domain.reading import Fields, list_of

MOST_TIERS = 1_000


class Tier(NamedTuple):
    """The quantities beyond the tier before it, up to and with `up_to`; the last tier has no bound. `rate` is
    the amount of each unit.
    """

    up_to: Decimal | None
    rate: Exact
    flat_amount: Decimal


@dataclass(frozen=True, slots=True)
class Tiers:
    """`bounds` are those of all tiers but the last, `rate_name` is what the rates are called in the price.
    `filled` keeps what a tier charges where it is used up: a price is read once and charged often.
    """

    tiers: tuple[Tier, ...]
    bounds: tuple[Decimal, ...]
    rate_name: str
    filled: dict[int, list[Step]] = field(default_factory=dict, compare=False, repr=False)

    def charge(self, quantity: Exact, flat_on_zero: bool) -> list[Step]:
        """Cut a quantity at the bounds, and charge each part in its tier."""
        if quantity <= 0:
            return self.charge_at_zero(quantity, flat_on_zero)
        steps: list[Step] = []
        reached = self.tier_of(quantity)
        for index in range(reached):
            steps.extend(self.filled.get(index) or self._fill(index))
        steps.extend(self.charge_in(reached, self._beyond(reached, quantity)))
        return steps

    def charge_at_zero(self, quantity: Exact, flat_on_zero: bool) -> list[Step]:
        """A quantity of zero reaches no tier, unless the price bills the first flat amount even then."""
        refuse_negative(quantity)
        return self._flat(0) if flat_on_zero else []

    def charge_in(self, index: int, units: Exact) -> list[Step]:
        step = f"tiers.{index}.{self.rate_name}"
        return [charged(step, units, self.tiers[index].rate), *self._flat(index)]

    def tier_of(self, quantity: Exact) -> int:
        """The index of the tier that a quantity above zero falls in."""
        return bisect_left(self.bounds, quantity)

    def _fill(self, index: int) -> list[Step]:
        steps = self.charge_in(index, self._beyond(index, self.bounds[index]))
        self.filled[index] = steps
        return steps

    def _flat(self, index: int) -> list[Step]:
        flat_amount = self.tiers[index].flat_amount
        return [lump(f"tiers.{index}.flat_amount", flat_amount)] if flat_amount else []

    def _beyond(self, index: int, quantity: Exact) -> Exact:
        """The units of a quantity beyond the tiers before this one."""
        return minus(quantity, self.bounds[index - 1]) if index else quantity


def read_amount_tiers(value: object) -> Tiers:
    """Read `[{up_to, unit_amount, flat_amount}]`."""
    return _tiers("unit_amount", _read_amount_list(value))


def read_percent_tiers(value: object) -> Tiers:
    """Read `[{up_to, rate, flat_amount}]`, where `rate` is in percent."""
    return _tiers("rate", _read_percent_list(value))


def _read_amount_tier(value: object) -> Tier:
    fields = Fields(value)
    tier = Tier(
        fields.nullable("up_to", figure),
        fields.optional("unit_amount", figure, ZERO),
        fields.optional("flat_amount", figure, ZERO),
    )
    fields.done()
    return tier


def _read_percent_tier(value: object) -> Tier:
    fields = Fields(value)
    tier = Tier(
        fields.nullable("up_to", figure),
        fields.required("rate", percentage),
        fields.optional("flat_amount", figure, ZERO),
    )
    fields.done()
    return tier


_read_amount_list = list_of(_read_amount_tier, MOST_TIERS)
_read_percent_list = list_of(_read_percent_tier, MOST_TIERS)


def _tiers(rate_name: str, tiers: tuple[Tier, ...]) -> Tiers:
    if not tiers:
        raise Invalid.at("", "must have at least one tier")
    faults = [Fault(f"{index}.up_to", message) for index, message in _misplaced_bounds(tiers)]
    if faults:
        raise Invalid(faults)
    return Tiers(tiers, tuple([tier.up_to for tier in tiers if tier.up_to is not None]), rate_name)


def _misplaced_bounds(tiers: tuple[Tier, ...]) -> Iterator[tuple[int, str]]:
    last, before = len(tiers) - 1, ZERO
    for index, tier in enumerate(tiers):
        if tier.up_to is None:
            if index < last:
                yield index, "must not be null: only the last tier is without a bound"
            continue
        if tier.up_to <= before:
            yield index, "must be greater than " + ("the bound before it" if index else "zero")
        elif index == last:
            yield index, "must be null: the last tier is without a bound"
        before = tier.up_to
