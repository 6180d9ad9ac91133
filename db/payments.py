"""Attempts to take money and refunds: written before the provider is asked, answered when it has."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.ids import new_id
from domain.account import Refund
from domain.errors import NotFound
from domain.money import Money

Kind = Literal["payment", "refund"]
Status = Literal["pending", "processing", "requires_action", "succeeded", "failed"]
UNDER_WAY: tuple[Status, ...] = ("pending", "processing", "requires_action")


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """`name` is the provider's idempotency key; `invoice` an id. `intent` is the provider's id, once it has one.
    `at` is when it fell due.
    """

    id: str
    name: str
    kind: Kind
    customer: str
    customer_key: str
    invoice: str
    invoice_number: str
    attempt: int | None
    amount: Money
    received: Money
    status: Status
    failure_code: str | None
    intent: str | None
    at: datetime
    answered_at: datetime | None
    seq: int


_SELECT = """
    SELECT p.*, c.key AS customer_key, i.number FROM payments p
    JOIN customers c ON c.id = p.customer_id JOIN invoices i ON i.id = p.invoice_id
"""
_OPEN = text("""
    INSERT INTO payments (id, environment_id, name, kind, customer_id, invoice_id, attempt, currency,
        amount_minor, credit_note, at)
    VALUES (:id, :environment, :name, :kind, :customer, :invoice, :attempt, :currency,
        :amount, :credit_note, :at)
    ON CONFLICT (environment_id, name) DO NOTHING RETURNING id
""")
# An invoice that was issued again, after its database was restored from a backup, has another id: only its name is its
# own for ever. The provider's keys are short, and events name themselves.
_NAME = text("""
    SELECT coalesce(p.name, 'collect:' || CASE WHEN length(i.name) > 200 THEN
        encode(sha256(convert_to(i.name, 'UTF8')), 'hex') ELSE i.name END || ':' || CAST(:attempt AS text))
    FROM invoices i LEFT JOIN payments p ON p.environment_id = i.environment_id AND p.invoice_id = i.id
        AND p.kind = 'payment' AND p.attempt = CAST(:attempt AS integer)
    WHERE i.id = :invoice
""")
_ANSWER = text("""
    UPDATE payments SET status = :status, failure_code = :failure_code, intent = :intent,
        received_minor = :received, answered_at = :at
    WHERE name = :name AND status NOT IN ('succeeded', 'failed')
""")
_FIND = text(f"{_SELECT} WHERE p.name = :name OR p.id = :name")
_LATEST = text(f"""
    {_SELECT} WHERE p.invoice_id = :invoice AND p.kind = 'payment' ORDER BY p.attempt DESC LIMIT 1
""")
_SUCCEEDED = text(f"""
    {_SELECT} WHERE p.invoice_id = :invoice AND p.kind = 'payment' AND p.status = 'succeeded'
""")
_AT_PROVIDER = text(f"""
    {_SELECT} WHERE p.intent = :intent OR p.name = :name ORDER BY p.kind LIMIT 1
""")
_LIST = text(f"""
    {_SELECT} WHERE p.seq > :after
        AND (CAST(:customer AS text) IS NULL OR p.customer_id = :customer)
        AND (CAST(:invoice AS text) IS NULL OR p.invoice_id = :invoice)
    ORDER BY p.seq LIMIT :limit
""")


async def open_attempt(
    connection: AsyncConnection,
    environment: str,
    customer: str,
    invoice: str,
    attempt: int,
    amount: Money,
    at: datetime,
) -> tuple[PaymentRow, bool]:
    """Write down that an attempt is about to be made, as `collect:{invoice}:{attempt}` by the invoice's name. A repeat
    finds the attempt as it stands, and False: it may have been made before.
    """
    asked = {"invoice": invoice, "attempt": attempt}
    name: str = (await connection.execute(_NAME, asked)).scalar_one()
    row = {"environment": environment, "name": name, "customer": customer, "invoice": invoice}
    money = {"currency": amount.currency, "amount": amount.minor}
    rest = {"id": new_id("pay"), "kind": "payment", "attempt": attempt, "credit_note": None}
    opened = await connection.execute(_OPEN, {**row, **money, **rest, "at": at})
    is_new = opened.one_or_none() is not None
    return await find_payment(connection, name), is_new


async def open_refund(
    connection: AsyncConnection,
    environment: str,
    refund: Refund,
    customer: str,
    invoice: str,
    at: datetime,
) -> None:
    """Write down that money is to go back; `invoice` is the id of the one it was paid for."""
    row = {
        "environment": environment,
        "name": refund.name,
        "customer": customer,
        "invoice": invoice,
    }
    money = {"currency": refund.amount.currency, "amount": refund.amount.minor}
    rest = {"id": new_id("pay"), "kind": "refund", "attempt": None}
    of = {"credit_note": refund.credit_note, "at": at}
    await connection.execute(_OPEN, {**row, **money, **rest, **of})


async def answer_payment(
    connection: AsyncConnection,
    name: str,
    status: Status,
    intent: str | None,
    received: Money,
    failure_code: str | None,
    at: datetime,
) -> None:
    """Write down what the provider says of it. What has succeeded or failed stays so."""
    row = {"name": name, "status": status, "intent": intent or None, "failure_code": failure_code}
    await connection.execute(_ANSWER, {**row, "received": received.minor, "at": at})


async def find_payment(connection: AsyncConnection, name: str) -> PaymentRow:
    """By name or id. Raises `NotFound`."""
    row = (await connection.execute(_FIND, {"name": name})).one_or_none()
    if row is None:
        raise NotFound(f"there is no payment {name}")
    return _read(row)


async def latest_attempt(connection: AsyncConnection, invoice: str) -> PaymentRow | None:
    row = (await connection.execute(_LATEST, {"invoice": invoice})).one_or_none()
    return _read(row) if row else None


async def successful_payment(connection: AsyncConnection, invoice: str) -> PaymentRow | None:
    row = (await connection.execute(_SUCCEEDED, {"invoice": invoice})).one_or_none()
    return _read(row) if row else None


async def payment_at_provider(
    connection: AsyncConnection, intent: str | None, name: str | None
) -> PaymentRow | None:
    """By the provider's id of it, or by the name that the provider knows it under."""
    row = (await connection.execute(_AT_PROVIDER, {"intent": intent, "name": name})).one_or_none()
    return _read(row) if row else None


async def find_payments(
    connection: AsyncConnection,
    limit: int,
    after: int = 0,
    customer: str | None = None,
    invoice: str | None = None,
) -> Sequence[PaymentRow]:
    """In order, from the first whose `seq` is greater than `after`; customer and invoice are ids."""
    asked = {"after": after, "limit": limit, "customer": customer, "invoice": invoice}
    return [_read(row) for row in await connection.execute(_LIST, asked)]


def _read(row: Row[Any]) -> PaymentRow:
    return PaymentRow(
        id=row.id,
        name=row.name,
        kind=row.kind,
        customer=row.customer_id,
        customer_key=row.customer_key,
        invoice=row.invoice_id,
        invoice_number=row.number,
        attempt=row.attempt,
        amount=Money(row.amount_minor, row.currency),
        received=Money(row.received_minor, row.currency),
        status=row.status,
        failure_code=row.failure_code,
        intent=row.intent,
        at=row.at,
        answered_at=row.answered_at,
        seq=row.seq,
    )
