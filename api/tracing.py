"""Which grant paid which line: asked of a grant, and of an invoice."""

from collections.abc import Mapping

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api.answers import answer
from api.auth import Reads
from api.bodies import ExactRoute
from api.connections import Opened
from api.pages import Page
from api.paths import Named
from api.schemas import tracing as schemas
from db.credit_notes import find_credit_note
from db.credits import find_grant
from db.invoices import InvoiceRow, find_invoice
from db.tracing import credits_of, grants_of, invoices_of, movements_of
from domain.credits import Grant
from domain.documents import Document, ledger_document
from domain.explaining.credits import lines_paid, paid_by
from domain.invoices import AppliedCredit

router = APIRouter(route_class=ExactRoute)


@router.get("/credit-grants/{grant:path}/movements", tags=["credits"], response_model=schemas.GrantMovementPage, summary="List a grant's movements")  # fmt: skip
async def movements(grant: Named, page: Page, caller: Reads, opened: Opened) -> Response:
    """Every movement of one grant, in the order of posting, with what it left: what it burned, with the invoice and its
    lines; which grant it went over into.
    """
    async with opened.database.transaction(caller.environment, "REPEATABLE READ") as connection:
        of = (await find_grant(connection, grant)).balance.grant
        found = await movements_of(connection, of.id, page.fetch, page.after_number)
        invoices = await invoices_of(connection, found)
        shown = {
            each.seq: {
                **ledger_document(each.at, each.movement, of.key, each.amount),
                "remaining": str(each.remaining),
                "other_grant": each.other,
                **await _paid(connection, invoices.get(each.invoice or ""), of.id),
            }
            for each in found
        }
    return answer(page.page(found, lambda each: shown[each.seq], lambda each: str(each.seq)))


@router.get("/invoices/{invoice:path}/credits", tags=["invoices"], response_model=schemas.AppliedCredits, summary="List what paid an invoice by credit")  # fmt: skip
async def credits(invoice: Named, caller: Reads, opened: Opened) -> Response:
    """Every grant and credit note that paid of it, in the order in which they did, with the lines."""
    async with opened.database.transaction(caller.environment, "REPEATABLE READ") as connection:
        row = await find_invoice(connection, invoice)
        grants = await grants_of(connection, row.invoice)
        data = [
            {
                **await _named(connection, paid.credit, grants),
                "amount": str(paid.credit.amount),
                "lines": lines_paid(row.invoice.lines, paid),
            }
            for paid in paid_by(row.invoice, grants)
        ]
    shown = {"invoice": row.invoice.number, "currency": row.invoice.currency}
    return answer({**shown, "data": data})


async def _named(
    connection: AsyncConnection, credit: AppliedCredit, grants: Mapping[str, Grant]
) -> Document:
    """What it was that paid: a grant, or a credit note by its number."""
    if credit.source != "credit_note":
        key = grants[credit.id].key
        return {"source": credit.source, "grant": credit.id, "key": key, "credit_note": None}
    number = (await find_credit_note(connection, credit.id)).note.number
    return {"source": credit.source, "grant": None, "key": None, "credit_note": number}


async def _paid(connection: AsyncConnection, row: InvoiceRow | None, grant: str) -> Document:
    """What a grant paid of an invoice; of none, nothing."""
    if row is None:
        return {"invoice": None, "lines": []}
    found = await credits_of(connection, row.invoice)
    lines = [lines_paid(row.invoice.lines, paid) for paid in found if paid.credit.id == grant]
    return {"invoice": row.invoice.number, "lines": lines[0] if lines else []}
