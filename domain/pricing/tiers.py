"""Tiers: how `graduated`, `volume` and `graduated_percentage` divide quantities, from one bound to the next."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from domain.errors import Fault, Invalid
from domain.pricing.steps import ZERO, Step, lump
from domain.reading import Fields, decimal, list_of

MOST_TIERS = 1_000


@dataclass(frozen=True, slots=True)
class Tier:
    """`(the bound before, up_to]`; the last has no bound. `rate` is the amount of each unit."""

    up_to: Fraction | None
    rate: Fraction
    flat_amount: Fraction


Tiers = tuple[Tier, ...]


def flat_amount(index: int, tier: Tier) -> Iterator[Step]:
    """The step of a tier's flat amount, if it has one."""
    if tier.flat_amount:
        yield lump(f"tiers.{index}.flat_amount", tier.flat_amount)


def at_zero(tiers: Tiers, flat_on_zero: bool) -> list[Step]:
    """A quantity of zero reaches no tier, unless the price bills the first flat amount even then."""
    return list(flat_amount(0, tiers[0])) if flat_on_zero else []


def read_amount_tiers(value: object) -> Tiers:
    """Read `[{up_to, unit_amount, flat_amount}]`."""
    return _read_tiers(value, _read_amount_tier)


def read_percent_tiers(value: object) -> Tiers:
    """Read `[{up_to, rate, flat_amount}]`, where `rate` is in percent."""
    return _read_tiers(value, _read_percent_tier)


def _read_amount_tier(value: object) -> Tier:
    fields = Fields(value)
    tier = Tier(
        fields.nullable("up_to", decimal),
        fields.optional("unit_amount", decimal, ZERO),
        fields.optional("flat_amount", decimal, ZERO),
    )
    fields.done()
    return tier


def _read_percent_tier(value: object) -> Tier:
    fields = Fields(value)
    up_to = fields.nullable("up_to", decimal)
    rate = fields.required("rate", decimal)
    flat = fields.optional("flat_amount", decimal, ZERO)
    fields.done()
    return Tier(up_to, rate / 100, flat)


def _read_tiers(value: object, read_tier: Callable[[object], Tier]) -> Tiers:
    tiers = list_of(read_tier, MOST_TIERS)(value)
    if not tiers:
        raise Invalid.at("", "must have at least one tier")
    faults = [Fault(f"{index}.up_to", message) for index, message in _misplaced_bounds(tiers)]
    if faults:
        raise Invalid(faults)
    return tiers


def _misplaced_bounds(tiers: Tiers) -> Iterator[tuple[int, str]]:
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
