"""What holds claim: what is reserved in a wallet, or of an allowance, is at every commit the sum of the claims on it. Each
statement here that changes one changes the other. Who ends a hold has that first, and what it is on then; who counts what
settled holds used has that first, since nobody who has one of those waits for it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.outbox import announce
from db.usage_horizon import Snapshot
from db.wallets import time_of
from domain.decimals import plain
from domain.holds import Hold
from domain.reading import written

EXPIRED_AT_ONCE = 200
TOPIC = "hold.expired"


@dataclass(frozen=True, slots=True, order=True)
class Claimed:
    """What claims are on: a customer's wallet of the `currency` of that name, or its allowance of the `feature`."""

    kind: Literal["currency", "feature"]
    customer: str
    name: str


# What is reserved on, by what holds name it; a wallet counts its changes.
_TAKE = {
    "currency": "UPDATE wallets SET changed = changed + 1, reserved = reserved -",
    "feature": "UPDATE allowances SET reserved = reserved -",
}
_GIVE_BACK = {
    kind: text(f"""
        {take} CAST(CAST(:amount AS text) AS numeric) WHERE customer_id = :customer AND {kind} = :name
    """)
    for kind, take in _TAKE.items()
}
# Those that somebody else is just ending are left to them.
_EXPIRE = {
    kind: text(f"""
        WITH over AS (
            SELECT id, claim FROM holds
            WHERE payer_id = :customer AND {kind} = :name AND status = 'open' AND expires_at <= :now
            ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED
        ), ended AS (
            UPDATE holds h SET status = 'expired', ended_at = h.expires_at, claim = 0 FROM over WHERE h.id = over.id
            RETURNING h.id, h.customer_id, h.held, h.expires_at
        ), given_back AS (
            {take} (SELECT sum(claim) FROM over)
            WHERE customer_id = :customer AND {kind} = :name AND EXISTS (SELECT FROM over)
        )
        SELECT e.id, c.key AS customer, e.held, e.expires_at
        FROM ended e JOIN customers c ON c.id = e.customer_id ORDER BY e.expires_at, e.id
    """)
    for kind, take in _TAKE.items()
}
_COUNTED = {
    kind: text(f"""
        WITH counted AS (
            SELECT id, claim FROM holds
            WHERE payer_id = :customer AND {kind} = :name AND status = 'settled' AND claim > 0
                AND pg_visible_in_snapshot(settled_tx, CAST(CAST(:known AS text) AS pg_snapshot))
            FOR UPDATE
        ), settled AS (
            UPDATE holds h SET claim = 0 FROM counted WHERE h.id = counted.id
        )
        {take} (SELECT sum(claim) FROM counted)
        WHERE customer_id = :customer AND {kind} = :name AND EXISTS (SELECT FROM counted) RETURNING reserved
    """)
    for kind, take in _TAKE.items()
}
_KIND = "CASE WHEN h.feature IS NULL THEN 'currency' ELSE 'feature' END, h.payer_id, coalesce(h.feature, h.currency)"
_EXPIRING = text(f"""
    SELECT {_KIND} FROM holds h
    JOIN customers c ON c.environment_id = h.environment_id AND c.id = h.customer_id
    WHERE h.status = 'open' AND h.expires_at <= statement_timestamp() AND c.test_clock_id IS NULL
    UNION
    SELECT {_KIND} FROM test_clocks t
    JOIN customers c ON c.environment_id = t.environment_id AND c.test_clock_id = t.id
    JOIN holds h ON h.environment_id = c.environment_id AND h.customer_id = c.id
    WHERE h.status = 'open' AND h.expires_at <= t.now
    LIMIT :limit
""")
_SETTLED = text("""
    SELECT DISTINCT payer_id, currency FROM holds
    WHERE payer_id = ANY(:customers) AND currency IS NOT NULL AND status = 'settled' AND claim > 0
""")
_UNCOUNTED = text("""
    SELECT DISTINCT payer_id, feature FROM holds
    WHERE feature IS NOT NULL AND status = 'settled' AND claim > 0
        AND settled_tx < pg_snapshot_xmin(pg_current_snapshot())
    LIMIT :limit
""")


async def give_back(connection: AsyncConnection, hold: Hold, amount: Fraction) -> None:
    """What a locked hold claims no longer."""
    on = claimed_by(hold)
    asked = {"customer": on.customer, "name": on.name, "amount": plain(amount)}
    await connection.execute(_GIVE_BACK[on.kind], asked)


def claimed_by(hold: Hold) -> Claimed:
    if hold.feature is not None:
        return Claimed("feature", hold.payer, hold.feature)
    assert hold.currency is not None
    return Claimed("currency", hold.payer, hold.currency)


async def expire_claims(connection: AsyncConnection, environment: str, on: Claimed) -> None:
    """End the holds whose end has come, give back what they claim, and announce it."""
    now = await time_of(connection, on.customer)
    asked = {"customer": on.customer, "name": on.name, "now": now, "limit": EXPIRED_AT_ONCE}
    ended = None
    while ended is None or len(ended) == EXPIRED_AT_ONCE:
        ended = (await connection.execute(_EXPIRE[on.kind], asked)).all()
        for id, customer, held, at in ended:
            body = _told(on, customer, Fraction(held), at)
            await announce(connection, environment, TOPIC, id, at, body)


async def expiring(connection: AsyncConnection, limit: int) -> Sequence[Claimed]:
    """What holds claim something of whose end has come."""
    rows = await connection.execute(_EXPIRING, {"limit": limit})
    return sorted(Claimed(*row) for row in rows)


async def uncounted(connection: AsyncConnection, limit: int) -> Sequence[tuple[str, str]]:
    """The customers and features of which settled holds claim something still, though the log is complete beyond them."""
    rows = await connection.execute(_UNCOUNTED, {"limit": limit})
    return sorted((row[0], row[1]) for row in rows)


async def settled_on_credit(
    connection: AsyncConnection, customers: Collection[str]
) -> frozenset[Claimed]:
    """The wallets of these customers on which settled holds claim something still."""
    rows = await connection.execute(_SETTLED, {"customers": sorted(customers)})
    return frozenset(Claimed("currency", *row) for row in rows)


async def give_back_what_is_counted(
    connection: AsyncConnection, on: Claimed, known: Snapshot
) -> Fraction | None:
    """Settled holds claim nothing any more once what they used counts in what they are on, which the caller has locked: it
    does for those settled by transactions that are `known` there. What is reserved then, where that is less than before.
    """
    asked = {"customer": on.customer, "name": on.name, "known": known.written}
    reserved = (await connection.execute(_COUNTED[on.kind], asked)).scalar_one_or_none()
    return None if reserved is None else Fraction(reserved)


def _told(on: Claimed, customer: str, held: Fraction, at: datetime) -> dict[str, object]:
    of = "amount" if on.kind == "currency" else "quantity"
    return {"customer": customer, on.kind: on.name, of: plain(held), "expires_at": written(at)}
