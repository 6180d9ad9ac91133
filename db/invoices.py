"""Invoices: numbered when they are written, and then left as they are but for what became of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.ids import new_id
from db.invoice_lines import add_lines, lines_of
from db.numbers import next_number
from db.session import write_json
from domain.codec import from_plain, to_plain
from domain.errors import NotFound
from domain.invoices import AppliedCredit, AppliedDiscount, AppliedTax, Invoice, InvoiceStatus
from domain.money import Money


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    """An invoice under its id, with the names its customer and subscription are known by. `cut_off` is the horizon
    of the usage log up to which it bills, `decision` the id of what it was decided on.
    """

    id: str
    invoice: Invoice
    customer_key: str
    subscription_key: str | None
    cut_off: int | None
    paid_at: datetime | None
    seq: int
    decision: str | None = None


_MONEY = ("subtotal", "discount", "promotional", "tax", "total", "prepaid", "amount_due")
_MINOR = ", ".join(f"i.{name}_minor" for name in _MONEY)
_COLUMNS = f"""
    i.id, i.name, i.number, i.customer_id, i.subscription_id, i.currency, i.issued_at, i.due_at, i.status,
    {_MINOR}, i.credit_notes_minor, i.amount_paid_minor, i.taxes, i.discounts, i.credits,
    i.cut_off::text AS cut_off, i.paid_at, i.seq, i.decision_id, c.key AS customer_key, s.key AS subscription_key
"""
_FROM = """
    FROM invoices i
    JOIN customers c ON c.environment_id = i.environment_id AND c.id = i.customer_id
    LEFT JOIN subscriptions s ON s.environment_id = i.environment_id AND s.id = i.subscription_id
"""
_ADD = text("""
    INSERT INTO invoices (id, environment_id, name, number, customer_id, subscription_id, currency,
        issued_at, due_at, status, subtotal_minor, discount_minor, promotional_minor, tax_minor,
        total_minor, credit_notes_minor, prepaid_minor, amount_due_minor, taxes, discounts, credits,
        cut_off, paid_at, decision_id)
    VALUES (:id, :environment, :name, :number, :customer, :subscription, :currency,
        :issued_at, :due_at, :status, :subtotal, :discount, :promotional, :tax,
        :total, :credit_notes, :prepaid, :amount_due, CAST(:taxes AS jsonb), CAST(:discounts AS jsonb),
        CAST(:credits AS jsonb), CAST(CAST(:cut_off AS text) AS xid8), :paid_at, :decision)
""")
_SETTLE = text("""
    UPDATE invoices SET status = :status, amount_paid_minor = :amount_paid, paid_at = :paid_at
    WHERE id = :id
""")
_FIND = text(f"""
    SELECT {_COLUMNS} {_FROM} WHERE i.number = :name OR i.id = :name OR i.name = :name LIMIT 1
""")
_LIST = text(f"""
    SELECT {_COLUMNS} {_FROM}
    WHERE i.seq > :after
        AND (CAST(:customer AS text) IS NULL OR i.customer_id = :customer)
        AND (CAST(:subscription AS text) IS NULL OR i.subscription_id = :subscription)
        AND (CAST(:status AS text) IS NULL OR i.status = :status)
    ORDER BY i.seq LIMIT :limit
""")


async def issue_invoice(
    connection: AsyncConnection,
    environment: str,
    invoice: Invoice,
    cut_off: int | None,
    decision: str | None = None,
) -> InvoiceRow:
    """Give an invoice its number and write it. The next one waits until this transaction ends: no number is lost."""
    number = await next_number(connection, environment, "INV")
    invoice_id = new_id("inv")
    row = _columns(invoice, cut_off)
    await connection.execute(
        _ADD,
        {
            **row,
            "id": invoice_id,
            "environment": environment,
            "number": number,
            "decision": decision,
        },
    )
    await add_lines(connection, environment, invoice_id, invoice.lines)
    return await find_invoice(connection, invoice_id)


async def settle_invoice(
    connection: AsyncConnection,
    invoice_id: str,
    status: InvoiceStatus,
    amount_paid: Money,
    paid_at: datetime | None,
) -> None:
    """Say what has become of an invoice; nothing else of it ever changes."""
    row = {"id": invoice_id, "status": status, "amount_paid": amount_paid.minor, "paid_at": paid_at}
    await connection.execute(_SETTLE, row)


async def find_invoice(connection: AsyncConnection, name: str) -> InvoiceRow:
    """By number, id or business name. Raises `NotFound`."""
    row = (await connection.execute(_FIND, {"name": name})).one_or_none()
    if row is None:
        raise NotFound(f"there is no invoice {name}")
    return (await _read(connection, (row,)))[0]


async def find_invoices(
    connection: AsyncConnection,
    limit: int,
    after: int = 0,
    customer: str | None = None,
    subscription: str | None = None,
    status: str | None = None,
) -> Sequence[InvoiceRow]:
    """In order of issue, from the first whose `seq` is greater than `after`; customer and subscription are ids."""
    asked = {"after": after, "limit": limit, "status": status}
    of = {"customer": customer, "subscription": subscription}
    rows = (await connection.execute(_LIST, {**asked, **of})).all()
    return await _read(connection, rows)


def _columns(invoice: Invoice, cut_off: int | None) -> dict[str, Any]:
    return {
        "name": invoice.name,
        "customer": invoice.customer,
        "subscription": invoice.subscription,
        "currency": invoice.currency,
        "issued_at": invoice.issued_at,
        "due_at": invoice.due_at,
        "status": invoice.status,
        **{name: getattr(invoice, name).minor for name in _MONEY},
        "credit_notes": invoice.credit_notes_applied.minor,
        "taxes": write_json(to_plain(invoice.taxes)),
        "discounts": write_json(to_plain(invoice.discounts)),
        "credits": write_json(to_plain(invoice.credits)),
        "cut_off": None if cut_off is None else str(cut_off),
        "paid_at": invoice.issued_at if invoice.status == "paid" else None,
    }


async def _read(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> list[InvoiceRow]:
    lines = await lines_of(connection, {row.id: row.currency for row in rows})
    return [
        InvoiceRow(
            row.id,
            _invoice(row._mapping, lines[row.id]),
            row.customer_key,
            row.subscription_key,
            None if row.cut_off is None else int(row.cut_off),
            row.paid_at,
            row.seq,
            row.decision_id,
        )
        for row in rows
    ]


def _invoice(row: Mapping[Any, Any], lines: tuple[Any, ...]) -> Invoice:
    currency = row["currency"]
    return Invoice(
        name=row["name"],
        subscription=row["subscription_id"],
        customer=row["customer_id"],
        currency=currency,
        issued_at=row["issued_at"],
        due_at=row["due_at"],
        status=row["status"],
        lines=lines,
        **{name: Money(row[f"{name}_minor"], currency) for name in _MONEY},
        credit_notes_applied=Money(row["credit_notes_minor"], currency),
        taxes=from_plain(tuple[AppliedTax, ...], row["taxes"]),
        discounts=from_plain(tuple[AppliedDiscount, ...], row["discounts"]),
        credits=from_plain(tuple[AppliedCredit, ...], row["credits"]),
        amount_paid=Money(row["amount_paid_minor"], currency),
        number=row["number"],
    )
