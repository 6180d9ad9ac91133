"""/v1/events: what happened, sent once or more often, kept once."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import WithJsonSchema

from api.answers import answer
from api.auth import Reads, SendsUsage
from api.bodies import ExactRoute
from api.connections import Opened
from api.pages import Page
from api.paths import NamedQuery
from api.schemas import events as schemas
from api.schemas.fields import Instant, read_with
from api.schemas.problem import problem
from api.sent_events import read_body
from db.customers import find_customer
from db.event_list import KeptEvent, Place, Sought, find_events
from db.events import RejectedEvent, ingest
from domain.errors import Invalid
from domain.metering.incoming import name
from domain.reading import instant, written

router = APIRouter(prefix="/events", tags=["events"], route_class=ExactRoute)

Name = Annotated[
    str, read_with(name), WithJsonSchema({**schemas.NAME, "examples": ["llm.completion"]})
]
EventName = Annotated[Name | None, Query(description="Only of this name.")]
From = Annotated[Instant | None, Query(alias="from", description="Timed then or later.")]
To = Annotated[Instant | None, Query(alias="to", description="Timed before.")]


@router.post(
    "",
    status_code=202,
    response_model=schemas.Ingested,
    summary="Send usage events",
    responses={415: problem("Events do not come as that media type.")},
    openapi_extra=schemas.BODY,
)
async def send(request: Request, caller: SendsUsage, opened: Opened) -> Response:
    """One event, a list of up to 1,000, lines, or CloudEvents. Answered when all that is accepted is durable. Good events
    are kept, bad ones named; an id that was sent before counts once.
    """
    sent = read_body(await request.body(), request.headers.get("content-type", ""))
    async with opened.database.transaction(caller.environment) as connection:
        ingested = await ingest(connection, caller.environment, sent.events)
    rejected = [*sent.refused, *(sent.in_body(rejection) for rejection in ingested.rejected)]
    document = {
        "accepted": ingested.accepted,
        "duplicates": ingested.duplicates,
        "rejected": [_refusal(each) for each in sorted(rejected, key=lambda r: r.index)],
    }
    return answer(document, 202)


@router.get("", response_model=schemas.EventPage, summary="List usage events")
async def find_all(
    page: Page,
    caller: Reads,
    opened: Opened,
    customer: NamedQuery = None,
    event_name: EventName = None,
    since: From = None,
    until: To = None,
) -> Response:
    """In the order of their times."""
    after = _read_cursor(page.after) if page.after else None
    async with opened.database.transaction(caller.environment) as connection:
        of = None if customer is None else (await find_customer(connection, customer)).id
        sought = Sought(of, event_name, since, until)
        found = await find_events(connection, sought, page.fetch, after)
    return answer(page.page(found, _document, _cursor))


def _refusal(rejected: RejectedEvent) -> dict[str, object]:
    return {
        "index": rejected.index,
        "id": rejected.id,
        "path": rejected.path,
        "message": rejected.message,
    }


def _document(event: KeptEvent) -> dict[str, object]:
    return {
        "id": event.id,
        "event_name": event.event_name,
        "customer": event.customer,
        "subscription": event.subscription,
        "time": written(event.time),
        "properties": event.properties,
        "received_at": written(event.received_at),
    }


def _cursor(event: KeptEvent) -> str:
    return f"{written(event.time)}_{event.seq}"


def _read_cursor(cursor: str) -> Place:
    time, _, seq = cursor.rpartition("_")
    try:
        if not (seq.isascii() and seq.isdigit() and len(seq) < 19):
            raise Invalid.at("", "is no place")
        return instant(time), int(seq)
    except Invalid:
        raise Invalid.at("after", "is no cursor of this list") from None
