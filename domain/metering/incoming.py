"""A usage event as it is sent: read whole, and refused where anything in it could not be kept as it came."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from domain.errors import Fault, Invalid
from domain.reading import Fields, InexactNumber, instant, text

LONGEST_NAME = 200
DEEPEST_PROPERTY = 20
LARGEST_WHOLE_NUMBER = 10**38


@dataclass(frozen=True, slots=True)
class IncomingEvent:
    """`customer` and `subscription` are keys or ids as they were sent; without a `time` it happened now."""

    id: str
    event_name: str
    customer: str
    time: datetime | None
    properties: Mapping[str, object]
    subscription: str | None = None


def read_event(value: object) -> IncomingEvent:
    """Read `{"id", "event_name", "customer", "time", "properties", "subscription"}`; raise `Invalid` with all faults."""
    fields = Fields(value)
    event = IncomingEvent(
        id=fields.required("id", name),
        event_name=fields.required("event_name", name),
        customer=fields.required("customer", name),
        time=fields.nullable("time", instant),
        properties=fields.optional("properties", read_properties, {}),
        subscription=fields.nullable("subscription", name),
    )
    fields.done()
    return event


def name(value: object) -> str:
    """Text of at most 200 characters, any of them."""
    read = text(value)
    if len(read) > LONGEST_NAME:
        raise Invalid.at("", f"must have at most {LONGEST_NAME} characters")
    return read


def read_properties(value: object) -> Mapping[str, object]:
    """Any JSON object, but for numbers that may have lost digits and text that no database keeps."""
    if not isinstance(value, Mapping):
        raise Invalid.at("", "must be an object")
    if not all(_is_plain(name) and _is_plain(member) for name, member in value.items()):
        faults = tuple(_faults_of(value, "", DEEPEST_PROPERTY))
        if faults:
            raise Invalid(faults)
    return value


def _is_plain(value: object) -> bool:
    """Whether a value is sound at first sight, as nearly all are: the long look takes ten times as long."""
    kind = type(value)
    if kind is str:
        return "\x00" not in str(value)
    return kind is bool or (kind is int and abs(cast(int, value)) < LARGEST_WHOLE_NUMBER)


def _faults_of(value: object, path: str, deeper: int) -> Iterator[Fault]:
    match value:
        case InexactNumber() | float():
            yield Fault(path, f"the number {value} may have lost digits: send it as a string")
        case str():
            if "\x00" in value:
                yield Fault(path, "must not contain the character U+0000")
        case int():
            if abs(value) >= LARGEST_WHOLE_NUMBER:
                yield Fault(path, "must have at most 38 digits")
        case Mapping() | list() if not deeper:
            yield Fault(path, f"must be at most {DEEPEST_PROPERTY} deep")
        case Mapping():
            for key, member in value.items():
                yield from _faults_of(key, path, deeper)
                yield from _faults_of(member, f"{path}.{key}" if path else str(key), deeper - 1)
        case list():
            for index, member in enumerate(value):
                yield from _faults_of(member, f"{path}.{index}", deeper - 1)
