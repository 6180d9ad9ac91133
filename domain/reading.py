"""Documents in: JSON or YAML values become domain values, or every fault in them with its path.

A parser takes a raw value and returns a domain value or raises `Invalid`, with paths relative to that value.
`Fields` runs parsers over the members of an object, keeps going after a fault, and refuses unknown members.
Where very much is wrong, the first faults are told.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from fractions import Fraction
from itertools import islice
from typing import TypeVar, cast

from domain.decimals import read_decimal
from domain.errors import Fault, Invalid

T = TypeVar("T")
Parser = Callable[[object], T]

LONGEST_KEY = 200
LONGEST_TEXT = 2_000
LONGEST_WHOLE_NUMBER = 1_000
LONGEST_LIST = 1_000
LONGEST_KEYED = 200
MOST_FAULTS = 100  # of one list or object; nobody reads on, and neither do we

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+-]*", re.ASCII)
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:[0-5]\d)", re.ASCII
)


class InexactNumber(str):
    """A JSON or YAML number with a point or an exponent, as it was written: refused wherever it matters."""

    __slots__ = ()


def whole_number(text: str) -> int | InexactNumber:
    """A JSON or YAML integer. Python refuses to read one of thousands of digits; the rules refuse it with its path."""
    return int(text) if len(text) <= LONGEST_WHOLE_NUMBER else InexactNumber(text)


class Fields:
    """The members of one object. Call `done` when all are read: it raises `Invalid` with all faults.

    One is made for every object of every document, so its methods call few others.
    """

    __slots__ = ("_faults", "_members", "_read")

    def __init__(self, value: object) -> None:
        if type(value) is not dict and not isinstance(value, Mapping):
            raise Invalid.at("", "must be an object")
        self._members: Mapping[object, object] = value
        self._read: set[str] = set()  # the names of members that are there and known
        self._faults: list[Fault] = []

    def has(self, name: str) -> bool:
        """Whether the member is there and not null."""
        return self._members.get(name) is not None

    def required(self, name: str, parse: Parser[T]) -> T:
        if name not in self._members:
            self.refuse(name, "is required")
            return cast(T, None)  # never used: `done` raises
        self._read.add(name)
        try:
            return parse(self._members[name])
        except Invalid as invalid:
            self._faults.extend(invalid.beneath(name))
            return cast(T, None)  # never used: `done` raises

    def optional(self, name: str, parse: Parser[T], default: T) -> T:
        """The member, or `default` where it is absent or null."""
        value = self._members.get(name)
        if value is None:
            if name in self._members:
                self._read.add(name)
            return default
        self._read.add(name)
        try:
            return parse(value)
        except Invalid as invalid:
            self._faults.extend(invalid.beneath(name))
            return cast(T, None)  # never used: `done` raises

    def nullable(self, name: str, parse: Parser[T]) -> T | None:
        value = self._members.get(name)
        if value is None:
            if name in self._members:
                self._read.add(name)
            return None
        self._read.add(name)
        try:
            return parse(value)
        except Invalid as invalid:
            self._faults.extend(invalid.beneath(name))
            return None

    def refuse(self, path: str, message: str) -> None:
        self._faults.append(Fault(path, message))

    def done(self) -> None:
        if len(self._read) != len(self._members):
            unknown = (name for name in self._members if name not in self._read)
            self._faults.extend(
                Fault(str(name), "is not a known field") for name in islice(unknown, MOST_FAULTS)
            )
        if self._faults:
            raise Invalid(self._faults)


def decimal(value: object) -> Fraction:
    """An exact decimal string, or a JSON integer."""
    try:
        return read_decimal(value if type(value) is str else decimal_text(value))
    except ValueError as error:
        raise Invalid.at("", str(error)) from None


def decimal_text(value: object) -> str:
    """The text of what is not simply text: only whole numbers have one that says what was meant."""
    if isinstance(value, InexactNumber | float):
        number = str(value)[:40]
        raise Invalid.at("", f"the number {number} may have lost digits: send it as a string")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Invalid.at("", "must be a decimal string")
    return str(value)


def not_negative(value: object) -> Fraction:
    number = decimal(value)
    if number.numerator < 0:
        raise Invalid.at("", "must not be negative")
    return number


def percentage(value: object) -> Fraction:
    """A percentage of any size and sign, as a share of one: 2.9 is 0.029."""
    number = decimal(value)
    return Fraction(number.numerator, number.denominator * 100)


def positive(value: object) -> Fraction:
    number = decimal(value)
    if number.numerator <= 0:
        raise Invalid.at("", "must be greater than zero")
    return number


def percent(value: object) -> Fraction:
    number = decimal(value)
    if not 0 <= number <= 100:
        raise Invalid.at("", "must be from 0 to 100")
    return number


def integer(minimum: int, maximum: int) -> Parser[int]:
    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            raise Invalid.at("", f"must be a whole number from {minimum} to {maximum}")
        return value

    return parse


def boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise Invalid.at("", "must be true or false")
    return value


def text(value: object) -> str:
    if not isinstance(value, str) or isinstance(value, InexactNumber):
        raise Invalid.at("", "must be text")
    if not value or len(value) > LONGEST_TEXT or "\x00" in value:
        raise Invalid.at("", f"must have from 1 to {LONGEST_TEXT} characters")
    return value


def key(value: object) -> str:
    """A name that a user gives: letters, digits and `._:@/+-`."""
    name = text(value)
    if len(name) > LONGEST_KEY or _KEY.fullmatch(name) is None:
        raise Invalid.at(
            "",
            f"must be 1 to {LONGEST_KEY} letters, digits or ._:@/+-, beginning with one of the first two",
        )
    return name


def one_of(*choices: str) -> Parser[str]:
    def parse(value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise Invalid.at("", f"must be one of {', '.join(choices)}")
        return value

    return parse


def list_of(parse: Parser[T], longest: int = LONGEST_LIST) -> Parser[tuple[T, ...]]:
    def parse_list(value: object) -> tuple[T, ...]:
        if not isinstance(value, list | tuple):
            raise Invalid.at("", "must be a list")
        if len(value) > longest:
            raise Invalid.at("", f"must have at most {longest} entries")
        read: list[T] = []
        faults: list[Fault] = []
        for index, entry in enumerate(value):
            try:
                read.append(parse(entry))
            except Invalid as invalid:
                faults.extend(invalid.beneath(index))
                if len(faults) >= MOST_FAULTS:
                    break
        if faults:
            raise Invalid(faults)
        return tuple(read)

    return parse_list


def keyed(parse: Parser[T], name: str, longest: int = LONGEST_KEYED) -> Parser[tuple[T, ...]]:
    """A list in which no two entries have the same `name`."""

    def parse_list(value: object) -> tuple[T, ...]:
        entries = list_of(parse, longest)(value)
        names = [getattr(entry, name) for entry in entries]
        twice = [i for i, named in enumerate(names) if named in names[:i]]
        if twice:
            raise Invalid(Fault(f"{i}.{name}", f"is there twice: {names[i]}") for i in twice)
        return entries

    return parse_list


def instant(value: object) -> datetime:
    """An RFC 3339 time with an offset, as UTC, to the microsecond."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if not isinstance(value, str) or _INSTANT.fullmatch(value) is None:
        raise Invalid.at("", "must be an RFC 3339 time with an offset, like 2026-01-31T00:00:00Z")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid.at("", "is not a time that exists") from None


def written(at: datetime) -> str:
    """An instant as RFC 3339 in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
