"""/v1/rate, /v1/periods, /v1/aggregate: the pure commands over HTTP. Nothing is looked up, and nothing is kept."""

import asyncio
from time import monotonic
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from api.auth import Reads
from api.bodies import ExactRoute
from api.problems import TooLarge
from api.schemas import calculators as schemas
from api.schemas.problem import problem
from api.sent_events import JSON, LINES
from domain.calculators.aggregating import answer_aggregate
from domain.calculators.lines import Answer, answer_line, answer_object
from domain.calculators.periods import answer_periods
from domain.calculators.rating import answer_rate

router = APIRouter(tags=["calculators"], route_class=ExactRoute)

MOST_LINES = 10_000
LARGEST_ANSWER = 16 * 1024 * 1024
LONGEST_SECONDS = 10

_TYPES: dict[int | str, dict[str, Any]] = {
    415: problem("Questions do not come as that media type.")
}


@router.post(
    "/rate",
    summary="Rate usage",
    responses={**schemas.responses(schemas.RATED), **_TYPES},
    openapi_extra=schemas.body(schemas.RATE, schemas.RATE_EXAMPLE),
)
async def rate(request: Request, caller: Reads) -> Response:
    """What usage costs under a price, exactly, and step by step; as `weir rate`."""
    return await _answer(request, answer_rate)


@router.post(
    "/periods",
    summary="List periods",
    responses={**schemas.responses(schemas.STARTS), **_TYPES},
    openapi_extra=schemas.body(schemas.PERIODS, schemas.PERIODS_EXAMPLE),
)
async def periods(request: Request, caller: Reads) -> Response:
    """When the periods of a subscription would start; as `weir periods`."""
    return await _answer(request, answer_periods)


@router.post(
    "/aggregate",
    summary="Aggregate events",
    responses={**schemas.responses(schemas.AGGREGATED), **_TYPES},
    openapi_extra=schemas.body(schemas.AGGREGATE, schemas.AGGREGATE_EXAMPLE),
)
async def aggregate(request: Request, caller: Reads) -> Response:
    """What a meter makes of events in a period; as `weir aggregate`."""
    return await _answer(request, answer_aggregate)


async def _answer(request: Request, answer: Answer) -> Response:
    """One answer for an object, or one a line, in order. In a thread: others want to be answered too."""
    body = await request.body()
    match request.headers.get("content-type", "").partition(";")[0].strip().lower():
        case "" | "application/json":
            return Response(await asyncio.to_thread(answer_object, answer, body), media_type=JSON)
        case "application/x-ndjson":
            return Response(await asyncio.to_thread(_answer_lines, answer, body), media_type=LINES)
        case other:
            raise HTTPException(415, f"questions come as {JSON} or {LINES}, not as {other}")


def _answer_lines(answer: Answer, body: bytes) -> bytes:
    """Bounded in lines, in the bytes of the answers, and in time: a short line can ask for much."""
    lines = [line for line in body.split(b"\n") if line.strip()]
    if len(lines) > MOST_LINES:
        raise TooLarge(f"there are more than {MOST_LINES} lines: send fewer at once")
    answers = bytearray()
    end = monotonic() + LONGEST_SECONDS
    for number, line in enumerate(lines, 1):
        answers += answer_line(answer, line.strip()).encode()
        if len(answers) > LARGEST_ANSWER:
            raise TooLarge(f"the first {number} answers have more than {LARGEST_ANSWER} bytes")
        if monotonic() > end and number < len(lines):
            raise TooLarge(f"{number} lines took {LONGEST_SECONDS} seconds: send fewer at once")
    return bytes(answers)
