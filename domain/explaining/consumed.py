"""Charges for usage: what was measured, of which events, and what the price made of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domain.account import Need
from domain.basis import OfUsage
from domain.calendar import Period
from domain.charges import Charge, total_quantity
from domain.decimals import Exact, plain
from domain.documents import ENDLESS_DIGITS, Document
from domain.exact import as_fraction
from domain.metering.consumption import consumption
from domain.metering.measuring import Measure
from domain.metering.meter import Meter
from domain.pricing.price import Price
from domain.pricing.usage import Group, Groups, Usage
from domain.reading import written

GROUPS_SHOWN = 1_000

# What a meter is where its document is silent.
_UNLESS_GIVEN: Mapping[str, object] = {
    "filters": [],
    "group_by": [],
    "window": None,
    "rounding": None,
    "carry_over": False,
}


@dataclass(frozen=True, slots=True)
class Measured:
    """What the meter measured for a line. `measures` are those of the window and, for a level that carries over, of all
    that came before; `document` is the meter as it was made, `timezone` what its windows follow.
    """

    need: Need
    meter: Meter
    document: Mapping[str, object]
    measures: Sequence[Measure]
    timezone: str
    cut_off: int


def is_looked_at(need: Need, meter: Meter, at: datetime) -> bool:
    """Whether an event of that time has a part in what a need measures: of its window, but for pauses, though a level
    held over time does change in these; and before it, where the level carries over.
    """
    in_pause = any(pause.contains(at) for pause in need.without)
    if need.shape == "events":
        return need.window.contains(at) and not in_pause
    if meter.carry_over and at < need.window.start:
        return True
    return need.window.contains(at) and (meter.aggregation == "weighted_sum" or not in_pause)


def used(measured: Measured, price: Price, usage: Usage, events: str) -> Document:
    """The usage of a line; `events` is where its events are listed."""
    need, meter = measured.need, measured.meter
    exact = _unrounded(measured)
    looked_at = [m for m in measured.measures if is_looked_at(need, meter, m.time)]
    return {
        "meter": {**_UNLESS_GIVEN, **measured.document},
        "aggregation": meter.aggregation,
        "period": _period(need.window),
        "pauses": [_period(pause) for pause in need.without],
        "level_closed_at": [written(end) for end in need.closings],
        "timezone": measured.timezone,
        "measured": plain(total_quantity(exact), ENDLESS_DIGITS),
        "quantity": plain(total_quantity(usage), ENDLESS_DIGITS),
        "included": plain(min(as_fraction(price.included), total_quantity(usage))),
        "groups": _groups(exact, usage),
        "cut_off": str(measured.cut_off),
        "number_of_events": len(looked_at),
        "events": events,
    }


def billed_before(charge: Charge, invoices: Sequence[str]) -> Document | None:
    """What had been billed of the same usage: as it arrived, or for its closed period."""
    assert isinstance(charge.basis, OfUsage)
    quantity = charge.basis.quantity - charge.quantity
    amount = charge.basis.exact_amount - charge.exact_amount
    if charge.kind != "late_usage" and not (quantity or amount):
        return None
    return {
        "quantity": plain(quantity, ENDLESS_DIGITS),
        "exact_amount": plain(amount, ENDLESS_DIGITS),
        "invoices": list(invoices),
    }


def usage_in_words(charge: Charge) -> str:
    if charge.kind == "late_usage":
        return "All usage of the period as it is known now, less what had been billed of it."
    if charge.charged == "in_advance":
        return "The running total of the period, rounded, less what had been billed of it."
    if charge.charged == "on_account":
        return "All usage of the period so far, less what had been billed of it."
    return "All usage of the period."


def _unrounded(measured: Measured) -> Usage:
    exactly = replace(measured.meter, rounding=None)
    need = measured.need
    return consumption(
        exactly,
        measured.measures,
        need.window,
        need.shape,
        measured.timezone,
        need.without,
        need.closings,
    )


def _groups(exact: Usage, usage: Usage) -> list[Document] | None:
    """The first of the groups, with what was measured and what is charged; None for a price that looks at none."""
    if not isinstance(exact, Groups) or not isinstance(usage, Groups):
        return None
    pairs = zip(exact.groups[:GROUPS_SHOWN], usage.groups[:GROUPS_SHOWN], strict=True)
    return [_group(before, after.quantity) for before, after in pairs]


def _group(group: Group, rounded: Exact) -> Document:
    return {
        "key": dict(group.key),
        "measured": plain(group.quantity, ENDLESS_DIGITS),
        "quantity": plain(rounded, ENDLESS_DIGITS),
    }


def _period(period: Period) -> list[str]:
    return [written(period.start), written(period.end)]
