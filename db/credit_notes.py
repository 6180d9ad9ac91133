"""Credit notes: documents like invoices, and the balance that pays later ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.ids import new_id
from db.numbers import next_number
from db.session import write_json
from domain.account import CreditNoteBalance
from domain.codec import from_plain, to_plain
from domain.errors import NotFound
from domain.invoices import CreditNote, Line
from domain.money import Money


@dataclass(frozen=True, slots=True)
class CreditNoteRow:
    """A credit note under its id, with the names its customer and subscription are known by; `decision` is the id of
    what it was decided on.
    """

    id: str
    note: CreditNote
    customer_key: str
    subscription_key: str | None
    seq: int
    decision: str | None = None


_ADD = text("""
    INSERT INTO credit_notes (id, environment_id, name, number, customer_id, subscription_id, currency,
        issued_at, reason, lines, subtotal_minor, tax_minor, total_minor, refunded_minor, remaining_minor,
        decision_id)
    VALUES (:id, :environment, :name, :number, :customer, :subscription, :currency,
        :issued_at, :reason, CAST(:lines AS jsonb), :subtotal, :tax, :total, :refunded, :remaining,
        :decision)
""")
_APPLY = text("""
    UPDATE credit_notes SET remaining_minor = remaining_minor - :amount WHERE name = :name
""")
_LEFT = text("""
    SELECT name, currency, issued_at, remaining_minor FROM credit_notes
    WHERE customer_id = :customer AND currency = :currency AND remaining_minor > 0 ORDER BY seq
""")
_LIST = text("""
    SELECT n.*, c.key AS customer_key, s.key AS subscription_key FROM credit_notes n
    JOIN customers c ON c.id = n.customer_id LEFT JOIN subscriptions s ON s.id = n.subscription_id
    WHERE n.seq > :after
        AND (CAST(:customer AS text) IS NULL OR n.customer_id = :customer)
        AND (CAST(:name AS text) IS NULL OR :name IN (n.id, n.number, n.name))
    ORDER BY n.seq LIMIT :limit
""")


async def issue_credit_note(
    connection: AsyncConnection, environment: str, note: CreditNote, decision: str | None = None
) -> str:
    """Give a credit note its number, write it, and return the number."""
    number = await next_number(connection, environment, "CN")
    row = {
        "id": new_id("cn"),
        "environment": environment,
        "name": note.name,
        "number": number,
        "customer": note.customer,
        "subscription": note.subscription,
        "currency": note.currency,
        "issued_at": note.issued_at,
        "reason": note.reason,
        "lines": write_json(to_plain(note.lines)),
        "subtotal": note.subtotal.minor,
        "tax": note.tax.minor,
        "total": note.total.minor,
        "refunded": note.refunded.minor,
        "remaining": note.remaining.minor,
        "decision": decision,
    }
    await connection.execute(_ADD, row)
    return number


async def apply_credit_note(connection: AsyncConnection, name: str, amount: Money) -> None:
    """It has paid so much of an invoice. Its remaining balance is never below zero."""
    await connection.execute(_APPLY, {"name": name, "amount": amount.minor})


async def credit_notes_left(
    connection: AsyncConnection, customer: str, currency: str
) -> tuple[CreditNoteBalance, ...]:
    """The customer's in a currency with anything left, oldest first."""
    rows = await connection.execute(_LEFT, {"customer": customer, "currency": currency})
    return tuple(
        CreditNoteBalance(
            row.name, row.currency, row.issued_at, Money(row.remaining_minor, currency)
        )
        for row in rows
    )


async def find_credit_notes(
    connection: AsyncConnection,
    limit: int,
    after: int = 0,
    customer: str | None = None,
    name: str | None = None,
) -> Sequence[CreditNoteRow]:
    """In order of issue; `customer` is an id, `name` an id, a number or a business name."""
    asked = {"after": after, "limit": limit, "customer": customer, "name": name}
    return [_read(row) for row in await connection.execute(_LIST, asked)]


async def find_credit_note(connection: AsyncConnection, name: str) -> CreditNoteRow:
    """By id, number or business name. Raises `NotFound`."""
    found = await find_credit_notes(connection, 1, name=name)
    if not found:
        raise NotFound(f"there is no credit note {name}")
    return found[0]


def _read(row: Row[Any]) -> CreditNoteRow:
    money = {
        name: Money(getattr(row, f"{name}_minor"), row.currency)
        for name in ("subtotal", "tax", "total", "refunded", "remaining")
    }
    note = CreditNote(
        name=row.name,
        subscription=row.subscription_id,
        customer=row.customer_id,
        currency=row.currency,
        issued_at=row.issued_at,
        reason=row.reason,
        lines=from_plain(tuple[Line, ...], row.lines),
        **money,
        number=row.number,
    )
    return CreditNoteRow(
        row.id, note, row.customer_key, row.subscription_key, row.seq, row.decision_id
    )
