"""Making holds: a claim and its reservation in one statement, so that holds that race never overspend."""

from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.allowances import IS_KEPT, NEWS, NOTHING, Found, finding, found_in
from db.holds import HoldRow
from db.wallets import read_wallet
from domain.currencies import MINOR_DIGITS
from domain.decimals import plain
from domain.errors import NotFound
from domain.holds import Hold, HoldOrder
from domain.wallets import Wallet


@dataclass(frozen=True, slots=True)
class Held:
    """A hold that was just made, and what it has left available."""

    row: HoldRow
    available: Fraction


@dataclass(frozen=True, slots=True)
class Purse:
    """Whose wallet a customer's holds are on, as it is at an instant: what has expired by then claims nothing. `wallet` is
    None where there is none yet; `is_behind`: time has changed it since it was last written.
    """

    payer: str
    now: datetime
    wallet: Wallet | None
    is_behind: bool


_WHO = """
    SELECT c.id, c.key, coalesce(m.parent_id, c.id) AS payer, coalesce(t.now, clock_timestamp()) AS now
    FROM (
        SELECT environment_id, id, key, test_clock_id FROM customers
        WHERE key = :customer OR id = :customer ORDER BY key <> :customer LIMIT 1
    ) c
    LEFT JOIN test_clocks t ON t.environment_id = c.environment_id AND t.id = c.test_clock_id
    LEFT JOIN memberships m ON m.environment_id = c.environment_id AND m.child_id = c.id
        AND m.until IS NULL AND m.billing = 'parent'
"""
_INTO_HOLDS = """
    INSERT INTO holds (id, environment_id, key, customer_id, payer_id, currency, feature, held, claim, created_at, expires_at,
        unit, unit_rate)
"""
_AMOUNT = "CAST(CAST(:amount AS text) AS numeric)"
# Who races for the last of a wallet waits for its row, and then looks at what the one before has left.
_RESERVE = text(f"""
    WITH who AS MATERIALIZED ({_WHO}), taken AS (
        UPDATE wallets w SET reserved = w.reserved + {_AMOUNT}, changed = w.changed + 1
        FROM who
        WHERE w.customer_id = who.payer AND w.currency = :currency
            AND (w.posted_until IS NULL OR w.posted_until > who.now)
            AND w.posted_minor - w.running_minor + w.overdraft_minor >= (w.reserved + {_AMOUNT}) * :scale
        RETURNING w.currency, w.posted_minor, w.running_minor, w.reserved, w.overdraft_minor
    ), kept AS (
        {_INTO_HOLDS}
        SELECT :id, :environment, :key, who.id, who.payer, :currency, NULL, {_AMOUNT}, {_AMOUNT}, who.now,
            who.now + make_interval(secs => :seconds), :unit, CAST(CAST(:unit_rate AS text) AS numeric)
        FROM who, taken
        RETURNING expires_at
    )
    SELECT who.id AS customer_id, who.key AS customer_key, who.payer, who.now, kept.expires_at, taken.*
    FROM who, taken, kept
""")
_PURSE = text(f"""
    SELECT who.payer, who.now, w.currency, w.posted_minor, w.running_minor, w.overdraft_minor,
        w.reserved - coalesce(over.claims, 0) AS reserved,
        over.claims IS NOT NULL OR coalesce(w.posted_until <= who.now, false) AS is_behind
    FROM ({_WHO}) who
    LEFT JOIN wallets w ON w.customer_id = who.payer AND w.currency = :currency
    CROSS JOIN LATERAL (
        SELECT sum(h.claim) AS claims FROM holds h
        WHERE h.payer_id = who.payer AND h.currency = w.currency AND h.status = 'open' AND h.expires_at <= who.now
    ) over
""")


def _reserving(used: str, condition: str) -> str:
    """What reserves of an allowance `a` where the condition holds, by what was used then, and makes the hold."""
    return f"""
        WITH who AS MATERIALIZED ({_WHO}), taken AS (
            UPDATE allowances a SET reserved = a.reserved + {_AMOUNT} FROM who
            WHERE a.customer_id = who.id AND a.feature = :feature AND {IS_KEPT}
                AND coalesce(a.valid_until > who.now, true)
                AND a.type = 'metered' AND a.reason IS NULL
                AND (a.on_limit <> 'block' AND a.hard_limit IS NOT NULL
                    OR {used} + a.reserved + {_AMOUNT} <= a.hard_limit)
                AND {condition}
            RETURNING a.hard_limit - {used} - a.reserved AS available
        ), kept AS (
            {_INTO_HOLDS}
            SELECT :id, :environment, :key, who.id, who.id, NULL, :feature, {_AMOUNT}, {_AMOUNT}, who.now,
                who.now + make_interval(secs => :seconds), NULL, NULL
            FROM who, taken
            RETURNING expires_at
        ), made AS (
            SELECT who.id AS customer_id, who.key AS customer_key, who.id AS payer, who.now, kept.expires_at, taken.available
            FROM who, taken, kept
        )
    """


# News of what holds were settled with is none: of that they claim as much as it was. News that nobody had seen who looked
# before (`since`) came later than what is asked for. Where nothing is reserved, what there is is found in the same statement.
_NO_NEWS = f"""
    NOT EXISTS (
        SELECT FROM {NEWS}
            AND coalesce(pg_visible_in_snapshot(n.tx, CAST(CAST(:since AS text) AS pg_snapshot)), true)
            AND NOT EXISTS (
                SELECT FROM holds h WHERE h.environment_id = n.environment_id AND h.payer_id = a.customer_id
                    AND h.settled_tx = n.tx AND h.feature = a.feature AND h.status = 'settled' AND h.claim > 0
            )
    )
"""
_NOT_MADE = (
    "SELECT CAST(:customer AS text), CAST(:feature AS text), 1 WHERE NOT EXISTS (SELECT FROM made)"
)
_RESERVE_LIMIT = text(f"""
    {_reserving("a.used", _NO_NEWS)}
    SELECT made.*, found.*
    FROM made FULL JOIN ({finding(f"({_NOT_MADE})")}) found ON false
""")
# What the caller has found, with the news of it. Of what is settled the claims are in what was used.
_USED = "(CAST(CAST(:used AS text) AS numeric) - CAST(CAST(:settled AS text) AS numeric))"
_RESERVE_FOUND = text(f"""
    {_reserving(_USED, "a.seen::text = :seen")}
    SELECT * FROM made
""")


async def reserve_credit(
    connection: AsyncConnection, environment: str, hold_id: str, order: HoldOrder, currency: str
) -> Held | None:
    """Hold an amount, or do nothing: where the wallet as it is written does not cover it, is behind, or is not there. A
    taken id or key comes as SQLAlchemy's `IntegrityError`.
    """
    assert order.amount is not None
    asked = {
        "environment": environment,
        "id": hold_id,
        "key": order.key,
        "customer": order.customer,
        "currency": currency,
        "amount": plain(order.amount),
        "scale": 10 ** MINOR_DIGITS[currency],
        "seconds": order.seconds,
        "unit": order.unit,
        "unit_rate": None if order.unit_rate is None else plain(order.unit_rate),
    }
    row = (await connection.execute(_RESERVE, asked)).one_or_none()
    if row is None:
        return None
    return Held(_made(row, order, hold_id, order.amount, currency), read_wallet(row).available)


async def reserve_limit(
    connection: AsyncConnection,
    environment: str,
    hold_id: str,
    order: HoldOrder,
    since: str | None = None,
) -> Held | Found:
    """Hold a quantity of a feature; or do nothing, and tell what there is of it: where that does not cover it as it is kept,
    is not fresh, or has news. Of news that a snapshot, `since`, has not seen nothing need be known. Raises as
    `reserve_credit` does, and `NotFound`.
    """
    asked = {**_asked(environment, hold_id, order), "since": since, "now": datetime.now(UTC)}
    row = (await connection.execute(_RESERVE_LIMIT, asked)).one_or_none()
    if row is None:
        raise NotFound(f"there is no customer {order.customer}")
    return found_in(row) if row.available is None else _limit_held(row, order, hold_id)


async def reserve_found(
    connection: AsyncConnection, environment: str, hold_id: str, order: HoldOrder, found: Found
) -> Held | None:
    """The same by what the caller has found with its news, if what is kept is still the same."""
    asked = {
        **_asked(environment, hold_id, order),
        "used": plain(found.allowance.used or NOTHING),
        "settled": plain(found.settled),
        "seen": found.seen,
    }
    row = (await connection.execute(_RESERVE_FOUND, asked)).one_or_none()
    return None if row is None else _limit_held(row, order, hold_id)


async def purse_of(connection: AsyncConnection, customer: str, currency: str) -> Purse:
    """Of a customer, by key or id. Raises `NotFound`."""
    row = (
        await connection.execute(_PURSE, {"customer": customer, "currency": currency})
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no customer {customer}")
    wallet = None if row.currency is None else read_wallet(row)
    return Purse(row.payer, row.now, wallet, row.is_behind)


def _asked(environment: str, hold_id: str, order: HoldOrder) -> dict[str, object]:
    assert order.quantity is not None
    return {
        "environment": environment,
        "id": hold_id,
        "key": order.key,
        "customer": order.customer,
        "feature": order.feature,
        "amount": plain(order.quantity),
        "seconds": order.seconds,
    }


def _limit_held(row: Row[Any], order: HoldOrder, hold_id: str) -> Held:
    assert order.quantity is not None
    available = max(Fraction(row.available), NOTHING)
    return Held(_made(row, order, hold_id, order.quantity, None), available)


def _made(
    row: Row[Any], order: HoldOrder, hold_id: str, held: Fraction, currency: str | None
) -> HoldRow:
    hold = Hold(
        id=hold_id,
        key=order.key,
        customer=row.customer_id,
        payer=row.payer,
        currency=currency,
        feature=order.feature,
        held=held,
        claim=held,
        created_at=row.now,
        expires_at=row.expires_at,
        unit=order.unit,
        unit_rate=order.unit_rate,
    )
    return HoldRow(hold, row.customer_key, row.now)
