"""What is priced: one quantity, a quantity for each group, or events one by one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple, assert_never

from domain.decimals import Exact
from domain.errors import Invalid
from domain.pricing.figures import figure
from domain.reading import Fields, InexactNumber, decimal, list_of

UsageShape = Literal["quantity", "groups", "events"]

MOST_GROUPS = 100_000
MOST_EVENTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Quantity:
    """A period's quantity, after the meter's rounding."""

    total: Fraction


class Group(NamedTuple):
    """The quantity of one group of a meter's `group_by`. `key` is sorted by dimension; None is a property
    that the events of the group do not have.
    """

    key: tuple[tuple[str, str | None], ...]
    quantity: Exact


@dataclass(frozen=True, slots=True)
class Groups:
    groups: tuple[Group, ...]


class PricedEvent(NamedTuple):
    """An event as far as a price looks at it: its quantity (`percentage`), or its amount (`dynamic`)."""

    quantity: Exact | None
    amount: Exact | None


@dataclass(frozen=True, slots=True)
class Events:
    """A period's events, in their order."""

    events: tuple[PricedEvent, ...]


Usage = Quantity | Groups | Events


def shape_of(usage: Usage) -> UsageShape:
    match usage:
        case Quantity():
            return "quantity"
        case Groups():
            return "groups"
        case Events():
            return "events"
        case _:
            assert_never(usage)


def read_usage(value: object, shape: UsageShape | None = None) -> Usage:
    """Read `{"quantity"}`, `{"groups": [{"key", "quantity"}]}` or `{"events": [{"quantity", "amount"}]}`; where
    `shape` is given, another one is refused before it is looked into.
    """
    if not isinstance(value, Mapping):
        raise Invalid.at("", "must be an object")
    present = [name for name in _READERS if name in value]
    if shape is not None and present != [shape]:
        raise Invalid.at("", f"must have {shape} under this price, and no other kind of usage")
    if len(present) != 1:
        raise Invalid.at("", "must have one of quantity, groups and events")
    fields = Fields(value)
    usage = fields.required(present[0], _READERS[present[0]])
    fields.done()
    return usage


def dimension_value(value: object) -> str | None:
    """A value of a dimension as text: numbers as they are written, null where a property is missing."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case InexactNumber() if not value[-1].isdigit():
            raise Invalid.at("", f"must be a number that exists, not {value}")
        case str() | int():
            return str(value)
        case _:
            raise Invalid.at("", "must be text, a number, true, false or null")


def dimension_values(value: object) -> tuple[tuple[str, str | None], ...]:
    """Read `{dimension: value}`, sorted by dimension."""
    if type(value) is dict:
        for name, member in value.items():
            if type(name) is not str or type(member) is not str:
                break
        else:  # nearly always all are text already
            return tuple(sorted(value.items()))
    fields = Fields(value)
    names = [name for name in value if isinstance(name, str)] if isinstance(value, Mapping) else []
    pairs = tuple((name, fields.required(name, dimension_value)) for name in sorted(names))
    fields.done()
    return pairs


def _read_quantity(value: object) -> Quantity:
    return Quantity(decimal(value))


def _read_group(value: object) -> Group:
    fields = Fields(value)
    group = Group(fields.required("key", dimension_values), fields.required("quantity", figure))
    fields.done()
    return group


def _read_event(value: object) -> PricedEvent:
    fields = Fields(value)
    event = PricedEvent(fields.nullable("quantity", figure), fields.nullable("amount", figure))
    fields.done()
    return event


def _read_groups(value: object) -> Groups:
    return Groups(list_of(_read_group, MOST_GROUPS)(value))


def _read_events(value: object) -> Events:
    return Events(list_of(_read_event, MOST_EVENTS)(value))


_READERS: Mapping[str, Callable[[object], Usage]] = {
    "quantity": _read_quantity,
    "groups": _read_groups,
    "events": _read_events,
}
