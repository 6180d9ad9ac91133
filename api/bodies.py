"""JSON bodies in, exactly: a number with a point stays as it was written, and no text gets in that cannot be kept."""

import json
from collections.abc import Callable, Coroutine, Iterable, Iterator
from itertools import islice
from typing import Any

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.responses import Response
from fastapi.routing import APIRoute

from api.problems import MOST_FAULTS, UnreadableBody
from domain.errors import Fault, Invalid
from domain.reading import InexactNumber

# Deeper than any document of ours, and far from where whoever walks through one would run out of stack.
DEEPEST = 100


def read_json(body: bytes) -> Any:
    """The JSON value of a body; numbers with a point or an exponent are `InexactNumber`, which readers refuse.

    Raises `Invalid` for what is no JSON (NaN and Infinity are none), names a member twice, nests too deep, or has text
    that is no Unicode or has a NUL.
    """
    try:
        text = body.decode()
        value = json.loads(
            text,
            parse_float=InexactNumber,
            parse_int=_whole_number,
            parse_constant=_refuse_constant,
            object_pairs_hook=named_once,
        )
    except UnicodeDecodeError as error:
        raise Invalid.at("", f"is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        message = f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise Invalid.at("", message) from None
    except RecursionError:
        raise Invalid.at("", "is nested too deep") from None
    except ValueError as error:
        raise Invalid.at("", str(error)) from None
    if text.count("[") + text.count("{") > DEEPEST:
        _refuse_depth(value)
    if "\\u" in text and (faults := tuple(islice(_unkeepable(value, ()), MOST_FAULTS))):
        raise Invalid(faults)
    return value


class ExactRequest(Request):
    """A request whose JSON body is read exactly."""

    async def json(self) -> Any:
        try:
            return read_json(await self.body())
        except Invalid as invalid:
            raise UnreadableBody(invalid) from None


class ExactRoute(APIRoute):
    """A route whose handler gets an `ExactRequest`, and nothing that it does not know: neither a parameter, nor a member
    of a body where it takes none. What is misspelt, or is no preview here, would be left out in silence.
    `APIRouter(route_class=ExactRoute)`.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        known = set(_parameters(self.dependant))
        takes_a_body = self.body_field is not None or self.openapi_extra is not None  # read raw

        async def handle_exactly(request: Request) -> Response:
            unknown = [name for name in request.query_params if name not in known]
            if unknown:
                raise Invalid(Fault(name, "is not a known parameter") for name in unknown)
            exact = ExactRequest(request.scope, request.receive)
            if not takes_a_body and (await exact.body()).strip():
                _refuse_members(await exact.json())
            return await handle(exact)

        return handle_exactly


def _parameters(dependant: Dependant) -> Iterator[str]:
    """The query parameters of a route and of all that it depends on."""
    yield from (field.alias for field in dependant.query_params)
    for beneath in dependant.dependencies:
        yield from _parameters(beneath)


def _refuse_members(body: object) -> None:
    """Raise `Invalid` for a body of a route that takes none, unless it is an object without members."""
    if not isinstance(body, dict):
        raise Invalid.at("", "must be empty, or an object without members")
    if body:
        raise Invalid(Fault(name, "is not a known field") for name in body)


def _members(value: object) -> Iterable[object]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
        case _:
            return ()


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:  # Python reads none of more than some thousands of digits
        raise ValueError(f"has a whole number of {len(text)} characters") from None


def _refuse_constant(name: str) -> object:
    raise ValueError(f"has the number {name}, which is not JSON")


def named_once(members: list[tuple[str, object]]) -> dict[str, object]:
    """An object of these members. Raises ValueError for one that is named twice: who sent it means one of the two, and
    nobody can tell which.
    """
    read = dict(members)
    if len(read) < len(members):
        places = {name: place for place, (name, _) in enumerate(members)}  # the last of each
        twice = next(name for place, (name, _) in enumerate(members) if places[name] != place)
        raise ValueError(f"names the member {twice!r} twice")
    return read


def _refuse_depth(value: object) -> None:
    """Raise `Invalid` for a value that is nested deeper than `DEEPEST`; level by level, so at any depth."""
    level = [value]
    for _ in range(DEEPEST):
        level = [member for each in level for member in _members(each)]
        if not level:
            return
    raise Invalid.at("", "is nested too deep")


def _unkeepable(value: object, path: tuple[str, ...]) -> Iterator[Fault]:
    match value:
        case str():
            if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
                yield Fault(".".join(path), "has a character that is no text")
        case dict():
            for name, member in value.items():
                yield from _unkeepable(name, path)
                yield from _unkeepable(member, (*path, name))
        case list():
            for index, member in enumerate(value):
                yield from _unkeepable(member, (*path, str(index)))
