"""Wallets that somebody watches: which of them want to be looked at, because they changed or because it is time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.customer_looks import look_at_all_concerned
from db.locks import lock_customer
from db.running_facts import Payer
from db.wallets import time_of, wallets_of
from domain.wallets import Wallet


@dataclass(frozen=True, slots=True)
class Watched:
    """A wallet after `changed` changes, as it is at `at`, which is the customer's time."""

    environment: str
    payer: Payer
    wallet: Wallet
    changed: int
    at: datetime


# Each watcher names the wallets that it watches; nobody's are never looked at. A customer on a test clock that is on its
# way is looked at when that has arrived.
_CHANGED = """
    SELECT w.customer_id, w.currency FROM wallets w
    WHERE w.changed > w.watched
        AND EXISTS (SELECT FROM alerts a WHERE a.customer_id IS NULL AND a.currency = w.currency)
    UNION
    SELECT w.customer_id, w.currency FROM alerts a
    JOIN wallets w USING (environment_id, customer_id, currency) WHERE w.changed > w.watched
    UNION
    SELECT w.customer_id, w.currency FROM alerts a
    JOIN subscriptions s ON s.environment_id = a.environment_id AND s.customer_id = a.customer_id
    JOIN running_usage u ON u.subscription_id = s.id AND u.customer_id <> s.customer_id
    JOIN wallets w ON w.environment_id = u.environment_id AND w.customer_id = u.customer_id
        AND w.currency = u.currency
    WHERE w.changed > w.watched AND a.currency = w.currency
    UNION
    SELECT w.customer_id, w.currency FROM automatic_top_ups t
    JOIN wallets w USING (environment_id, customer_id, currency) WHERE w.changed > w.watched
"""
_TIMELY = """
    SELECT l.customer_id, l.currency FROM wallet_looks l
    JOIN customers c ON c.environment_id = l.environment_id AND c.id = l.customer_id
    LEFT JOIN test_clocks k ON k.environment_id = c.environment_id AND k.id = c.test_clock_id
    WHERE l.look_at <= greatest(statement_timestamp(), (SELECT max(now) FROM test_clocks))
        AND l.look_at <= coalesce(k.now, statement_timestamp())
"""
_ANSWERED = """
    SELECT a.customer_id, a.currency FROM automatic_top_up_attempts a
    JOIN requests r ON r.environment_id = a.environment_id AND r.id = a.request_id
    LEFT JOIN top_ups t ON t.environment_id = a.environment_id AND t.request_id = a.request_id
    LEFT JOIN invoices i ON i.environment_id = t.environment_id AND i.id = t.invoice_id
    WHERE a.status = 'pending' AND (r.status = 'refused' OR i.status IN ('paid', 'void'))
"""
_DUE = text(f"""
    SELECT d.customer_id, d.currency FROM ({_CHANGED} UNION {_TIMELY} UNION {_ANSWERED}) d
    JOIN customers c ON c.id = d.customer_id
    LEFT JOIN test_clocks k ON k.environment_id = c.environment_id AND k.id = c.test_clock_id
    WHERE k.status IS DISTINCT FROM 'advancing'
    ORDER BY random() LIMIT :limit
""")
_WATCHED = text("""
    UPDATE wallets SET watched = greatest(watched, :changed)
    WHERE customer_id = :customer AND currency = :currency
""")
_FORGET = text("DELETE FROM wallet_looks WHERE customer_id = :customer AND currency = :currency")
_LOOK_AGAIN = text("""
    INSERT INTO wallet_looks (environment_id, customer_id, currency, look_at)
    VALUES (:environment, :customer, :currency, :at)
    ON CONFLICT (environment_id, customer_id, currency) DO UPDATE SET look_at = excluded.look_at
""")
_SEEN = text("""
    UPDATE alerts SET open_after = pg_snapshot_xmax(pg_current_snapshot()) WHERE NOT is_open AND open_after IS NULL
""")
_TO_OPEN = text("""
    SELECT id FROM alerts WHERE NOT is_open AND open_after <= pg_snapshot_xmin(pg_current_snapshot()) ORDER BY id
""")
_OPEN_RUNNING = text("""
    INSERT INTO wallets (environment_id, customer_id, currency, posted_until)
    SELECT DISTINCT u.environment_id, u.customer_id, u.currency, timestamptz '-infinity'
    FROM alerts a JOIN running_usage u ON u.environment_id = a.environment_id AND u.currency = a.currency
    JOIN subscriptions s ON s.id = u.subscription_id
    WHERE a.id = :alert AND (a.customer_id IS NULL OR a.customer_id IN (u.customer_id, s.customer_id))
    ORDER BY u.customer_id, u.currency
    ON CONFLICT (environment_id, customer_id, currency) DO UPDATE SET changed = wallets.changed + 1
        WHERE wallets.changed = wallets.watched
""")
_LOOK_AT_OTHERS = text("""
    UPDATE wallets w SET changed = changed + 1 FROM alerts a
    WHERE a.id = :alert AND w.changed = w.watched AND w.currency = a.currency
        AND w.customer_id = coalesce(a.customer_id, w.customer_id)
""")
_OPENED = text("UPDATE alerts SET is_open = true WHERE id = :alert")
_OPEN_TO_ALERTS = text("""
    INSERT INTO wallets (environment_id, customer_id, currency, posted_until)
    SELECT :environment, :payer, :currency, timestamptz '-infinity' WHERE EXISTS (
        SELECT FROM alerts WHERE currency = :currency
            AND (customer_id IS NULL OR customer_id IN (:payer, :customer)))
    ON CONFLICT DO NOTHING
""")


async def wallets_to_watch(connection: AsyncConnection, limit: int) -> Sequence[Payer]:
    """Those that changed since they were last looked at, and those that are to be looked at again by now: where there are
    more than can be looked at, any of them, so that none waits for ever.
    """
    rows = await connection.execute(_DUE, {"limit": limit})
    return [Payer(*row) for row in rows]


async def look_at(connection: AsyncConnection, environment: str, payer: Payer) -> Watched:
    """A wallet as it is now. Its customer is locked: who looks and acts on it does so alone."""
    await lock_customer(connection, payer.customer)
    found = await wallets_of(connection, environment, payer.customer)
    row = next(each for each in found if each.wallet.currency == payer.currency)
    at = await time_of(connection, payer.customer)
    return Watched(environment, payer, row.wallet, row.changed, at)


async def note_look(
    connection: AsyncConnection, watched: Watched, again_at: datetime | None
) -> None:
    """Somebody has looked at a wallet, and wants to look again at an instant."""
    who = {"customer": watched.payer.customer, "currency": watched.payer.currency}
    await connection.execute(_WATCHED, {**who, "changed": watched.changed})
    if again_at is None:
        await connection.execute(_FORGET, who)
    else:
        look = {**who, "environment": watched.environment, "at": again_at}
        await connection.execute(_LOOK_AGAIN, look)


async def open_to_new_alerts(connection: AsyncConnection) -> None:
    """Have wallets for those whom new alerts of money watch, look at those that there are, and at the customers whom
    others watch. In READ COMMITTED.
    """
    await connection.execute(_SEEN)
    for (alert,) in (await connection.execute(_TO_OPEN)).all():
        await connection.execute(_OPEN_RUNNING, {"alert": alert})
        await connection.execute(_LOOK_AT_OTHERS, {"alert": alert})
        await look_at_all_concerned(connection, alert)
        await connection.execute(_OPENED, {"alert": alert})


async def open_to_alerts(
    connection: AsyncConnection, environment: str, payer: Payer, customer: str
) -> None:
    """Have a wallet where some alert watches what runs up for a payer of a customer."""
    who = {"payer": payer.customer, "currency": payer.currency, "customer": customer}
    await connection.execute(_OPEN_TO_ALERTS, {**who, "environment": environment})
