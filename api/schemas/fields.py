"""The types of members: each is read by the domain's own reader, so that one rule decides what is valid.

As the type of a body's member they bring the domain's value (a `Fraction`, a `datetime`); in a response's model they only
say what the text looks like.
"""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from api.problems import MORE_FAULTS
from domain import reading
from domain.currencies import read_currency
from domain.decimals import plain
from domain.errors import Invalid
from domain.reading import LONGEST_KEY, LONGEST_TEXT, Parser

T = TypeVar("T")

LARGEST_METADATA = 50


class Body(BaseModel):
    """A body: an unknown member is refused, since a misspelt one would be ignored in silence."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


def read_with(parse: Parser[T]) -> PlainValidator:
    """Validate by a reader of the domain; its faults become the faults of the body."""

    def read(value: object) -> T:
        try:
            return parse(value)
        except Invalid as invalid:
            faults = [(fault.path, fault.message) for fault in invalid.faults]
            raise PydanticCustomError(MORE_FAULTS, "is not valid", {"faults": faults}) from None

    return PlainValidator(read)


def metadata(value: object) -> Mapping[str, str]:
    """Notes of the user's: names and texts, which we keep and never look into."""
    fields = reading.Fields(value)
    assert isinstance(value, Mapping)
    if len(value) > LARGEST_METADATA:
        raise Invalid.at("", f"must have at most {LARGEST_METADATA} members")
    notes = {str(name): fields.required(str(name), reading.text) for name in value}
    fields.done()
    return notes


DECIMAL = {"type": "string", "pattern": r"^-?[0-9]{1,38}(\.[0-9]{1,38})?$"}
NOT_NEGATIVE = {**DECIMAL, "pattern": DECIMAL["pattern"].replace("-?", "")}
INSTANT = {"type": "string", "format": "date-time"}
KEY = {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY}

Key = Annotated[
    str,
    read_with(reading.key),
    WithJsonSchema({**KEY, "pattern": "^[A-Za-z0-9][A-Za-z0-9._:@/+-]*$", "examples": ["acme"]}),
]
Name = Annotated[
    str,
    read_with(reading.text),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}),
]
Decimal = Annotated[
    Fraction,
    read_with(reading.decimal),
    WithJsonSchema({**DECIMAL, "examples": ["12.5"]}),
]
NotNegative = Annotated[
    Fraction,
    read_with(reading.not_negative),
    WithJsonSchema({**NOT_NEGATIVE, "examples": ["8"]}),
]
Positive = Annotated[
    Fraction,
    read_with(reading.positive),
    WithJsonSchema({**NOT_NEGATIVE, "examples": ["50.00"]}),
]
Rate = Annotated[
    str,
    read_with(lambda value: plain(reading.positive(value))),
    WithJsonSchema(
        {**DECIMAL, "pattern": DECIMAL["pattern"].replace("-?", ""), "examples": ["0.01"]}
    ),
]
Instant = Annotated[
    datetime,
    read_with(reading.instant),
    WithJsonSchema({**INSTANT, "examples": ["2026-02-01T00:00:00Z"]}),
]
Currency = Annotated[
    str,
    read_with(read_currency),
    WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["USD"]}),
]
Metadata = Annotated[
    Mapping[str, str],
    read_with(metadata),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT},
            "maxProperties": LARGEST_METADATA,
            "examples": [{"crm": "0042"}],
        }
    ),
]
