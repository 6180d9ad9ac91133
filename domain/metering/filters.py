"""Which events a meter counts: every condition on their properties must hold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, assert_never

from domain.decimals import read_decimal
from domain.errors import Invalid
from domain.metering.properties import Property, read_property
from domain.reading import Fields, InexactNumber, boolean, decimal, list_of

Comparison = Literal["gt", "gte", "lt", "lte"]


@dataclass(frozen=True, slots=True)
class In:
    """The property is one of these, as text."""

    values: frozenset[str]


@dataclass(frozen=True, slots=True)
class NotIn:
    """The property is none of these, or missing."""

    values: frozenset[str]


@dataclass(frozen=True, slots=True)
class Compares:
    """The property is a number on this side of a bound."""

    operator: Comparison
    bound: Fraction


@dataclass(frozen=True, slots=True)
class Exists:
    wanted: bool


Condition = In | NotIn | Compares | Exists


@dataclass(frozen=True, slots=True)
class Filter:
    property: Property
    conditions: tuple[Condition, ...]

    def passes(self, properties: Mapping[str, object]) -> bool:
        """Whether an event counts; raises Invalid, at the property, where a number to compare is not exact."""
        found = self.property.of(properties)
        try:
            return all(_holds(condition, found) for condition in self.conditions)
        except Invalid as invalid:
            raise self.property.fault(str(invalid)) from None


def _holds(condition: Condition, found: object) -> bool:
    match condition:
        case In(values):
            return _text(found) in values
        case NotIn(values):
            return _text(found) not in values
        case Compares(operator, bound):
            number = _number(found)
            return number is not None and _compares(number, operator, bound)
        case Exists(wanted):
            return (found is not None) == wanted
        case _:
            assert_never(condition)


def _compares(number: Fraction, operator: Comparison, bound: Fraction) -> bool:
    match operator:
        case "gt":
            return number > bound
        case "gte":
            return number >= bound
        case "lt":
            return number < bound
        case "lte":
            return number <= bound
        case _:
            assert_never(operator)


def _text(found: object) -> str | None:
    match found:
        case bool():
            return "true" if found else "false"
        case str() | int():
            return str(found)
        case _:
            return None


def _number(found: object) -> Fraction | None:
    """A property to compare; None, on no side of any bound, where it is missing or no number."""
    if found is None or isinstance(found, bool | Mapping | list):
        return None
    if isinstance(found, str) and not isinstance(found, InexactNumber):
        return _decimal_in(found)
    return decimal(found)


def _decimal_in(text: str) -> Fraction | None:
    try:
        return read_decimal(text)
    except ValueError:
        return None


def read_filter(value: object) -> Filter:
    """`{"property": "model", "in": ["large"]}`, with one or more of in, not_in, gt, gte, lt, lte, exists."""
    fields = Fields(value)
    named = fields.required("property", read_property)
    given = [fields.nullable(name, read) for name, read in _CONDITIONS.items()]
    fields.done()
    conditions = tuple(condition for condition in given if condition is not None)
    if not conditions:
        raise Invalid.at("", f"must have a condition: one of {', '.join(_CONDITIONS)}")
    return Filter(named, conditions)


def _choice(value: object) -> str:
    text = _text(value)
    if text is None or isinstance(value, InexactNumber):
        raise Invalid.at("", "must be text, a whole number, true or false")
    return text


def _choices(value: object) -> frozenset[str]:
    return frozenset(list_of(_choice)(value))


_CONDITIONS: Mapping[str, Callable[[object], Condition]] = {
    "in": lambda value: In(_choices(value)),
    "not_in": lambda value: NotIn(_choices(value)),
    "gt": lambda value: Compares("gt", decimal(value)),
    "gte": lambda value: Compares("gte", decimal(value)),
    "lt": lambda value: Compares("lt", decimal(value)),
    "lte": lambda value: Compares("lte", decimal(value)),
    "exists": lambda value: Exists(boolean(value)),
}
