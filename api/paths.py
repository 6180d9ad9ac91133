"""What paths and queries name: a thing by its id or by its key."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator
from starlette.convertors import StringConvertor, register_url_convertor

from api.schemas.fields import Currency, Instant
from domain.errors import Invalid, NotFound
from domain.reading import LONGEST_KEY


def _findable(name: str) -> str:
    if not 0 < len(name) <= LONGEST_KEY or "\x00" in name:
        raise NotFound("there is nothing of that name")
    return name


def _askable(name: str) -> str:
    if "\x00" in name:
        raise Invalid.at("", "has a character that is no text")
    return name


class AnyText(StringConvertor):
    """A segment of a path that is any text at all, slashes and line breaks included: `{x:any}`."""

    regex = r"[\s\S]+"


register_url_convertor("any", AnyText())

# Keys may have slashes: routes take them as `{name:path}`, the longer routes first.
Named = Annotated[
    str, Path(description="Its id or its key.", examples=["acme"]), AfterValidator(_findable)
]
EventId = Annotated[
    str,
    Path(description="The id of the event.", examples=["req_8f14e45f"]),
    AfterValidator(_findable),
]
NamedQuery = Annotated[
    str | None,
    Query(description="An id or a key.", max_length=LONGEST_KEY, examples=["acme"]),
    AfterValidator(lambda name: name if name is None else _askable(name)),
]
CurrencyQuery = Annotated[
    Currency | None,
    Query(description="The one the customer usually pays in, if not given."),
]
InstantQuery = Annotated[Instant | None, Query(description="An RFC 3339 time with an offset.")]
KnownAtQuery = Annotated[
    Instant | None,
    Query(description="As it was known at this instant, which must not be in the future."),
]
