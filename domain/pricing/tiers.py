"""Tiers: how `graduated`, `volume` and `graduated_percentage` divide quantities, from one bound to the next."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from domain.errors import Fault, Invalid
from domain.pricing.steps import ZERO, Step, charged, lump, refuse_negative
from domain.reading import Fields, decimal, list_of, percentage

MOST_TIERS = 1_000


@dataclass(frozen=True, slots=True)
class Tier:
    """The quantities `(start, up_to]`; the last tier has no bound. `rate` is the amount of each unit, `flat`
    the step of the flat amount if there is one, `filled` what the tier charges where it is used up: known
    beforehand, for a price is read once and charged often.
    """

    start: Fraction
    up_to: Fraction | None
    rate: Fraction
    rate_step: str
    flat: tuple[Step, ...]
    filled: tuple[Step, ...]

    def charge(self, units: Fraction) -> tuple[Step, ...]:
        return (charged(self.rate_step, units, self.rate), *self.flat)


Tiers = tuple[Tier, ...]


def tier_of(tiers: Tiers, quantity: Fraction) -> int:
    """The index of the tier that a quantity above zero falls in."""
    return bisect_left(tiers, quantity, hi=len(tiers) - 1, key=_bound)


def charge_tiers(tiers: Tiers, quantity: Fraction, flat_on_zero: bool) -> list[Step]:
    """Cut a quantity at the bounds, and charge each part in its tier."""
    if quantity.numerator <= 0:
        return charge_at_zero(tiers, quantity, flat_on_zero)
    reached = tier_of(tiers, quantity)
    steps = [step for tier in tiers[:reached] for step in tier.filled]
    steps.extend(tiers[reached].charge(quantity - tiers[reached].start))
    return steps


def charge_at_zero(tiers: Tiers, quantity: Fraction, flat_on_zero: bool) -> list[Step]:
    """A quantity of zero reaches no tier, unless the price bills the first flat amount even then."""
    refuse_negative(quantity)
    return list(tiers[0].flat) if flat_on_zero else []


def read_amount_tiers(value: object) -> Tiers:
    """Read `[{up_to, unit_amount, flat_amount}]`."""
    return _tiers(value, "unit_amount", _read_amount_tier)


def read_percent_tiers(value: object) -> Tiers:
    """Read `[{up_to, rate, flat_amount}]`, where `rate` is in percent."""
    return _tiers(value, "rate", _read_percent_tier)


@dataclass(frozen=True, slots=True)
class _Row:
    """A tier as it is written."""

    up_to: Fraction | None
    rate: Fraction
    flat_amount: Fraction


def _read_amount_tier(value: object) -> _Row:
    fields = Fields(value)
    row = _Row(
        fields.nullable("up_to", decimal),
        fields.optional("unit_amount", decimal, ZERO),
        fields.optional("flat_amount", decimal, ZERO),
    )
    fields.done()
    return row


def _read_percent_tier(value: object) -> _Row:
    fields = Fields(value)
    row = _Row(
        fields.nullable("up_to", decimal),
        fields.required("rate", percentage),
        fields.optional("flat_amount", decimal, ZERO),
    )
    fields.done()
    return row


def _tiers(value: object, rate_name: str, read_row: Callable[[object], _Row]) -> Tiers:
    rows = list_of(read_row, MOST_TIERS)(value)
    if not rows:
        raise Invalid.at("", "must have at least one tier")
    faults = [Fault(f"{index}.up_to", message) for index, message in _misplaced_bounds(rows)]
    if faults:
        raise Invalid(faults)
    starts = (ZERO, *(row.up_to for row in rows if row.up_to is not None))
    return tuple(
        _tier(f"tiers.{index}", rate_name, start, row)
        for index, (start, row) in enumerate(zip(starts, rows, strict=True))
    )


def _tier(path: str, rate_name: str, start: Fraction, row: _Row) -> Tier:
    step = f"{path}.{rate_name}"
    flat = (lump(f"{path}.flat_amount", row.flat_amount),) if row.flat_amount else ()
    if row.up_to is None:
        return Tier(start, None, row.rate, step, flat, ())
    filled = (charged(step, row.up_to - start, row.rate), *flat)
    return Tier(start, row.up_to, row.rate, step, flat, filled)


def _misplaced_bounds(rows: tuple[_Row, ...]) -> Iterator[tuple[int, str]]:
    last, before = len(rows) - 1, ZERO
    for index, row in enumerate(rows):
        if row.up_to is None:
            if index < last:
                yield index, "must not be null: only the last tier is without a bound"
            continue
        if row.up_to <= before:
            yield index, "must be greater than " + ("the bound before it" if index else "zero")
        elif index == last:
            yield index, "must be null: the last tier is without a bound"
        before = row.up_to


def _bound(tier: Tier) -> Fraction:
    return ZERO if tier.up_to is None else tier.up_to  # the last tier is never looked at
