"""/v1/invoices/…: what a person makes of an invoice: have it paid now, or settle it by hand."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api import documents
from api.answers import answer
from api.auth import Caller, Writes
from api.bodies import ExactRoute
from api.connections import Connections, Opened
from api.moments import time_to_act
from api.paths import Named
from api.paying import paid
from api.requests import tell
from api.schemas import billing as schemas
from api.schemas.documents import later_as
from db.collections import find_collection, save_collection
from db.customers import find_customer
from db.invoices import InvoiceRow, find_invoice, settle_invoice
from db.ledger import post
from db.locks import lock_customer
from db.outbox import announce
from db.payment_notes import note_payment
from db.payments import UNDER_WAY, latest_attempt
from db.running import mark_unbilled
from domain import ledger
from domain.dunning import Collection, CollectionStatus, closed
from domain.errors import Conflict
from domain.ledger import Transaction
from domain.money import Money

router = APIRouter(prefix="/invoices", tags=["invoices"], route_class=ExactRoute)

By = Literal["paid", "void", "uncollectible"]
TOPIC = {"paid": "invoice.paid", "void": "invoice.voided", "uncollectible": "invoice.uncollectible"}


@router.post("/{invoice:path}/pay", response_model=schemas.Paid, responses=later_as(schemas.Paid), summary="Pay an invoice")  # fmt: skip
async def pay(invoice: Named, caller: Writes, opened: Opened) -> Response:
    """Attempt it at once, with the customer's payment method."""
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_invoice(connection, invoice)
        _require_unpaid(row)
    return await paid(opened, caller, row.invoice.customer, invoice=row.id)


@router.post("/{invoice:path}/void", response_model=schemas.Invoice, summary="Void an invoice")
async def void(invoice: Named, caller: Writes, opened: Opened) -> Response:
    """Take back an invoice on which nothing was paid, by money or by credits. Again does nothing."""
    return await _settle(opened, caller, invoice, "void")


@router.post("/{invoice:path}/mark-paid", response_model=schemas.Invoice, summary="Mark as paid")
async def mark_paid(invoice: Named, caller: Writes, opened: Opened) -> Response:
    """It was paid elsewhere, by bank transfer say: it is collected no more. Again does nothing."""
    return await _settle(opened, caller, invoice, "paid")


@router.post("/{invoice:path}/mark-uncollectible", response_model=schemas.Invoice, summary="Give an invoice up")  # fmt: skip
async def mark_uncollectible(invoice: Named, caller: Writes, opened: Opened) -> Response:
    """Collect it no more by itself; a customer who wants to can still pay. Again does nothing."""
    return await _settle(opened, caller, invoice, "uncollectible")


async def _settle(opened: Connections, caller: Caller, name: str, by: By) -> Response:
    async with opened.database.transaction(caller.environment) as connection:
        customer = (await find_invoice(connection, name)).invoice.customer
        await lock_customer(connection, customer)
        row = await find_invoice(connection, name)
        settled = None
        note = None
        if row.invoice.status != by:
            now = await time_to_act(connection, await find_customer(connection, customer))
            settled = await _settled(connection, caller, row, by, now.at)
            note = await note_payment(
                connection, caller.environment, row.id, _before(row), by, now.on_clock
            )
    if settled is not None:
        await opened.lives.changed(settled)
    if note is not None:
        await tell(opened, caller, note)
    async with opened.database.transaction(caller.environment) as connection:
        return answer(documents.invoice(await find_invoice(connection, row.id)))


async def _settled(
    connection: AsyncConnection, caller: Caller, row: InvoiceRow, by: By, at: datetime
) -> Collection:
    """Write down that an invoice was settled by hand; its collection, for being told. Raises `Conflict` where that
    would go against money that has moved or is on its way.
    """
    _require_unpaid(row)
    if any(line.kind == "top_up" for line in row.invoice.lines):
        raise Conflict(f"{row.invoice.number} is a top-up: its own payment decides on it")
    under_way = await latest_attempt(connection, row.id)
    if under_way is not None and under_way.status in UNDER_WAY:
        raise Conflict(f"a payment of {row.invoice.number} is under way")
    collection = closed(await find_collection(connection, row.id), by)
    await save_collection(connection, collection)
    nothing = Money(0, row.invoice.currency)
    await settle_invoice(connection, row.id, by, nothing, at if by == "paid" else None)
    moved = _postings(row, by, at)
    await post(connection, caller.environment, row.invoice.customer, moved)
    if by == "void":
        await mark_unbilled(connection, row.invoice.subscription)
    told = {"number": row.invoice.number, "customer": row.customer_key, "status": by}
    await announce(connection, caller.environment, TOPIC[by], row.id, at, told)
    return collection


def _before(row: InvoiceRow) -> CollectionStatus:
    """How the collection of an invoice that is unpaid stood."""
    status = row.invoice.status
    assert status != "draft"
    return status


def _postings(row: InvoiceRow, by: By, at: datetime) -> tuple[Transaction, ...]:
    invoice = row.invoice
    match by:
        case "paid":
            name = f"payment:{row.id}:by-hand"
            return ledger.paid(name, invoice.customer, invoice.amount_due, at)
        case "void":
            if invoice.credits:
                raise Conflict(f"credits have paid of {invoice.number}: it cannot be voided")
            return ledger.invoice_voided(invoice, at)
        case "uncollectible":
            return ()


def _require_unpaid(row: InvoiceRow) -> None:
    if row.invoice.status not in ("open", "past_due", "uncollectible"):
        raise Conflict(f"{row.invoice.number} is {row.invoice.status}")
