"""The lines of invoices, written once and never changed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.account import IssuedLine
from domain.calendar import Period
from domain.codec import from_plain, to_plain
from domain.invoices import Line
from domain.money import Money
from domain.plans import PlanRef

_COLUMNS = """
    l.invoice_id, l.kind, l.item, l.description, l.quantity, l.exact_amount, l.amount_minor,
    l.discount_minor, l.credits_minor, l.tax_minor, l.inclusive_tax_minor, l.period_start, l.period_end,
    l.charged, l.plan_key, l.plan_version, l.credits_invoice
"""
_ADD = text("""
    INSERT INTO invoice_lines (environment_id, invoice_id, position, kind, item, description, quantity,
        exact_amount, amount_minor, discount_minor, credits_minor, tax_minor, inclusive_tax_minor,
        period_start, period_end, charged, plan_key, plan_version, credits_invoice)
    VALUES (:environment, :invoice, :position, :kind, :item, :description, :quantity,
        :exact_amount, :amount, :discount, :credits, :tax, :inclusive_tax,
        :period_start, :period_end, :charged, :plan_key, :plan_version, :credits_invoice)
""")
_OF = text(f"""
    SELECT {_COLUMNS} FROM invoice_lines l WHERE l.invoice_id = ANY(:invoices)
    ORDER BY l.invoice_id, l.position
""")
_IN_ADVANCE = text(f"""
    SELECT {_COLUMNS}, i.name, i.number, i.currency, i.subscription_id, i.amount_paid_minor - coalesce((
            SELECT sum(p.amount_minor) FROM payments p
            WHERE p.invoice_id = i.id AND p.kind = 'refund' AND p.status <> 'failed'
        ), 0) AS paid_minor
    FROM unnest(CAST(:subscriptions AS text[]), CAST(:since AS timestamptz[])) AS o (subscription, since)
    JOIN invoices i ON i.subscription_id = o.subscription AND i.status <> 'void'
    JOIN invoice_lines l ON l.environment_id = i.environment_id AND l.invoice_id = i.id
        AND l.charged IN ('in_advance', 'on_account') AND l.period_end > o.since
    ORDER BY i.seq, l.position
""")


_USAGE = text(f"""
    SELECT {_COLUMNS}, i.subscription_id, i.currency
    FROM unnest(CAST(:subscriptions AS text[]), CAST(:since AS timestamptz[])) AS o (subscription, since)
    JOIN invoices i ON i.subscription_id = o.subscription AND i.status <> 'void'
    JOIN invoice_lines l ON l.environment_id = i.environment_id AND l.invoice_id = i.id
        AND l.kind = 'usage' AND l.period_start >= o.since
    ORDER BY i.seq, l.position
""")
_BEFORE = text(f"""
    SELECT {_COLUMNS}, i.name, i.number, i.currency
    FROM invoices i JOIN invoice_lines l ON l.environment_id = i.environment_id AND l.invoice_id = i.id
    WHERE i.subscription_id = :subscription AND i.seq <= :last AND NOT i.name = ANY(:void)
        AND l.charged IN ('in_advance', 'on_account') AND l.period_end > :since
    ORDER BY i.seq, l.position
""")


async def add_lines(
    connection: AsyncConnection, environment: str, invoice_id: str, lines: Sequence[Line]
) -> None:
    of = {"environment": environment, "invoice": invoice_id}
    rows = [{**of, "position": n, **_row(line)} for n, line in enumerate(lines)]
    if rows:
        await connection.execute(_ADD, rows)


async def lines_of(
    connection: AsyncConnection, currencies: Mapping[str, str]
) -> Mapping[str, tuple[Line, ...]]:
    """The lines of each invoice of `currencies`, which holds the currency of each invoice by its id."""
    found: dict[str, list[Line]] = {invoice: [] for invoice in currencies}
    if currencies:
        for row in await connection.execute(_OF, {"invoices": list(currencies)}):
            found[row.invoice_id].append(_line(row, currencies[row.invoice_id]))
    return {invoice: tuple(lines) for invoice, lines in found.items()}


async def lines_in_advance(
    connection: AsyncConnection, subscription: str, since: datetime
) -> tuple[IssuedLine, ...]:
    """What was charged in advance, or on account, of periods that end after `since`: oldest invoice first, in line order."""
    return (await lines_in_advance_of(connection, {subscription: since}))[subscription]


async def lines_in_advance_of(
    connection: AsyncConnection, since: Mapping[str, datetime]
) -> dict[str, tuple[IssuedLine, ...]]:
    """The same of each of some subscriptions, since an instant of its own."""
    found: dict[str, list[IssuedLine]] = {subscription: [] for subscription in since}
    asked = {"subscriptions": list(since), "since": list(since.values())}
    for row in await connection.execute(_IN_ADVANCE, asked):
        line, paid = _line(row, row.currency), Money(int(row.paid_minor), row.currency)
        found[row.subscription_id].append(IssuedLine(row.name, line, paid, row.number))
    return {subscription: tuple(lines) for subscription, lines in found.items()}


async def usage_lines_of(
    connection: AsyncConnection, since: Mapping[str, datetime]
) -> dict[str, list[Line]]:
    """The lines that have billed usage of each of some subscriptions, of periods that begin at an instant or later."""
    found: dict[str, list[Line]] = {subscription: [] for subscription in since}
    asked = {"subscriptions": list(since), "since": list(since.values())}
    for row in await connection.execute(_USAGE, asked):
        found[row.subscription_id].append(_line(row, row.currency))
    return found


async def lines_before(
    connection: AsyncConnection, subscription: str, since: datetime, last: int, void: Sequence[str]
) -> tuple[IssuedLine, ...]:
    """The same as it was when `last` was the number in the order of issue of the newest invoice, and those named
    `void` were; without what had been paid.
    """
    asked = {"subscription": subscription, "since": since, "last": last, "void": list(void)}
    return tuple(
        IssuedLine(row.name, _line(row, row.currency), Money(0, row.currency), row.number)
        for row in await connection.execute(_BEFORE, asked)
    )


def _row(line: Line) -> dict[str, Any]:
    return {
        "kind": line.kind,
        "item": line.item,
        "description": line.description,
        "quantity": to_plain(line.quantity),
        "exact_amount": to_plain(line.exact_amount),
        "amount": line.amount.minor,
        "discount": line.discount.minor,
        "credits": line.credits.minor,
        "tax": line.tax.minor,
        "inclusive_tax": line.inclusive_tax.minor,
        "period_start": line.period and line.period.start,
        "period_end": line.period and line.period.end,
        "charged": line.charged,
        "plan_key": line.plan and line.plan.key,
        "plan_version": line.plan and line.plan.version,
        "credits_invoice": line.credits_invoice,
    }


def _line(row: Row[Any], currency: str) -> Line:
    return Line(
        kind=row.kind,
        item=row.item,
        description=row.description,
        quantity=from_plain(Fraction, row.quantity),
        exact_amount=from_plain(Fraction, row.exact_amount),
        amount=Money(row.amount_minor, currency),
        period=row.period_start and Period(row.period_start, row.period_end),
        discount=Money(row.discount_minor, currency),
        credits=Money(row.credits_minor, currency),
        tax=Money(row.tax_minor, currency),
        inclusive_tax=Money(row.inclusive_tax_minor, currency),
        charged=row.charged,
        plan=row.plan_key and PlanRef(row.plan_key, row.plan_version),
        credits_invoice=row.credits_invoice,
    )
