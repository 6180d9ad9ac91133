"""/v1/invoices/{invoice}/…: why a line says what it says, of which events, and whether a document still agrees."""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path
from fastapi.responses import Response

from api.answers import answer
from api.auth import Reads
from api.bodies import ExactRoute
from api.connections import Opened
from api.pages import Page, cursor_of, place_of
from api.paths import Named
from api.schemas import explaining as schemas
from db.credit_notes import find_credit_note
from db.explaining import events_behind, evidence_of
from db.invoices import find_invoice
from db.line_events import LineEvent, page_of_events
from db.verifying import verify_credit_note, verify_invoice
from domain.decimals import plain
from domain.explaining.line import explain
from domain.reading import written
from domain.verifying import WITHOUT_DECISION, Difference

router = APIRouter(route_class=ExactRoute)

Number = Annotated[int, Path(ge=1, le=1_000_000, description="The line's, from 1.", examples=[1])]


@router.get("/invoices/{invoice:path}/lines/{line}/explain", tags=["invoices"], response_model=schemas.Explanation, summary="Explain a line")  # fmt: skip
async def explained(invoice: Named, line: Number, caller: Reads, opened: Opened) -> Response:
    """How it was computed: the decision that issued it is taken again, from the events that it knew."""
    async with opened.database.transaction(caller.environment, "REPEATABLE READ") as connection:
        row = await find_invoice(connection, invoice)
        evidence = await evidence_of(connection, row, line)
    return answer(explain(evidence, f"/v1/invoices/{quote(invoice)}/lines/{line}/events"))


@router.get("/invoices/{invoice:path}/lines/{line}/events", tags=["invoices"], response_model=schemas.LineEventPage, summary="List a line's events")  # fmt: skip
async def events(
    invoice: Named, line: Number, page: Page, caller: Reads, opened: Opened
) -> Response:
    """Exactly those that a line for usage was computed from, in the order in which they count. A page can be shorter
    than asked for; the last one has no `next`.
    """
    after = place_of(page.after) if page.after else None
    async with opened.database.transaction(caller.environment, "REPEATABLE READ") as connection:
        of = await events_behind(connection, await find_invoice(connection, invoice), line)
        found = await page_of_events(connection, of, page.limit, after)
    data = [_event(event) for event in found.events]
    return answer({"data": data, "next": None if found.next is None else cursor_of(found.next)})


@router.get("/invoices/{invoice:path}/verify", tags=["invoices"], response_model=schemas.Verdict, summary="Verify an invoice")  # fmt: skip
async def verified(invoice: Named, caller: Reads, opened: Opened) -> Response:
    """Recompute it from events alone, and compare all that never changes of it byte by byte."""
    async with opened.database.transaction(caller.environment, "REPEATABLE READ") as connection:
        row = await find_invoice(connection, invoice)
        return answer(_verdict(row.invoice.number, await verify_invoice(connection, row)))


@router.get("/credit-notes/{credit_note:path}/verify", tags=["credit notes"], response_model=schemas.Verdict, summary="Verify a credit note")  # fmt: skip
async def verified_note(credit_note: Named, caller: Reads, opened: Opened) -> Response:
    """Recompute it from events alone, and compare all that never changes of it byte by byte."""
    async with opened.database.transaction(caller.environment, "REPEATABLE READ") as connection:
        row = await find_credit_note(connection, credit_note)
        return answer(_verdict(row.note.number, await verify_credit_note(connection, row)))


def _verdict(number: str | None, found: Sequence[Difference] | None) -> dict[str, object]:
    if found is None:
        return {
            "number": number,
            "verdict": "cannot be verified",
            "reason": WITHOUT_DECISION,
            "differences": [],
        }
    return {
        "number": number,
        "verdict": "differs" if found else "agrees",
        "reason": None,
        "differences": [
            {"path": each.path, "issued": each.issued, "recomputed": each.recomputed}
            for each in found
        ],
    }


def _event(event: LineEvent) -> dict[str, object]:
    value = event.measure.value
    return {
        "id": event.id,
        "event_name": event.event_name,
        "customer": event.customer,
        "subscription": event.subscription,
        "time": written(event.time),
        "properties": event.properties,
        "received_at": written(event.received_at),
        "quantity": value if isinstance(value, str) else plain(value),
        "group": dict(event.measure.group),
    }
