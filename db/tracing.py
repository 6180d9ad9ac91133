"""What became of credit: every movement of a grant, and what paid each line of an invoice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.credits import grants_named
from db.invoices import InvoiceRow, find_invoice
from domain.credits import Grant
from domain.explaining.credits import Paid, paid_by
from domain.invoices import Invoice
from domain.ledger import Movement, invoice_of
from domain.money import Money


@dataclass(frozen=True, slots=True)
class GrantMovement:
    """What one transaction did to a grant: it then had `amount` more (or less), and `remaining` was left. `other` is the
    id of the grant on the other side of a transfer, `invoice` the name of the one that was paid, or given back.
    """

    seq: int
    movement: Movement
    at: datetime
    amount: Money
    remaining: Money
    invoice: str | None
    other: str | None


_MOVEMENTS = text("""
    SELECT * FROM (
        SELECT t.id AS seq, t.name, t.movement, t.at, -p.amount_minor AS amount, p.currency,
            CAST(-sum(p.amount_minor) OVER (ORDER BY t.id) AS bigint) AS remaining,
            (SELECT max(substr(o.account, length('credits:') + 1)) FROM ledger_postings o
                WHERE o.environment_id = p.environment_id AND o.transaction_id = p.transaction_id
                    AND o.account <> p.account AND starts_with(o.account, 'credits:')) AS other
        FROM ledger_postings p
        JOIN ledger_transactions t ON t.environment_id = p.environment_id AND t.id = p.transaction_id
        WHERE p.account = 'credits:' || :grant
    ) AS movements
    WHERE seq > :after ORDER BY seq LIMIT :limit
""")


async def movements_of(
    connection: AsyncConnection, grant: str, limit: int, after: int = 0
) -> Sequence[GrantMovement]:
    """A grant's, by its id, in the order of posting."""
    asked = {"grant": grant, "limit": limit, "after": after}
    return [
        GrantMovement(
            seq=row.seq,
            movement=row.movement,
            at=row.at,
            amount=Money(row.amount, row.currency),
            remaining=Money(row.remaining, row.currency),
            invoice=invoice_of(row.name, grant),
            other=row.other,
        )
        for row in await connection.execute(_MOVEMENTS, asked)
    ]


async def invoices_of(
    connection: AsyncConnection, movements: Sequence[GrantMovement]
) -> Mapping[str, InvoiceRow]:
    """The invoices that movements name, by their names."""
    names = {each.invoice for each in movements if each.invoice is not None}
    return {name: await find_invoice(connection, name) for name in sorted(names)}


async def credits_of(connection: AsyncConnection, invoice: Invoice) -> tuple[Paid, ...]:
    """What each credit paid of each line."""
    return paid_by(invoice, await grants_of(connection, invoice))


async def grants_of(connection: AsyncConnection, invoice: Invoice) -> Mapping[str, Grant]:
    """The grants that paid of an invoice, by id."""
    ids = [credit.id for credit in invoice.credits if credit.source != "credit_note"]
    return {row.balance.grant.id: row.balance.grant for row in await grants_named(connection, ids)}
