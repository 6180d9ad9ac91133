"""What rows are shown as: the domain's documents, with the ids they are found by."""

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from api.planned import command_again, to_come
from db.credit_notes import CreditNoteRow, find_credit_notes
from db.credits import GrantRow
from db.customers import find_customer
from db.invoices import InvoiceRow, find_invoice
from db.payments import PaymentRow
from db.subscriptions import SubscriptionRow
from db.timeline import Entry
from domain.add_ons import entitlements_of, item_of
from domain.charges import quantity_of
from domain.decimals import plain
from domain.documents import (
    Document,
    credit_note_document,
    in_unit,
    invoice_document,
    payment_document,
    subscription_document,
)
from domain.features import entitlement_document
from domain.invoices import CreditNote, Invoice
from domain.money import Money, total
from domain.payments import Payment
from domain.reading import written
from domain.subscription import AddOn, Subscription


def invoice(row: InvoiceRow) -> Document:
    return {"id": row.id, **invoice_document(row.invoice, row.customer_key, row.subscription_key)}


def undone_invoice(issued: Invoice, customer: str, subscription: str | None) -> Document:
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
    named = {"id": row.id, "customer": row.customer_key}
    return {**named, **payment_document(made), "provider_id": row.intent or None}


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
        **in_unit(row.balance),
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


def step(entry: Entry, totals: Mapping[str, Money]) -> Document:
    """A step of a subscription's timeline; `totals` are those of the documents it brought, by their numbers."""
    return {
        "at": written(entry.at),
        "what": entry.what,
        "actor": entry.actor,
        "reason": entry.reason,
        "request": command_again(entry.body) if entry.body else None,
        "refused": entry.refused,
        **{kind: list(numbers) for kind, numbers in entry.documents.items()},
        "invoiced": _sum(entry.documents["invoices"], totals),
        "credited": _sum(entry.documents["credit_notes"], totals),
    }


def _sum(numbers: Sequence[str], totals: Mapping[str, Money]) -> Document | None:
    """What documents of one currency come to; null where there are none."""
    if not numbers:
        return None
    amounts = [totals[number] for number in numbers]
    currency = amounts[0].currency
    return {"amount": str(total(amounts, currency)), "currency": currency}


async def subscription(connection: AsyncConnection, row: SubscriptionRow) -> Document:
    customer = await find_customer(connection, row.state.customer)
    payer = await payer_of(connection, row.state)
    shown = state(row.state, customer.key, payer, row.based_on, row.overrides)
    return {**shown, "created_at": written(row.created_at)}


async def payer_of(connection: AsyncConnection, living: Subscription) -> str | None:
    """The key of who pays for a subscription, where that is not its customer."""
    return None if living.payer is None else (await find_customer(connection, living.payer)).key


def _names(brought: Mapping[str, object], kind: str) -> Sequence[str]:
    names = brought.get(kind, ())
    assert isinstance(names, list | tuple)
    return names


def _add_on(living: Subscription, add_on: AddOn) -> Document:
    item = item_of(add_on)
    given = [entitlement_document(each) for each in entitlements_of(add_on)]
    return {
        "key": add_on.key,
        "since": written(add_on.since),
        "charged": item.charged,
        "quantity": plain(quantity_of(living, item)),
        "price": add_on.document["price"],
        **({"entitlements": given} if given else {}),
    }


def state(
    living: Subscription,
    customer: str,
    payer: str | None,
    based_on: int,
    overrides: Mapping[str, object] | None,
) -> Document:
    """All of a subscription but when it was made; `customer` and `payer` are keys, `based_on` and `overrides` are those of its plan's version."""
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
        "based_on_version": based_on,
        "overrides": overrides,
        "currency": living.currency,
        "timezone": living.timezone,
        "payer": payer,
        "pools_usage": living.pools_usage,
        "started_at": written(living.started_at),
        "trial_end": living.trial_end and written(living.trial_end),
        "quantities": {item: plain(quantity) for item, quantity in living.quantities.items()},
        "coupons": coupons,
        "add_ons": [_add_on(living, add_on) for add_on in living.living_add_ons],
        "next_plan": living.next_plan and living.next_plan.key,
        "next_plan_version": living.next_plan and living.next_plan.version,
        "cancels_at_period_end": living.cancels_at_period_end,
        "schedule": to_come(living),
        "awaits_payment": living.awaits_payment,
        "past_due": list(living.past_due),
        "paused_at": living.paused_at and written(living.paused_at),
        "ended_at": living.ended_at and written(living.ended_at),
        "transferred_to": living.transferred_to,
        "transferred_from": living.transferred_from,
        "test_clock": living.test_clock,
    }
