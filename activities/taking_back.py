"""Taking back an invoice for which nothing was delivered, with all that was paid of it by credits."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from db.collections import find_collection, save_collection
from db.credit_notes import apply_credit_note
from db.credits import find_grant
from db.invoices import InvoiceRow, find_invoice, settle_invoice
from db.ledger import post
from db.outbox import announce
from db.payments import latest_attempt
from db.running import mark_unbilled
from domain import ledger
from domain.dunning import closed
from domain.errors import Conflict, Unavailable
from domain.invoices import Invoice
from domain.money import Money


async def take_back(connection: AsyncConnection, environment: str, name: str, at: datetime) -> str:
    """Void an invoice, by its name; its id, for its collection to be told: that gives up a payment that still waits for
    the customer. The customer is locked. Raises `Conflict` where it was paid meanwhile, and `Unavailable` while the
    provider is being asked for its payment.
    """
    row = await find_invoice(connection, name)
    if row.invoice.status == "paid":
        raise Conflict(f"{row.invoice.number} was paid meanwhile")
    if row.invoice.status != "void":
        attempt = await latest_attempt(connection, row.id)
        if attempt is not None and attempt.status == "pending":
            raise Unavailable(f"a payment of {row.invoice.number} is under way")
        await _void(connection, environment, row, at)
    return row.id


async def _void(
    connection: AsyncConnection, environment: str, row: InvoiceRow, at: datetime
) -> None:
    invoice = row.invoice
    await save_collection(connection, closed(await find_collection(connection, row.id), "void"))
    await settle_invoice(connection, row.id, "void", Money(0, invoice.currency), None)
    lapsed = await _lapsed(connection, invoice, at)
    moved = ledger.invoice_taken_back(invoice, at, lapsed)
    await post(connection, environment, invoice.customer, moved)
    for credit in invoice.credits:
        if credit.source == "credit_note":
            await apply_credit_note(connection, credit.id, -credit.amount)
    await mark_unbilled(connection, invoice.subscription)
    told = {"number": invoice.number, "customer": row.customer_key, "status": "void"}
    await announce(connection, environment, "invoice.voided", row.id, at, told)


async def _lapsed(connection: AsyncConnection, invoice: Invoice, at: datetime) -> frozenset[str]:
    """The grants that have paid of it and have ended meanwhile."""
    grants = [
        await find_grant(connection, credit.id)
        for credit in invoice.credits
        if credit.source != "credit_note"
    ]
    ended = (row for row in grants if row.ended_at or row.balance.grant.has_expired(at))
    return frozenset(row.balance.grant.id for row in ended)
