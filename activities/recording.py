"""Writing down what a decision brought: all of it, in the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.steps import SendRefund, Turn
from db.billed_usage import save_billed_usage
from db.collections import save_collection
from db.credit_notes import apply_credit_note, issue_credit_note
from db.credits import add_grant
from db.invoices import InvoiceRow, find_invoice, issue_invoice
from db.ledger import post
from db.outbox import announce
from db.payments import open_refund
from db.subscriptions import save_subscription
from domain.account import BilledUsage, Outcome, Refund
from domain.credits import Grant
from domain.dunning import Collection, begin_collection
from domain.invoices import CreditNote, Invoice
from domain.subscription import Subscription


async def record_outcome(
    connection: AsyncConnection,
    outcome: Outcome,
    at: datetime,
    cut_off: int,
    looked_at: Sequence[BilledUsage] = (),
) -> Turn:
    """Number and write the documents, post to the ledger, note what has been billed of usage up to `cut_off`, and
    save the subscription. `looked_at` are windows that late usage may have reached: those in which nothing new was
    found are noted too. Returns what is to be set going.
    """
    subscription = outcome.subscription
    environment, customer = subscription.environment, subscription.customer
    notes = [
        await _issue_credit_note(connection, environment, note) for note in outcome.credit_notes
    ]
    invoices = [
        await issue(connection, environment, invoice, cut_off) for invoice in outcome.invoices
    ]
    for grant in outcome.grants:
        await record_grant(connection, environment, grant, subscription.id)
    await post(connection, environment, customer, outcome.transactions)
    billed = {(each.item, each.window): each for each in (*looked_at, *outcome.billed)}
    await save_billed_usage(
        connection, environment, subscription.id, tuple(billed.values()), cut_off
    )
    await save_subscription(connection, subscription)
    owed = [row for row in invoices if row.invoice.amount_due.minor]
    return Turn(
        subscription=subscription,
        collections=tuple([await _collect(connection, subscription, row) for row in owed]),
        refunds=tuple([await _refund(connection, subscription, r, at) for r in outcome.refunds]),
        answer={"invoices": [row.invoice.number for row in invoices], "credit_notes": notes},
    )


async def issue(
    connection: AsyncConnection, environment: str, invoice: Invoice, cut_off: int | None = None
) -> InvoiceRow:
    """Write an invoice under the next number; credit notes have paid what it says they paid."""
    for credit in invoice.credits:
        if credit.source == "credit_note":
            await apply_credit_note(connection, credit.id, credit.amount)
    row = await issue_invoice(connection, environment, invoice, cut_off)
    told = {"number": row.invoice.number, "customer": row.customer_key, "status": invoice.status}
    await announce(connection, environment, "invoice.issued", row.id, invoice.issued_at, told)
    if invoice.status == "paid":
        await announce(connection, environment, "invoice.paid", row.id, invoice.issued_at, told)
    return row


async def record_grant(
    connection: AsyncConnection, environment: str, grant: Grant, subscription: str | None = None
) -> None:
    """Write a grant down; its postings are the caller's."""
    await add_grant(connection, environment, grant, subscription)
    told = {"key": grant.key, "kind": grant.kind, "amount": str(grant.amount)}
    await announce(
        connection, environment, "credit_grant.created", grant.id, grant.granted_at, told
    )


async def _issue_credit_note(
    connection: AsyncConnection, environment: str, note: CreditNote
) -> str:
    number = await issue_credit_note(connection, environment, note)
    told = {"number": number, "reason": note.reason, "total": str(note.total)}
    await announce(connection, environment, "credit_note.issued", number, note.issued_at, told)
    return number


async def _collect(
    connection: AsyncConnection, subscription: Subscription, row: InvoiceRow
) -> Collection:
    collection = begin_collection(
        row.invoice, row.id, subscription.environment, subscription.test_clock
    )
    await save_collection(connection, collection)
    return collection


async def _refund(
    connection: AsyncConnection, subscription: Subscription, refund: Refund, at: datetime
) -> SendRefund:
    environment, customer = subscription.environment, subscription.customer
    paid = await find_invoice(connection, refund.invoice)
    await open_refund(connection, environment, refund, customer, paid.id, at)
    return SendRefund(environment, refund.name, at, subscription.test_clock)
