"""A period's usage events become the quantity that is billed, asked and answered as JSON."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from fractions import Fraction
from typing import assert_never

from domain.calendar import Period
from domain.decimals import plain
from domain.errors import Fault, Invalid
from domain.metering.aggregation import NOTHING_CARRIED, Carried, aggregate
from domain.metering.events import UsageEvent
from domain.metering.measuring import GroupKey, Measure, measure
from domain.metering.meter import Meter, Window, read_meter
from domain.pricing.usage import Groups, Quantity, dimension_values
from domain.reading import MOST_FAULTS, Fields, decimal, instant, list_of
from domain.timezones import read_timezone

MOST_EVENTS = 1_000_000
MOST_GROUPS = 100_000
MOST_WINDOWS = 600_000  # of all groups together: a year of minutes is 525,600

_SHORTEST: Mapping[Window, timedelta] = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=28),
}


def answer_aggregate(line: Mapping[str, object]) -> dict[str, object]:
    """`{"meter", "period", "timezone", "carried_in", "events"}` -> `{"quantity"}` or `{"groups"}`."""
    fields = Fields(line)
    meter = fields.required("meter", read_meter)
    period = fields.required("period", _read_period)
    timezone = fields.optional("timezone", read_timezone, "UTC")
    level: object = fields.nullable("carried_in", lambda value: value)
    events = fields.required("events", list_of(_read_event, MOST_EVENTS))
    fields.done()
    carried_in = _read_carried(meter, level)
    measures = _measured(meter, period, events)
    _require_few_windows(meter, period, {measure.group for measure in measures} | set(carried_in))
    return _written(aggregate(meter, measures, period, timezone, carried_in))


def _read_period(value: object) -> Period:
    times = list_of(instant, 2)(value)
    if len(times) != 2 or times[0] >= times[1]:
        raise Invalid.at("", "must be two times, the start and a later end")
    return Period(*times)


def _read_event(value: object) -> tuple[datetime, Mapping[str, object]]:
    fields = Fields(value)
    time = fields.required("time", instant)
    properties = fields.nullable("properties", _read_properties) or {}
    fields.done()
    return time, properties


def _read_properties(value: object) -> Mapping[str, object]:
    """Any object: only what the meter looks at is looked at."""
    if not isinstance(value, Mapping):
        raise Invalid.at("", "must be an object")
    return value


def _read_carried(meter: Meter, value: object) -> Carried:
    """A level, or `[{"key", "quantity"}]` for a meter that groups, where 0 is the level of none."""
    if not meter.carry_over or value is None or (meter.group_by and value == "0"):
        return NOTHING_CARRIED
    try:
        return _read_levels(meter, value) if meter.group_by else {(): decimal(value)}
    except Invalid as invalid:
        raise Invalid(invalid.beneath("carried_in")) from None


def _read_levels(meter: Meter, value: object) -> Carried:
    levels: dict[GroupKey, Fraction] = {}
    names = sorted(dimension.name for dimension in meter.group_by)

    def read(entry: object) -> None:
        fields = Fields(entry)
        key = fields.required("key", dimension_values)
        level = fields.required("quantity", decimal)
        fields.done()
        if not {name for name, _ in key} <= set(names):
            raise Invalid.at("key", f"must be of {', '.join(names)}")
        whole = tuple((name, dict(key).get(name)) for name in names)
        levels[whole] = levels.get(whole, Fraction(0)) + level

    list_of(read, MOST_GROUPS)(value)
    return levels


def _measured(
    meter: Meter, period: Period, events: Iterable[tuple[datetime, Mapping[str, object]]]
) -> list[Measure]:
    """What the meter measures of the events within the period; of the rest, nothing is looked at."""
    measures: list[Measure] = []
    faults: list[Fault] = []
    for index, (time, properties) in enumerate(events):
        if not period.contains(time):
            continue
        event = UsageEvent(str(index), meter.event_name, "", time, properties, arrival=index)
        try:
            measured = measure(meter, event)
        except Invalid as invalid:
            faults.extend(invalid.beneath(f"events.{index}"))
            if len(faults) >= MOST_FAULTS:
                break
            continue
        if measured is not None:
            measures.append(measured)
    if faults:
        raise Invalid(faults)
    return measures


def _require_few_windows(meter: Meter, period: Period, groups: Collection[GroupKey]) -> None:
    """A level is held in every window, used or not: of those, there is a bound."""
    if meter.window is None or meter.aggregation != "weighted_sum":
        return
    windows = period.length // _SHORTEST[meter.window] * max(1, len(groups))
    if windows > MOST_WINDOWS:
        raise Invalid.at("period", f"has more than {MOST_WINDOWS} windows of the meter")


def _written(usage: Quantity | Groups) -> dict[str, object]:
    match usage:
        case Quantity(total):
            return {"quantity": plain(total)}
        case Groups(groups):
            return {
                "groups": [
                    {"key": dict(group.key), "quantity": plain(group.quantity)} for group in groups
                ]
            }
        case _:
            assert_never(usage)
