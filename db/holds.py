"""Holds as rows: found, and written down as they end. What they claim is in `db.claims`, how they begin in `db.reserving`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.claims import give_back
from domain.decimals import plain
from domain.errors import NotFound
from domain.holds import Hold, HoldStatus


@dataclass(frozen=True, slots=True)
class HoldRow:
    """`now` is what the clock of the hold's customer shows, whose key is `customer_key`."""

    hold: Hold
    customer_key: str
    now: datetime


_SELECT = """
    SELECT h.id, h.key, h.customer_id, h.payer_id, h.currency, h.feature, h.held, h.claim, h.created_at, h.expires_at,
        h.status, h.ended_at, h.used, h.event_id, h.content, h.unit, h.unit_rate,
        c.key AS customer_key, coalesce(t.now, clock_timestamp()) AS now
    FROM holds h
    JOIN customers c ON c.environment_id = h.environment_id AND c.id = h.customer_id
    LEFT JOIN test_clocks t ON t.environment_id = c.environment_id AND t.id = c.test_clock_id
"""
_FIND = text(f"""
    {_SELECT} WHERE h.key = :name OR h.id = :name ORDER BY coalesce(h.key = :name, false) DESC LIMIT 1
""")
_LOCK = text(f"{_SELECT} WHERE h.id = :id FOR UPDATE OF h")
_LIST = text(f"""
    SELECT * FROM ({_SELECT}) h
    WHERE id > :after AND (CAST(:customer AS text) IS NULL OR customer_id = :customer)
        AND (CAST(:status AS text) IS NULL
            OR CASE WHEN status = 'open' AND expires_at <= now THEN 'expired' ELSE status END = :status)
    ORDER BY id LIMIT :limit
""")
_KEEP = text("""
    UPDATE holds SET status = :status, ended_at = :ended_at, claim = CAST(CAST(:claim AS text) AS numeric),
        used = CAST(CAST(:used AS text) AS numeric), event_id = :event, content = :content,
        settled_tx = CASE WHEN :status = 'settled' THEN pg_current_xact_id() END
    WHERE id = :id
""")


async def find_hold(connection: AsyncConnection, name: str) -> HoldRow:
    """By key or id; a key goes before an id. Raises `NotFound`."""
    row = (await connection.execute(_FIND, {"name": name})).one_or_none()
    if row is None:
        raise NotFound(f"there is no hold {name}")
    return _read(row)


async def lock_hold(connection: AsyncConnection, hold_id: str) -> HoldRow:
    """One that nobody else ends until the transaction does, as whoever had it before has left it."""
    return _read((await connection.execute(_LOCK, {"id": hold_id})).one())


async def find_holds(
    connection: AsyncConnection,
    limit: int,
    after: str,
    customer: str | None,
    status: HoldStatus | None,
) -> Sequence[HoldRow]:
    """Those with an id greater than `after`, oldest first; `customer` is an id."""
    asked = {"limit": limit, "after": after, "customer": customer, "status": status}
    return [_read(row) for row in await connection.execute(_LIST, asked)]


async def keep_hold(connection: AsyncConnection, before: Hold, after: Hold) -> None:
    """Write down how a locked hold goes on, and give back what it claims no longer."""
    row = {
        "id": after.id,
        "status": after.status,
        "ended_at": after.ended_at,
        "claim": plain(after.claim),
        "used": None if after.used is None else plain(after.used),
        "event": after.event,
        "content": after.content,
    }
    await connection.execute(_KEEP, row)
    if after.claim != before.claim:
        await give_back(connection, after, before.claim - after.claim)


def _read(row: Row[Any]) -> HoldRow:
    hold = Hold(
        id=row.id,
        key=row.key,
        customer=row.customer_id,
        payer=row.payer_id,
        currency=row.currency,
        feature=row.feature,
        held=Fraction(row.held),
        claim=Fraction(row.claim),
        created_at=row.created_at,
        expires_at=row.expires_at,
        status=row.status,
        ended_at=row.ended_at,
        used=None if row.used is None else Fraction(row.used),
        event=row.event_id,
        content=row.content,
        unit=row.unit,
        unit_rate=None if row.unit_rate is None else Fraction(row.unit_rate),
    )
    return HoldRow(hold, row.customer_key, row.now)
