"""Recording what the provider says of a payment: on the attempt, the collection, the invoice and in the ledger."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.recording import record_grant
from db.collections import save_collection
from db.invoices import find_invoice, settle_invoice
from db.ledger import post
from db.outbox import announce
from db.payment_notes import note_payment
from db.payments import PaymentRow, answer_payment
from db.top_ups import find_top_up
from domain import ledger
from domain.dunning import Answer, Collection, answered
from domain.errors import Corrupt
from domain.money import Money
from domain.topups import top_up_declined, top_up_paid
from providers.payments.port import PaymentOutcome

TOPIC = {
    "paid": "invoice.paid",
    "past_due": "invoice.past_due",
    "uncollectible": "invoice.uncollectible",
    "void": "invoice.voided",
}


async def record_answer(
    connection: AsyncConnection,
    collection: Collection,
    payment: PaymentRow,
    outcome: PaymentOutcome,
    at: datetime,
) -> Collection:
    """What an answer makes of a collection, written down with all that follows from it. The customer is locked."""
    if outcome.status == "succeeded" and outcome.received != payment.amount:
        raise Corrupt(f"{payment.name} brought {outcome.received}, not {payment.amount}")
    await answer_payment(
        connection,
        payment.name,
        outcome.status,
        outcome.intent,
        outcome.received,
        outcome.failure_code,
        at,
    )
    after = answered(collection, Answer(outcome.status, at, outcome.failure_code))
    await save_collection(connection, after)
    environment = collection.environment
    told = {"invoice": payment.invoice_number, "failure_code": outcome.failure_code}
    topic = f"payment.{outcome.status}"
    await announce(connection, environment, topic, payment.id, at, told)
    if after.status != collection.status:
        await _settle(connection, after, payment, at)
        on_clock = at if after.test_clock else None
        await note_payment(
            connection, environment, after.invoice, collection.status, after.status, on_clock
        )
    elif outcome.status == "succeeded" and after.status == "void":
        raise Corrupt(f"{payment.name} was paid, but its invoice is void: pay it back by hand")
    return after


async def _settle(
    connection: AsyncConnection, collection: Collection, payment: PaymentRow, at: datetime
) -> None:
    """The invoice stands where its collection does."""
    environment, status = collection.environment, collection.status
    paid = status == "paid"
    received = payment.amount if paid else Money(0, payment.amount.currency)
    await settle_invoice(connection, payment.invoice, status, received, at if paid else None)
    told = {"number": payment.invoice_number, "customer": payment.customer_key, "status": status}
    await announce(connection, environment, TOPIC[status], payment.invoice, at, told)
    if paid:
        name = f"payment:{payment.invoice}:{payment.attempt}"
        moved = ledger.paid(name, collection.customer, received, at)
        await post(connection, environment, collection.customer, moved)
    if collection.purpose == "top_up":
        await _end_top_up(connection, collection, payment, at)


async def _end_top_up(
    connection: AsyncConnection, collection: Collection, payment: PaymentRow, at: datetime
) -> None:
    """What was paid for is granted; a decline has made the invoice void."""
    bought = await find_top_up(connection, payment.invoice)
    if bought is None:
        raise Corrupt(f"nobody asked for the top-up of invoice {payment.invoice_number}")
    invoice = (await find_invoice(connection, payment.invoice)).invoice
    if collection.status == "paid":
        ended = top_up_paid(bought.order, invoice, bought.grant, at, bought.bonus)
    else:
        ended = top_up_declined(invoice, at)
    for grant in ended.grants:
        await record_grant(connection, collection.environment, grant)
    await post(connection, collection.environment, collection.customer, ended.transactions)
