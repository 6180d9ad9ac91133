"""/v1/events: what happened, sent once or more often, kept once."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import WithJsonSchema

from api.answers import answer
from api.auth import Reads, SendsUsage, Writes
from api.bodies import ExactRoute
from api.connections import Opened
from api.pages import Page, cursor_of, place_of
from api.paths import EventId, NamedQuery
from api.schemas import events as schemas
from api.schemas.fields import Instant, read_with
from api.schemas.problem import problem
from api.sent_events import read_body
from db.customers import find_customer
from db.event_list import KeptEvent, Sought, find_event, find_events
from db.events import RejectedEvent, ingest
from db.usage_voids import void_event
from domain.metering.incoming import name
from domain.metering.voiding import Void
from domain.reading import written

router = APIRouter(prefix="/events", tags=["events"], route_class=ExactRoute)

Name = Annotated[
    str, read_with(name), WithJsonSchema({**schemas.NAME, "examples": ["llm.completion"]})
]
EventName = Annotated[Name | None, Query(description="Only of this name.")]
From = Annotated[Instant | None, Query(alias="from", description="Timed then or later.")]
To = Annotated[Instant | None, Query(alias="to", description="Timed before.")]
Voids = Annotated[bool, Query(description="With the voids, which are events of their own.")]


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
    voids: Voids = False,
) -> Response:
    """In the order of their times. An event that was voided is still there, and says so."""
    after = place_of(page.after) if page.after else None
    async with opened.database.transaction(caller.environment) as connection:
        of = None if customer is None else (await find_customer(connection, customer)).id
        sought = Sought(of, event_name, since, until, voids)
        found = await find_events(connection, sought, page.fetch, after)
    return answer(page.page(found, _document, _cursor))


@router.post("/{event:any}/void", response_model=schemas.Event, summary="Void a usage event")
async def void(event: EventId, body: schemas.VoidEvent, caller: Writes, opened: Opened) -> Response:
    """Take an event back: from here on it counts for nothing, as if it had never been sent. What was billed with it is
    corrected on the next invoice. To void it again changes nothing, and the first reason stands.
    """
    async with opened.database.transaction(caller.environment) as connection:
        await void_event(connection, caller.environment, event, body.reason)
        return answer(_document(await find_event(connection, event)))


@router.get("/{event:any}", response_model=schemas.Event, summary="Read a usage event")
async def find_one(event: EventId, caller: Reads, opened: Opened) -> Response:
    """An event, or a void, by its id."""
    async with opened.database.transaction(caller.environment) as connection:
        return answer(_document(await find_event(connection, event)))


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
        "voided": _voided(event.void) if event.void else None,
        "voids": event.voids,
        "reason": event.reason,
    }


def _voided(void: Void) -> dict[str, object]:
    return {"id": void.id, "reason": void.reason, "at": written(void.at)}


def _cursor(event: KeptEvent) -> str:
    return cursor_of((event.time, event.seq))
