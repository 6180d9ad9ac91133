"""What a meter measures of one event."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from domain.errors import Invalid
from domain.metering.events import UsageEvent
from domain.metering.expressions import evaluate
from domain.metering.meter import Meter
from domain.metering.properties import Property
from domain.pricing.usage import dimension_value

GroupKey = tuple[tuple[str, str | None], ...]
"""Dimensions and their values, sorted by dimension; `()` where a meter does not group."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One event as one meter sees it. The value is text for `unique_count`, 1 for `count`."""

    time: datetime
    arrival: int
    group: GroupKey
    value: Fraction | str


def measure(meter: Meter, event: UsageEvent) -> Measure | None:
    """What counts of an event, or None where it is not the meter's or filtered out.

    Raises Invalid, with the path in the event (`properties.tokens`), where a value is missing or not exact: it is
    never read as 0.
    """
    if not meter.counts(event.event_name, event.properties):
        return None
    group = _group(meter, event.properties)
    return Measure(event.time, event.arrival, group, _value(meter, event.properties))


def readable(
    meter: Meter, time: datetime, arrival: int, properties: Mapping[str, object]
) -> Measure | None:
    """What a meter measures of an event of its name that was kept. None for one that a meter made later cannot read:
    it was accepted, and no meter then asked for what this one does.
    """
    event = UsageEvent("", meter.event_name, "", time, properties, arrival=arrival)
    try:
        return measure(meter, event)
    except Invalid:
        return None


def _group(meter: Meter, properties: Mapping[str, object]) -> GroupKey:
    return tuple(sorted((d.name, _text(d, properties)) for d in meter.group_by))


def _value(meter: Meter, properties: Mapping[str, object]) -> Fraction | str:
    if meter.aggregation == "count" or meter.value is None:
        return Fraction(1)
    if meter.aggregation != "unique_count" or not isinstance(meter.value, Property):
        return evaluate(meter.value, properties)
    text = _text(meter.value, properties)
    if text is None:
        raise meter.value.fault("is required by a meter")
    return text


def _text(named: Property, properties: Mapping[str, object]) -> str | None:
    try:
        return dimension_value(named.of(properties))
    except Invalid as invalid:
        raise named.fault(str(invalid)) from None


def measured_by(meters: Iterable[Meter], event: UsageEvent) -> list[tuple[Meter, Measure]]:
    """The meters that take an event, each with what it measures. Raises Invalid for the first thing that one of them
    cannot read, and says which meter that is.
    """
    taken = []
    for meter in meters:
        try:
            found = measure(meter, event)
        except Invalid as invalid:
            fault = invalid.faults[0]
            raise Invalid.at(fault.path, f"{fault.message} (meter {meter.key})") from None
        if found is not None:
            taken.append((meter, found))
    return taken
