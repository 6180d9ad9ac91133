"""Errors out: each is a problem document (RFC 9457), and none shows what happened inside.

A domain error carries a code; which status that is over HTTP is decided here and nowhere else.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from domain.errors import (
    BillingError,
    Conflict,
    Corrupt,
    Declined,
    Fault,
    Forbidden,
    Insufficient,
    InsufficientCredit,
    Invalid,
    LimitReached,
    NotFound,
    Rejected,
    Unavailable,
)

MEDIA_TYPE = "application/problem+json"
MORE_FAULTS = (
    "faults"  # the type of a pydantic error that carries the faults of a reader of the domain
)

_log = structlog.get_logger("api")


class Unauthorized(Rejected):
    """Nobody we know: no key, or one that opens nothing."""

    code = "unauthorized"


class TooLarge(Rejected):
    code = "too_large"


# An answer is not to be many times as long as what was sent: more faults than these are only counted.
MOST_FAULTS = 100

BAD_REQUESTS = frozenset(
    {"bad_signature"}
)  # codes of errors of other rooms that are a status of their own


class UnreadableBody(HTTPException):
    """A body that is no JSON we can take exactly. An HTTPException, so that the framework lets it through."""

    def __init__(self, invalid: Invalid) -> None:
        super().__init__(HTTPStatus.UNPROCESSABLE_ENTITY, str(invalid))
        self.invalid = invalid


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem document. `faults` are told as `errors: [{path, message}]`; `available` where more was asked for."""

    status: int
    code: str
    title: str
    detail: str
    faults: tuple[Fault, ...] = ()
    available: str | None = None

    def document(self) -> dict[str, object]:
        whole: dict[str, object] = {
            "type": f"urn:weir:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.faults:
            whole["errors"] = [{"path": f.path, "message": f.message} for f in self.faults]
        if self.available is not None:
            whole["available"] = self.available
        return whole


# From the narrowest to the widest: the first that fits counts.
_KINDS: tuple[tuple[type[BillingError], HTTPStatus, str], ...] = (
    (Unauthorized, HTTPStatus.UNAUTHORIZED, "No valid API key"),
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Too large"),
    (Invalid, HTTPStatus.UNPROCESSABLE_ENTITY, "Not valid"),
    (NotFound, HTTPStatus.NOT_FOUND, "Not found"),
    (Forbidden, HTTPStatus.FORBIDDEN, "Not allowed"),
    (Declined, HTTPStatus.PAYMENT_REQUIRED, "Payment declined"),
    (InsufficientCredit, HTTPStatus.PAYMENT_REQUIRED, "Not enough credit"),
    (LimitReached, HTTPStatus.CONFLICT, "Limit reached"),
    (Conflict, HTTPStatus.CONFLICT, "Conflict"),
    (Rejected, HTTPStatus.CONFLICT, "Refused"),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE, "Unavailable"),
    (Corrupt, HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error"),
)
_AWAY = Problem(503, "unavailable", "Unavailable", "What we depend on does not answer: try again.")
_INTERNAL = Problem(500, "internal", "Internal error", "This is our fault, and it was recorded.")
_METHODS = ("GET", "POST", "PATCH", "DELETE")
_HEADERS: Mapping[int, Mapping[str, str]] = {
    401: {"WWW-Authenticate": "Bearer"},
    503: {"Retry-After": "1"},
}


def problem_of(error: BillingError) -> Problem:
    """The problem that an error of the domain is to a caller."""
    status, title = next(
        ((status, title) for kind, status, title in _KINDS if isinstance(error, kind)), (500, "")
    )
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return _INTERNAL
    if isinstance(error, Unavailable):
        return _AWAY
    if error.code in BAD_REQUESTS:
        status, title = HTTPStatus.BAD_REQUEST, "Bad request"
    if isinstance(error, Invalid):
        return Problem(status, error.code, title, *_told(error))
    available = error.available if isinstance(error, Insufficient) else None
    return Problem(status, error.code, title, str(error), available=available)


def _told(invalid: Invalid) -> tuple[str, tuple[Fault, ...]]:
    """What is told of faults: in one sentence, and each."""
    faults = invalid.faults[:MOST_FAULTS]
    more = len(invalid.faults) - len(faults)
    if not more:
        return str(invalid), faults
    return f"{Invalid(faults)}; and {more} more", faults


def respond(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        json.dumps(problem.document(), ensure_ascii=False, separators=(",", ":")),
        problem.status,
        {**_HEADERS.get(problem.status, {}), **(headers or {})},
        MEDIA_TYPE,
    )


def answer_error(error: BillingError) -> Response:
    """The response to an error of the domain; what is not the caller's doing is logged, not told."""
    match error:
        case Corrupt():
            _log.error("corrupt", code=error.code, detail=str(error), exc_info=error)
        case Unavailable():
            _log.warning("unavailable", detail=str(error))
    return respond(problem_of(error))


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem document."""

    @app.exception_handler(BillingError)
    async def billing_error(request: Request, error: BillingError) -> Response:
        return answer_error(error)

    @app.exception_handler(RequestValidationError)
    async def not_valid(request: Request, error: RequestValidationError) -> Response:
        return answer_error(Invalid(fault for each in error.errors() for fault in _faults(each)))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        if isinstance(error, UnreadableBody):
            return answer_error(error.invalid)
        status = HTTPStatus(error.status_code)
        code = status.phrase.lower().replace(" ", "_")
        headers = {"Allow": _allowed(request)} if status == 405 else error.headers
        return respond(Problem(status, code, status.phrase, _detail(error)), headers)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        _log.error("unexpected", path=request.url.path, exc_info=error)
        return respond(_INTERNAL)


def _allowed(request: Request) -> str:
    """The methods that this path takes, over all of its routes."""
    routes = request.app.routes
    asked = ({**request.scope, "method": method} for method in _METHODS)
    return ", ".join(
        scope["method"]
        for scope in asked
        if any(route.matches(scope)[0] is Match.FULL for route in routes)
    )


def _detail(error: HTTPException) -> str:
    match error.status_code:
        case 404:
            return "There is nothing at this path."
        case 405:
            return "This path does not take that method."
        case _:
            return str(error.detail)


def _faults(error: Mapping[str, object]) -> tuple[Fault, ...]:
    """The faults that one of pydantic's errors stands for, in our words."""
    place = error["loc"]
    assert isinstance(place, tuple)
    inside = place if len(place) == 1 else place[1:]  # without body, query, path or header
    path = "" if place == ("body",) else ".".join(str(part) for part in inside)
    context = error.get("ctx")
    if error["type"] == MORE_FAULTS and isinstance(context, Mapping):
        told = Invalid(Fault(*fault) for fault in context["faults"])
        return told.beneath(path) if path else told.faults
    return (Fault(path, _message(error)),)


def _message(error: Mapping[str, object]) -> str:
    match error["type"]:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return "is not a known field"
        case "model_attributes_type" | "dict_type":
            return "must be an object"
        case _:
            text = str(error["msg"])
            return text[:1].lower() + text[1:]
