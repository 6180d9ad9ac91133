"""A meter: which usage events count, what is measured of each, and how that becomes a period's quantity."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, cast, get_args

from domain.decimals import RoundingMode, round_to
from domain.errors import Invalid
from domain.metering.expressions import Expression, read_expression
from domain.metering.filters import Filter, read_filter
from domain.metering.properties import Property, read_property
from domain.reading import Fields, boolean, integer, key, list_of, one_of, percent, text

OfEvents = Literal["count", "sum", "max", "min", "avg", "latest", "unique_count", "percentile"]
Aggregation = Literal[OfEvents, "weighted_sum"]
Window = Literal["minute", "hour", "day", "week", "month"]
Level = Literal["change", "set"]

MOST_FILTERS = 100
MOST_DIMENSIONS = 10
FINEST_SCALE = 38

_AGGREGATIONS = get_args(Aggregation)
_WINDOWS = get_args(Window)
_CARRIES_OVER = ("sum", "max", "latest", "weighted_sum")


@dataclass(frozen=True, slots=True)
class Rounding:
    """To `scale` decimals; to tens, hundreds and so on where negative."""

    mode: RoundingMode
    scale: int

    def applied(self, quantity: Fraction) -> Fraction:
        return round_to(quantity, self.scale, self.mode)


@dataclass(frozen=True, slots=True)
class Meter:
    """`value` is there but for `count`, which looks at none; for `unique_count` it is a Property. `level` says what
    the value of an event does to a level that is held over time (`weighted_sum`). `percentile` is from 0 to 100,
    and there for that aggregation alone.
    """

    key: str
    event_name: str
    aggregation: Aggregation
    value: Expression | None = None
    filters: tuple[Filter, ...] = ()
    group_by: tuple[Property, ...] = ()
    rounding: Rounding | None = None
    carry_over: bool = False
    window: Window | None = None
    level: Level = "change"
    percentile: Fraction | None = None

    def counts(self, event_name: str, properties: Mapping[str, object]) -> bool:
        """Whether an event is of this meter; raises Invalid as filters do."""
        return event_name == self.event_name and all(f.passes(properties) for f in self.filters)


def read_meter(value: object) -> Meter:
    """Read a meter of contract §2; raises Invalid with every fault. `name` is let through, and not kept."""
    fields = Fields(value)
    fields.nullable("name", text)
    meter = Meter(
        key=fields.required("key", key),
        event_name=fields.required("event_name", text),
        aggregation=cast(Aggregation, fields.required("aggregation", one_of(*_AGGREGATIONS))),
        value=fields.nullable("value", read_expression),
        filters=fields.optional("filters", list_of(read_filter, MOST_FILTERS), ()),
        group_by=fields.optional("group_by", _read_dimensions, ()),
        rounding=fields.nullable("rounding", _read_rounding),
        carry_over=fields.optional("carry_over", boolean, False),
        window=cast(Window | None, fields.nullable("window", one_of(*_WINDOWS))),
        level=cast(Level, fields.optional("level", one_of("change", "set"), "change")),
        percentile=fields.nullable("percentile", percent),
    )
    _refuse_contradictions(fields, meter)
    fields.done()
    return meter


def _refuse_contradictions(fields: Fields, meter: Meter) -> None:
    if meter.aggregation not in _AGGREGATIONS:
        return  # that is a fault already
    if meter.aggregation != "count" and not fields.has("value"):
        fields.refuse("value", f"is required for {meter.aggregation}")
    if meter.aggregation == "unique_count" and not isinstance(meter.value, Property | None):
        fields.refuse("value", "must be one property for unique_count, which counts its values")
    if meter.carry_over and meter.aggregation not in _CARRIES_OVER:
        fields.refuse("carry_over", f"must be false for {meter.aggregation}: there is no level")
    elif meter.carry_over and fields.has("window"):
        fields.refuse("carry_over", "must be false with a window")
    if meter.level == "set" and meter.aggregation != "weighted_sum":
        fields.refuse("level", "can be set for weighted_sum alone")
    if (meter.aggregation == "percentile") != fields.has("percentile"):
        fields.refuse("percentile", "is required for percentile, and for nothing else")


def _read_dimensions(value: object) -> tuple[Property, ...]:
    dimensions = list_of(read_property, MOST_DIMENSIONS)(value)
    names = [dimension.name for dimension in dimensions]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise Invalid.at(str(index), f"is there twice: {name}")
    return dimensions


def _read_rounding(value: object) -> Rounding:
    fields = Fields(value)
    mode = fields.required("mode", one_of("up", "down", "half_up"))
    scale = fields.optional("scale", integer(-FINEST_SCALE, FINEST_SCALE), 0)
    fields.done()
    return Rounding(cast(RoundingMode, mode), scale)


def adds_up(meter: Meter) -> bool:
    """Whether a level is carried over that each event changes, instead of setting it."""
    changes = meter.aggregation in ("sum", "weighted_sum") and meter.level == "change"
    return meter.carry_over and changes
