"""Credit grants and credit notes: what was given, and what is left of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.credits import Grant, GrantBalance
from domain.decimals import plain
from domain.errors import Conflict, NotFound
from domain.money import Money
from domain.units import Unit


@dataclass(frozen=True, slots=True)
class GrantRow:
    """A grant with what is left of it by postings. `ended_at` is set once it has expired, was voided, or was carried over
    into a later one.
    """

    balance: GrantBalance
    customer_key: str
    ended_at: datetime | None
    seq: int


_COLUMNS = """
    g.id, g.key, g.customer_id, g.subscription_id, g.kind, g.currency, g.amount_minor, g.priority,
    g.granted_at, g.effective_at, g.expires_at, g.items, g.unit, g.unit_rate, g.ended_at, g.seq,
    c.key AS customer_key,
    coalesce((SELECT -sum(p.amount_minor) FROM ledger_postings p
        WHERE p.environment_id = g.environment_id AND p.account = 'credits:' || g.id), 0) AS remaining
"""
_FROM = "FROM credit_grants g JOIN customers c ON c.id = g.customer_id"
_ADD = text("""
    INSERT INTO credit_grants (id, environment_id, key, customer_id, subscription_id, kind, currency,
        amount_minor, priority, granted_at, effective_at, expires_at, items, unit, unit_rate)
    VALUES (:id, :environment, :key, :customer, :subscription, :kind, :currency,
        :amount, :priority, :granted_at, :effective_at, :expires_at, :items,
        :unit, CAST(CAST(:unit_rate AS text) AS numeric))
    ON CONFLICT DO NOTHING RETURNING id
""")
_END = text("UPDATE credit_grants SET ended_at = :at WHERE id = :id AND ended_at IS NULL")
_FIND = text(f"""
    SELECT {_COLUMNS} {_FROM} WHERE g.id = :name OR (g.key = :name AND g.subscription_id IS NULL)
    ORDER BY g.id = :name LIMIT 1
""")
_LIST = text(f"""
    SELECT {_COLUMNS} {_FROM}
    WHERE g.seq > :after AND (CAST(:customer AS text) IS NULL OR g.customer_id = :customer)
    ORDER BY g.seq LIMIT :limit
""")
_NAMED = text(f"SELECT {_COLUMNS} {_FROM} WHERE g.id = ANY(:ids)")
# Of one that has ended all was posted away, and nothing comes back to it.
_LEFT = text(f"""
    SELECT * FROM (
        SELECT {_COLUMNS} {_FROM} WHERE g.customer_id = :customer AND g.currency = :currency AND g.ended_at IS NULL
    ) AS g WHERE remaining > 0 ORDER BY g.seq
""")


async def add_grant(connection: AsyncConnection, environment: str, grant: Grant) -> None:
    """Write a grant down; its postings are the caller's. Raises `Conflict` for a key that another grant has."""
    row = {
        "id": grant.id,
        "environment": environment,
        "key": grant.key,
        "customer": grant.customer,
        "subscription": grant.subscription,
        "kind": grant.kind,
        "currency": grant.amount.currency,
        "amount": grant.amount.minor,
        "priority": grant.priority,
        "granted_at": grant.granted_at,
        "effective_at": grant.effective_at,
        "expires_at": grant.expires_at,
        "items": list(grant.items),
        "unit": grant.unit and grant.unit.key,
        "unit_rate": grant.unit and plain(grant.unit.rate),
    }
    if (await connection.execute(_ADD, row)).one_or_none() is None:
        raise Conflict(f"there is a grant {grant.key} already")


async def end_grant(connection: AsyncConnection, grant_id: str, at: datetime) -> None:
    """Nothing is left of it to watch over."""
    await connection.execute(_END, {"id": grant_id, "at": at})


async def find_grant(connection: AsyncConnection, name: str) -> GrantRow:
    """By the key that a user gave it, or by id. Raises `NotFound`."""
    row = (await connection.execute(_FIND, {"name": name})).one_or_none()
    if row is None:
        raise NotFound(f"there is no credit grant {name}")
    return _read(row)


async def find_grants(
    connection: AsyncConnection, limit: int, after: int = 0, customer: str | None = None
) -> Sequence[GrantRow]:
    """Oldest first, from the first whose `seq` is greater than `after`; `customer` is an id."""
    rows = await connection.execute(_LIST, {"customer": customer, "limit": limit, "after": after})
    return [_read(row) for row in rows]


async def grants_named(connection: AsyncConnection, ids: Sequence[str]) -> Sequence[GrantRow]:
    """Those of these ids."""
    if not ids:
        return []
    return [_read(row) for row in await connection.execute(_NAMED, {"ids": list(ids)})]


async def grants_left(
    connection: AsyncConnection, customer: str, currency: str
) -> tuple[GrantBalance, ...]:
    """The customer's grants in a currency with anything left, whatever their dates, oldest first."""
    rows = await connection.execute(_LEFT, {"customer": customer, "currency": currency})
    return tuple(_read(row).balance for row in rows)


def _read(row: Row[Any]) -> GrantRow:
    grant = Grant(
        id=row.id,
        key=row.key,
        customer=row.customer_id,
        kind=row.kind,
        amount=Money(row.amount_minor, row.currency),
        priority=row.priority,
        granted_at=row.granted_at,
        effective_at=row.effective_at,
        expires_at=row.expires_at,
        items=tuple(row.items),
        subscription=row.subscription_id,
        unit=None if row.unit is None else Unit(row.unit, row.currency, Fraction(row.unit_rate)),
    )
    balance = GrantBalance(grant, Money(int(row.remaining), row.currency))
    return GrantRow(balance, row.customer_key, row.ended_at, row.seq)
