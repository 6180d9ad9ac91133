"""Writing down what a decision brought: all of it, in the caller's transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.steps import SendRefund, Turn
from activities.taking_back import take_back
from db.billed_usage import save_billed_usage
from db.collections import save_collection
from db.credit_notes import apply_credit_note, issue_credit_note
from db.credits import add_grant, end_grant, find_grant
from db.customers import customers_of
from db.invoices import InvoiceRow, find_invoice, issue_invoice
from db.ledger import post
from db.outbox import announce
from db.payments import open_refund
from db.running import note_step
from db.running_facts import Payer
from db.subscriptions import add_subscription, save_subscription
from db.watching import open_to_alerts
from domain.account import Outcome, Refund
from domain.credits import Grant
from domain.dunning import Collection, begin_collection
from domain.invoices import CreditNote, Invoice
from domain.ledger import Movement, Transaction, credits_of
from domain.money import Money, total
from domain.running import billed_usage
from domain.subscription import Subscription

_LAPSES: Mapping[Movement, str] = {"expire": "credit_grant.expired", "void": "credit_grant.voided"}
_CREDITS = credits_of("")
_TRANSFERRED = "subscription.transferred"


async def record_outcome(
    connection: AsyncConnection,
    outcome: Outcome,
    at: datetime,
    cut_off: int,
    decision: str | None = None,
) -> Turn:
    """Number and write the documents, post to the ledger, note what has been billed of usage up to `cut_off`, and
    save the subscription. `decision` is the id of what the documents were decided on. Returns what is to be set going.
    """
    subscription = outcome.subscription
    environment, customer = subscription.environment, subscription.billed_to
    notes = [
        await _issue_credit_note(connection, environment, note, decision)
        for note in outcome.credit_notes
    ]
    invoices = [
        await issue(connection, environment, invoice, decision, cut_off)
        for invoice in outcome.invoices
    ]
    for grant in outcome.grants:
        await record_grant(connection, environment, grant)
    await post(connection, environment, customer, outcome.transactions)
    await _announce_lapses(connection, environment, outcome.transactions)
    for ended in outcome.ends:
        await end_grant(connection, ended, at)
    await save_billed_usage(connection, environment, subscription.id, outcome.billed, cut_off)
    await save_subscription(connection, subscription)
    closed_to = cut_off if outcome.billed else None
    await note_step(connection, subscription, _usage_billed(outcome), closed_to)
    payer = Payer(customer, subscription.currency)
    await open_to_alerts(connection, environment, payer, subscription.customer)
    for begun in outcome.begins:
        await add_subscription(connection, begun)
        await _announce_transfer(connection, subscription, begun, at)
    owed = [row for row in invoices if row.invoice.amount_due.minor]
    return Turn(
        subscription=subscription,
        collections=tuple([await _collect(connection, subscription, row) for row in owed]),
        refunds=tuple([await _refund(connection, subscription, r, at) for r in outcome.refunds]),
        answer={
            "invoices": [row.invoice.number for row in invoices],
            "credit_notes": notes,
            **({"refused": outcome.refused} if outcome.refused else {}),
        },
        begins=outcome.begins,
        voided=tuple([await take_back(connection, environment, v, at) for v in outcome.voids]),
    )


def _usage_billed(outcome: Outcome) -> Money:
    currency = outcome.subscription.currency
    return total([billed_usage(each.lines, currency) for each in outcome.invoices], currency)


async def issue(
    connection: AsyncConnection,
    environment: str,
    invoice: Invoice,
    decision: str | None,
    cut_off: int | None = None,
) -> InvoiceRow:
    """Write an invoice under the next number; credit notes have paid what it says they paid."""
    for credit in invoice.credits:
        if credit.source == "credit_note":
            await apply_credit_note(connection, credit.id, credit.amount)
    row = await issue_invoice(connection, environment, invoice, cut_off, decision)
    told = {"number": row.invoice.number, "customer": row.customer_key, "status": invoice.status}
    await announce(connection, environment, "invoice.issued", row.id, invoice.issued_at, told)
    if invoice.status == "paid":
        await announce(connection, environment, "invoice.paid", row.id, invoice.issued_at, told)
    return row


async def _announce_lapses(
    connection: AsyncConnection, environment: str, transactions: Sequence[Transaction]
) -> None:
    """Tell of credit that has lapsed, or was taken back."""
    for transaction in transactions:
        if transaction.movement not in _LAPSES:
            continue
        credit = next(each for each in transaction.postings if each.account.startswith(_CREDITS))
        grant = credit.account.removeprefix(_CREDITS)
        key = (await find_grant(connection, grant)).balance.grant.key
        told = {"key": key, "amount": str(credit.amount)}
        topic = _LAPSES[transaction.movement]
        await announce(connection, environment, topic, grant, transaction.at, told)


async def _announce_transfer(
    connection: AsyncConnection, old: Subscription, new: Subscription, at: datetime
) -> None:
    """Tell of the life that ended and of the one that goes on, each with the other."""
    customers = await customers_of(connection, {old.customer, new.customer})
    for of, role, other in ((old, "transferred_to", new), (new, "transferred_from", old)):
        told = {
            "key": of.key,
            "customer": customers[of.customer].key,
            role: {"id": other.id, "key": other.key, "customer": customers[other.customer].key},
        }
        await announce(connection, of.environment, _TRANSFERRED, of.id, at, told)


async def record_grant(connection: AsyncConnection, environment: str, grant: Grant) -> None:
    """Write a grant down; its postings are the caller's."""
    await add_grant(connection, environment, grant)
    told = {"key": grant.key, "kind": grant.kind, "amount": str(grant.amount)}
    await announce(
        connection, environment, "credit_grant.created", grant.id, grant.granted_at, told
    )


async def _issue_credit_note(
    connection: AsyncConnection, environment: str, note: CreditNote, decision: str | None
) -> str:
    number = await issue_credit_note(connection, environment, note, decision)
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
    environment, customer = subscription.environment, subscription.billed_to
    paid = await find_invoice(connection, refund.invoice)
    await open_refund(connection, environment, refund, customer, paid.id, at)
    return SendRefund(environment, refund.name, at, subscription.test_clock)
