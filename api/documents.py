"""What rows are shown as: the domain's documents, with the ids they are found by."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncConnection

from db.credit_notes import CreditNoteRow, find_credit_notes
from db.credits import GrantRow
from db.customers import find_customer
from db.invoices import InvoiceRow, find_invoice
from db.payments import PaymentRow
from db.subscriptions import SubscriptionRow
from db.timeline import Entry
from domain.codec import from_plain
from domain.commands import Request
from domain.decimals import plain
from domain.documents import (
    Document,
    credit_note_document,
    invoice_document,
    payment_document,
    subscription_document,
)
from domain.invoices import CreditNote, Invoice
from domain.payments import Payment
from domain.plans import PlanRef
from domain.reading import written
from domain.subscription import Subscription


def invoice(row: InvoiceRow) -> Document:
    return {"id": row.id, **invoice_document(row.invoice, row.customer_key, row.subscription_key)}


def undone_invoice(issued: Invoice, customer: str, subscription: str) -> Document:
    """An invoice that would be issued: without an id and a number."""
    return {"id": None, **invoice_document(issued, customer, subscription)}


def undone_note(note: CreditNote, customer: str, subscription: str) -> Document:
    return {"id": None, **credit_note_document(note, customer, subscription)}


def credit_note(row: CreditNoteRow) -> Document:
    shown = credit_note_document(row.note, row.customer_key, row.subscription_key)
    return {"id": row.id, **shown}


def payment(row: PaymentRow) -> Document:
    """An attempt that was written down and not answered yet is `processing`."""
    made = Payment(
        at=row.at,
        kind=row.kind,
        amount=row.amount,
        status="processing" if row.status == "pending" else row.status,
        invoice=row.invoice_number,
        attempt=row.attempt,
        failure_code=row.failure_code,
    )
    return {"id": row.id, "customer": row.customer_key, **payment_document(made)}


def grant(row: GrantRow) -> Document:
    given = row.balance.grant
    return {
        "id": given.id,
        "key": given.key,
        "customer": row.customer_key,
        "kind": given.kind,
        "currency": given.amount.currency,
        "amount": str(given.amount),
        "remaining": str(row.balance.remaining),
        "priority": given.priority,
        "granted_at": written(given.granted_at),
        "effective_at": written(given.effective_at),
        "expires_at": given.expires_at and written(given.expires_at),
        "scope": {"items": list(given.items)} if given.items else None,
        "ended_at": row.ended_at and written(row.ended_at),
    }


async def issued(connection: AsyncConnection, brought: Mapping[str, object]) -> Document:
    """The documents that a request brought, which its answer names by their numbers."""
    invoices = [await find_invoice(connection, number) for number in _names(brought, "invoices")]
    notes = [
        (await find_credit_notes(connection, 1, name=number))[0]
        for number in _names(brought, "credit_notes")
    ]
    return {
        "invoices": [invoice(row) for row in invoices],
        "credit_notes": [credit_note(row) for row in notes],
    }


def step(entry: Entry) -> Document:
    """A step of a subscription's timeline."""
    brought = entry.brought.get("answer")
    named = brought if isinstance(brought, Mapping) else {}
    return {
        "at": written(entry.at),
        "what": entry.what,
        "actor": entry.actor,
        "reason": entry.reason,
        "request": _command(entry.body) if entry.body else None,
        "invoices": list(_names(named, "invoices")),
        "credit_notes": list(_names(named, "credit_notes")),
    }


async def subscription(connection: AsyncConnection, row: SubscriptionRow) -> Document:
    customer = await find_customer(connection, row.state.customer)
    shown = state(row.state, customer.key)
    return {**shown, "created_at": written(row.created_at)}


def _command(body: Mapping[str, object]) -> Document:
    command = from_plain(Request, {"id": "", "command": body}).command
    return {each.name: _shown(getattr(command, each.name)) for each in fields(command)}


def _shown(value: object) -> object:
    match value:
        case Fraction():
            return plain(value)
        case PlanRef():
            return value.key
        case datetime():
            return written(value)
        case _:
            return value


def _names(brought: Mapping[str, object], kind: str) -> Sequence[str]:
    names = brought.get(kind, ())
    assert isinstance(names, list | tuple)
    return names


def state(living: Subscription, customer: str) -> Document:
    """All of a subscription but when it was made."""
    coupons = [
        {
            "coupon": each.coupon.key,
            "redeemed_at": written(each.redeemed_at),
            "uses": each.uses,
        }
        for each in living.coupons
    ]
    return {
        "id": living.id,
        **subscription_document(living, customer),
        "plan_version": living.plan.version,
        "currency": living.currency,
        "timezone": living.timezone,
        "started_at": written(living.started_at),
        "trial_end": living.trial_end and written(living.trial_end),
        "quantities": {item: plain(quantity) for item, quantity in living.quantities.items()},
        "coupons": coupons,
        "next_plan": living.next_plan and living.next_plan.key,
        "cancels_at_period_end": living.cancels_at_period_end,
        "paused_at": living.paused_at and written(living.paused_at),
        "ended_at": living.ended_at and written(living.ended_at),
        "test_clock": living.test_clock,
    }
