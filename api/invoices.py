"""/v1/invoices, /v1/credit-notes, /v1/payments: what was issued, and how it was paid."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api import documents
from api.answers import answer
from api.auth import Reads
from api.bodies import ExactRoute
from api.connections import Opened
from api.pages import Page
from api.paths import Named, NamedQuery
from api.schemas import billing as schemas
from db.credit_notes import find_credit_note, find_credit_notes
from db.customers import find_customer
from db.invoices import find_invoice, find_invoices
from db.payments import find_payments
from db.subscriptions import find_subscription
from domain.invoices import InvoiceStatus

router = APIRouter(route_class=ExactRoute)

Status = Annotated[
    InvoiceStatus | None, Query(description="Only those with this status.", examples=["past_due"])
]


@router.get(
    "/invoices", tags=["invoices"], response_model=schemas.InvoicePage, summary="List invoices"
)
async def invoices(
    page: Page,
    caller: Reads,
    opened: Opened,
    customer: NamedQuery = None,
    subscription: NamedQuery = None,
    status: Status = None,
) -> Response:
    """In the order of issue."""
    async with opened.database.transaction(caller.environment) as connection:
        found = await find_invoices(
            connection,
            page.fetch,
            page.after_number,
            await _customer(connection, customer),
            await _subscription(connection, subscription),
            status,
        )
    return answer(page.page(found, documents.invoice, lambda row: str(row.seq)))


@router.get(
    "/invoices/{invoice:path}",
    tags=["invoices"],
    response_model=schemas.Invoice,
    summary="Read an invoice",
)
async def invoice(invoice: Named, caller: Reads, opened: Opened) -> Response:
    """By number or id."""
    async with opened.database.transaction(caller.environment) as connection:
        return answer(documents.invoice(await find_invoice(connection, invoice)))


@router.get(
    "/credit-notes",
    tags=["credit notes"],
    response_model=schemas.CreditNotePage,
    summary="List credit notes",
)
async def credit_notes(
    page: Page, caller: Reads, opened: Opened, customer: NamedQuery = None
) -> Response:
    """In the order of issue."""
    async with opened.database.transaction(caller.environment) as connection:
        of = await _customer(connection, customer)
        found = await find_credit_notes(connection, page.fetch, page.after_number, of)
    return answer(page.page(found, documents.credit_note, lambda row: str(row.seq)))


@router.get(
    "/credit-notes/{credit_note:path}",
    tags=["credit notes"],
    response_model=schemas.CreditNote,
    summary="Read a credit note",
)
async def credit_note(credit_note: Named, caller: Reads, opened: Opened) -> Response:
    """By number or id."""
    async with opened.database.transaction(caller.environment) as connection:
        return answer(documents.credit_note(await find_credit_note(connection, credit_note)))


@router.get(
    "/payments", tags=["payments"], response_model=schemas.PaymentPage, summary="List payments"
)
async def payments(
    page: Page,
    caller: Reads,
    opened: Opened,
    customer: NamedQuery = None,
    invoice: NamedQuery = None,
) -> Response:
    """Attempts and refunds, in the order in which they were made."""
    async with opened.database.transaction(caller.environment) as connection:
        of = await _customer(connection, customer)
        for_invoice = None if invoice is None else (await find_invoice(connection, invoice)).id
        found = await find_payments(connection, page.fetch, page.after_number, of, for_invoice)
    return answer(page.page(found, documents.payment, lambda row: str(row.seq)))


async def _customer(connection: AsyncConnection, name: str | None) -> str | None:
    return None if name is None else (await find_customer(connection, name)).id


async def _subscription(connection: AsyncConnection, name: str | None) -> str | None:
    return None if name is None else (await find_subscription(connection, name)).state.id
