"""Wallets as rows, one a customer and currency: kept up with the ledger, read and reserved on in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.credits import grants_left
from db.locks import lock_customer
from domain.money import Money
from domain.wallets import Wallet, posted_at, posted_until


@dataclass(frozen=True, slots=True)
class WalletRow:
    """`changed` counts the changes up to now."""

    customer: str
    wallet: Wallet
    changed: int


# What claims of holds that have expired are worth is nothing, also where nobody has given them back yet.
_COLUMNS = """customer_id, currency, posted_minor, running_minor, overdraft_minor, changed,
    reserved - coalesce((
        SELECT sum(h.claim) FROM holds h
        WHERE h.environment_id = w.environment_id AND h.payer_id = w.customer_id AND h.currency = w.currency
            AND h.status = 'open' AND h.expires_at <= :now
    ), 0) AS reserved,
    (posted_until IS NOT NULL AND posted_until <= :now) AS is_stale"""
_OPEN = text("""
    INSERT INTO wallets (environment_id, customer_id, currency, posted_until)
    VALUES (:environment, :customer, :currency, '-infinity')
    ON CONFLICT DO NOTHING
""")
_POST = text("""
    INSERT INTO wallets (environment_id, customer_id, currency, posted_minor, posted_until)
    VALUES (:environment, :customer, :currency, :posted, :until)
    ON CONFLICT (environment_id, customer_id, currency) DO UPDATE SET
        posted_minor = excluded.posted_minor, posted_until = excluded.posted_until, changed = wallets.changed + 1
""")
_OF = text(f"SELECT {_COLUMNS} FROM wallets w WHERE customer_id = :customer ORDER BY currency")
_NOW = text("""
    SELECT coalesce(t.now, clock_timestamp()) FROM customers c
    LEFT JOIN test_clocks t ON t.environment_id = c.environment_id AND t.id = c.test_clock_id
    WHERE c.id = :customer
""")
_CHANGING = text("""
    SELECT w.customer_id, w.currency FROM wallets w
    JOIN customers c ON c.environment_id = w.environment_id AND c.id = w.customer_id
    LEFT JOIN test_clocks t ON t.environment_id = c.environment_id AND t.id = c.test_clock_id
    WHERE w.posted_until <= greatest(statement_timestamp(), (SELECT max(now) FROM test_clocks))
        AND w.posted_until <= coalesce(t.now, statement_timestamp())
    LIMIT :limit
""")


async def time_of(connection: AsyncConnection, customer: str) -> datetime:
    """What time it is for a customer: what its test clock shows, or the database's."""
    at: datetime = (await connection.execute(_NOW, {"customer": customer})).scalar_one()
    return at


async def open_wallet(
    connection: AsyncConnection, environment: str, customer: str, currency: str
) -> None:
    """Have a wallet to look at from now on, for who may never have been given credit."""
    row = {"environment": environment, "customer": customer, "currency": currency}
    await connection.execute(_OPEN, row)


async def repost(
    connection: AsyncConnection, environment: str, customer: str, currency: str
) -> None:
    """Keep a wallet up with the ledger. The customer must be locked."""
    now = await time_of(connection, customer)
    left = await grants_left(connection, customer, currency)
    row = {"environment": environment, "customer": customer, "currency": currency}
    posted, until = posted_at(left, currency, now), posted_until(left, now)
    await connection.execute(_POST, {**row, "posted": posted.minor, "until": until})


async def wallets_of(
    connection: AsyncConnection, environment: str, customer: str
) -> Sequence[WalletRow]:
    """A customer's wallets as they are now; those that time has changed are brought up to date first."""
    now = await time_of(connection, customer)
    rows = (await connection.execute(_OF, {"customer": customer, "now": now})).all()
    stale = [row.currency for row in rows if row.is_stale]
    if not stale:
        return [_read(row) for row in rows]
    await lock_customer(connection, customer)
    for currency in stale:
        await repost(connection, environment, customer, currency)
    rows = (await connection.execute(_OF, {"customer": customer, "now": now})).all()
    return [_read(row) for row in rows]


async def wallets_behind(connection: AsyncConnection, limit: int) -> Sequence[tuple[str, str]]:
    """The customers and currencies of wallets in which a grant has begun or ended meanwhile."""
    rows = await connection.execute(_CHANGING, {"limit": limit})
    return sorted((row[0], row[1]) for row in rows)


def read_wallet(row: Row[Any]) -> Wallet:
    """Of a row that has its columns."""
    return Wallet(
        currency=row.currency,
        posted=Money(row.posted_minor, row.currency),
        running=Money(row.running_minor, row.currency),
        reserved=Fraction(row.reserved),
        overdraft=Money(row.overdraft_minor, row.currency),
    )


def _read(row: Row[Any]) -> WalletRow:
    return WalletRow(row.customer_id, read_wallet(row), row.changed)
