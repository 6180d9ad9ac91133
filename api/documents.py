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
from domain.payments import Payment
from domain.plans import PlanRef
from domain.reading import written
from domain.subscription import Subscription


def invoice(row: InvoiceRow) -> Document:
    return {"id": row.id, **invoice_document(row.invoice, row.customer_key, row.subscription_key)}


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
    shown = _subscription(row.state, customer.key)
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


def _subscription(state: Subscription, customer: str) -> Document:
    coupons = [
        {
            "coupon": each.coupon.key,
            "redeemed_at": written(each.redeemed_at),
            "uses": each.uses,
        }
        for each in state.coupons
    ]
    return {
        "id": state.id,
        **subscription_document(state, customer),
        "plan_version": state.plan.version,
        "currency": state.currency,
        "timezone": state.timezone,
        "started_at": written(state.started_at),
        "trial_end": state.trial_end and written(state.trial_end),
        "quantities": {item: plain(quantity) for item, quantity in state.quantities.items()},
        "coupons": coupons,
        "next_plan": state.next_plan and state.next_plan.key,
        "cancels_at_period_end": state.cancels_at_period_end,
        "paused_at": state.paused_at and written(state.paused_at),
        "ended_at": state.ended_at and written(state.ended_at),
        "test_clock": state.test_clock,
    }
