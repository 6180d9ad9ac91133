"""Automatic top-ups: the rule of each wallet, and every purchase that it made."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.running_facts import Payer
from domain.automatic_top_ups import Attempt, AttemptStatus, AutomaticTopUp
from domain.calendar import Period
from domain.errors import Conflict, NotFound
from domain.money import Money


@dataclass(frozen=True, slots=True)
class AutomaticTopUpRow:
    """`customer` is an id."""

    id: str
    customer: str
    rule: AutomaticTopUp
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """The `number`th purchase of a customer, asked for by `request`; `failure_code` says why it was declined."""

    number: int
    request: str
    attempt: Attempt
    invoice: str | None = None
    failure_code: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a purchase that was under way. `number` is the invoice's; None where there is none."""

    row: AttemptRow
    status: AttemptStatus
    failure_code: str | None


_COLUMNS = """id, customer_id, currency, threshold_minor, target_minor, amount_minor, monthly_cap_minor,
    cool_down_seconds, created_at"""
_ADD = text("""
    INSERT INTO automatic_top_ups (id, environment_id, customer_id, currency, threshold_minor, target_minor,
        amount_minor, monthly_cap_minor, cool_down_seconds)
    VALUES (:id, :environment, :customer, :currency, :threshold, :target, :amount, :cap, :cool_down)
    ON CONFLICT DO NOTHING
""")
_FIND = text(f"""
    SELECT {_COLUMNS} FROM automatic_top_ups WHERE customer_id = :customer AND (id = :name OR currency = :name)
""")
_OF = text(f"SELECT {_COLUMNS} FROM automatic_top_ups WHERE customer_id = :customer ORDER BY id")
_REMOVE = text("DELETE FROM automatic_top_ups WHERE id = :id")
_CHANGED = text("""
    UPDATE wallets SET changed = changed + 1 WHERE customer_id = :customer AND currency = :currency
""")
_ATTEMPTS = """
    SELECT a.number, a.request_id, a.currency, a.amount_minor, a.at, a.status, a.ended_at, a.failure_code, i.number AS invoice
    FROM automatic_top_up_attempts a
    LEFT JOIN top_ups t ON t.environment_id = a.environment_id AND t.request_id = a.request_id
    LEFT JOIN invoices i ON i.environment_id = t.environment_id AND i.id = t.invoice_id
    WHERE a.customer_id = :customer AND a.currency = :currency
"""
_RECENT = text(f"""
    {_ATTEMPTS} AND (a.status = 'pending' OR a.at >= :since OR a.ended_at >= :since OR a.number = (
        SELECT max(number) FROM automatic_top_up_attempts
        WHERE customer_id = :customer AND currency = :currency))
    ORDER BY a.number
""")
_LIST = text(f"{_ATTEMPTS} AND a.number < :before ORDER BY a.number DESC LIMIT :limit")
_NEXT = text("""
    SELECT coalesce(max(number), 0) + 1 FROM automatic_top_up_attempts WHERE customer_id = :customer
""")
_BEGIN = text("""
    INSERT INTO automatic_top_up_attempts
        (environment_id, customer_id, number, request_id, currency, amount_minor, at)
    VALUES (:environment, :customer, :number, :request, :currency, :amount, :at)
""")
_ANSWERED = text("""
    SELECT CASE WHEN i.status = 'paid' THEN 'paid' ELSE 'declined' END AS became,
        CASE WHEN r.status = 'refused' THEN r.answer ->> 'code' ELSE (
            SELECT p.failure_code FROM payments p
            WHERE p.invoice_id = i.id AND p.kind = 'payment' ORDER BY p.attempt DESC LIMIT 1) END AS code
    FROM requests r
    LEFT JOIN top_ups t ON t.environment_id = r.environment_id AND t.request_id = r.id
    LEFT JOIN invoices i ON i.environment_id = t.environment_id AND i.id = t.invoice_id
    WHERE r.id = :request AND (r.status = 'refused' OR i.status IN ('paid', 'void'))
""")
_END = text("""
    UPDATE automatic_top_up_attempts SET status = :status, failure_code = :code, ended_at = :at
    WHERE customer_id = :customer AND number = :number AND status = 'pending'
""")


async def add_automatic_top_up(
    connection: AsyncConnection, environment: str, own_id: str, customer: str, rule: AutomaticTopUp
) -> AutomaticTopUpRow:
    """Have a wallet watched; a repeat under the same id changes nothing. Raises `Conflict` where it has a rule already. The
    customer is locked, and has the wallet.
    """
    row = {"id": own_id, "environment": environment, "customer": customer, **_amounts(rule)}
    await connection.execute(_ADD, row)
    kept = await find_automatic_top_up(connection, customer, rule.currency)
    if kept.id != own_id:
        raise Conflict(f"there is an automatic top-up in {rule.currency} already")
    await connection.execute(_CHANGED, {"customer": customer, "currency": rule.currency})
    return kept


async def find_automatic_top_up(
    connection: AsyncConnection, customer: str, name: str
) -> AutomaticTopUpRow:
    """A customer's, by id or by currency. Raises `NotFound`."""
    row = (await connection.execute(_FIND, {"customer": customer, "name": name})).one_or_none()
    if row is None:
        raise NotFound(f"there is no automatic top-up {name}")
    return _read(row)


async def automatic_top_ups_of(
    connection: AsyncConnection, customer: str
) -> Sequence[AutomaticTopUpRow]:
    return [_read(row) for row in await connection.execute(_OF, {"customer": customer})]


async def remove_automatic_top_up(connection: AsyncConnection, own_id: str) -> None:
    """Buy no more. What is under way goes on, and what was bought stays known."""
    await connection.execute(_REMOVE, {"id": own_id})


async def recent_attempts(
    connection: AsyncConnection, payer: Payer, month: Period
) -> Sequence[AttemptRow]:
    """Those that touch a month, what is under way, and the latest: oldest first."""
    asked = {"customer": payer.customer, "currency": payer.currency, "since": month.start}
    return [_attempt(row) for row in await connection.execute(_RECENT, asked)]


async def list_attempts(
    connection: AsyncConnection, payer: Payer, limit: int, before: int
) -> Sequence[AttemptRow]:
    """Newest first, from the first whose number is below `before`."""
    asked = {"customer": payer.customer, "currency": payer.currency}
    rows = await connection.execute(_LIST, {**asked, "limit": limit, "before": before})
    return [_attempt(row) for row in rows]


async def next_number(connection: AsyncConnection, customer: str) -> int:
    """The number of a customer's next purchase. The customer is locked."""
    number: int = (await connection.execute(_NEXT, {"customer": customer})).scalar_one()
    return number


async def begin_attempt(
    connection: AsyncConnection,
    environment: str,
    payer: Payer,
    number: int,
    request: str,
    amount: Money,
    at: datetime,
) -> None:
    row = {"environment": environment, "customer": payer.customer, "currency": payer.currency}
    asked = {"number": number, "request": request, "amount": amount.minor, "at": at}
    await connection.execute(_BEGIN, {**row, **asked})


async def answer_of_attempt(connection: AsyncConnection, row: AttemptRow) -> Ended | None:
    """What became of a purchase that is under way; None while nobody knows."""
    found = (await connection.execute(_ANSWERED, {"request": row.request})).one_or_none()
    return None if found is None else Ended(row, found.became, found.code)


async def end_attempt(
    connection: AsyncConnection, customer: str, ended: Ended, at: datetime
) -> None:
    row = {"customer": customer, "number": ended.row.number, "at": at}
    code = ended.failure_code if ended.status == "declined" else None
    await connection.execute(_END, {**row, "status": ended.status, "code": code})


def _amounts(rule: AutomaticTopUp) -> dict[str, object]:
    return {
        "currency": rule.currency,
        "threshold": rule.threshold.minor,
        "target": None if rule.target is None else rule.target.minor,
        "amount": None if rule.amount is None else rule.amount.minor,
        "cap": None if rule.monthly_cap is None else rule.monthly_cap.minor,
        "cool_down": int(rule.cool_down.total_seconds()),
    }


def _read(row: Row[Any]) -> AutomaticTopUpRow:
    def money(minor: int | None) -> Money | None:
        return None if minor is None else Money(minor, row.currency)

    rule = AutomaticTopUp(
        threshold=Money(row.threshold_minor, row.currency),
        target=money(row.target_minor),
        amount=money(row.amount_minor),
        monthly_cap=money(row.monthly_cap_minor),
        cool_down=timedelta(seconds=row.cool_down_seconds),
    )
    return AutomaticTopUpRow(row.id, row.customer_id, rule, row.created_at)


def _attempt(row: Row[Any]) -> AttemptRow:
    attempt = Attempt(row.at, Money(row.amount_minor, row.currency), row.status, row.ended_at)
    return AttemptRow(row.number, row.request_id, attempt, row.invoice, row.failure_code)
