"""Allowances in rows: the answer to all checks of a feature by one customer, read in one statement.

A row is a cache that is never wrong. It is fresh until something marks it stale, in the transaction of the change, until
the instant at which time alone makes it another, or until the log has news of a customer whose events it counts. Then it
is computed again (`db.entitling`), and what was computed is kept only where nothing was changed meanwhile: that moves
`generation`. What is reserved belongs to holds, and no computation touches it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.customer_looks import asking
from db.session import write_json
from domain.allowances import Allowance
from domain.decimals import plain
from domain.plans import FeatureType

NOTHING_KNOWN = Allowance(reason="unknown")
CHANGES_LOCK = (
    1_786_404  # any number of our own: changes for a customer share it, who adds a row has it alone
)


@dataclass(frozen=True, slots=True, order=True)
class Asked:
    """A customer and a feature, by its key."""

    customer: str
    feature: str


@dataclass(frozen=True, slots=True)
class Computed:
    """An allowance as all knew it who have ended before `watermark`, of events of the customers `counted`."""

    type: FeatureType
    allowance: Allowance
    counted: tuple[str, ...]
    watermark: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """What a customer's row says at an instant; without one, `generation` is None. `id` and `key` are the customer's."""

    id: str
    key: str
    generation: int | None = None
    is_fresh: bool = False
    type: FeatureType | None = None
    allowance: Allowance = NOTHING_KNOWN
    reserved: Fraction = Fraction(0)


_SAID = """a.generation, a.type, a.value, a.hard_limit::text, a.soft_limit::text, a.on_limit, a.used::text,
    a.resets_at, a.reason, a.valid_until"""


def _finding(asked: str) -> TextClause:
    """One statement, of single probes: customer, row, whether there is news behind its watermark, and whether something
    is reserved for holds that have expired, which is worth nothing. Found in that order whatever the planner knows of the
    tables (OFFSET 0 keeps it so).
    """
    return text(f"""
        SELECT q.place, c.id, c.key, coalesce(
                NOT a.stale AND coalesce(a.valid_until > coalesce(t.now, :now), true) AND NOT EXISTS (
                    SELECT FROM usage_news n WHERE n.environment_id = a.environment_id
                        AND n.customer_id = ANY(a.counted) AND n.tx >= a.watermark
                ), false) AS is_fresh, {_SAID},
            (CASE WHEN a.reserved > 0 THEN a.reserved - coalesce((
                SELECT sum(h.claim) FROM holds h
                WHERE h.environment_id = a.environment_id AND h.payer_id = a.customer_id
                    AND h.feature = a.feature AND h.status = 'open'
                    AND h.expires_at <= coalesce(t.now, :now)
            ), 0) ELSE a.reserved END)::text AS reserved
        FROM {asked} AS q (customer, feature, place)
        CROSS JOIN LATERAL (
            SELECT * FROM (
                SELECT 1 AS rank, environment_id, id, key, test_clock_id FROM customers WHERE key = q.customer
                UNION ALL
                SELECT 2, environment_id, id, key, test_clock_id FROM customers WHERE id = q.customer
            ) AS named ORDER BY rank LIMIT 1
        ) c
        LEFT JOIN LATERAL (
            SELECT now FROM test_clocks WHERE id = c.test_clock_id OFFSET 0
        ) t ON true
        LEFT JOIN LATERAL (
            SELECT * FROM allowances WHERE environment_id = c.environment_id AND customer_id = c.id
                AND feature = q.feature OFFSET 0
        ) a ON true
    """)


# Apart for one, which most ask for: of arrays the planner knows nothing, and would plan each time anew.
_FIND_ONE = _finding("(SELECT CAST(:customer AS text), CAST(:feature AS text), 1)")
_FIND = _finding("unnest(CAST(:customers AS text[]), CAST(:features AS text[])) WITH ORDINALITY")
_SHARE = text("""
    SELECT pg_advisory_xact_lock_shared(:lock, hashtext(customer))
    FROM unnest(CAST(:customers AS text[])) AS customer
""")
_HAVE_ALONE = text("""
    SELECT pg_advisory_xact_lock(:lock, hashtext(customer))
    FROM unnest(CAST(:customers AS text[])) AS customer
""")
_PLACE = text("""
    INSERT INTO allowances (environment_id, customer_id, feature)
    SELECT :environment, customer, feature
    FROM unnest(CAST(:customers AS text[]), CAST(:features AS text[])) AS q (customer, feature)
    ON CONFLICT DO NOTHING
""")
_GENERATIONS = text("""
    SELECT a.customer_id, a.feature, a.generation, a.reserved::text
    FROM unnest(CAST(:customers AS text[]), CAST(:features AS text[])) AS q (customer, feature)
    JOIN allowances a ON a.customer_id = q.customer AND a.feature = q.feature
""")
_LOCK = text("""
    SELECT generation, reserved::text, announced FROM allowances
    WHERE customer_id = :customer AND feature = :feature FOR UPDATE
""")
_KEEP = text("""
    UPDATE allowances SET stale = false, watermark = CAST(CAST(:watermark AS text) AS xid8),
        counted = :counted, type = :type, value = CAST(:value AS jsonb),
        hard_limit = CAST(CAST(:hard_limit AS text) AS numeric),
        soft_limit = CAST(CAST(:soft_limit AS text) AS numeric), on_limit = :on_limit,
        used = CAST(CAST(:used AS text) AS numeric), reason = :reason, resets_at = :resets_at,
        valid_until = :valid_until, announced = CAST(:announced AS jsonb)
    WHERE customer_id = :customer AND feature = :feature
""")
# The customers, and all that belong or belonged to them: what a parent has may be what they may use. In one order, so
# that nobody waits in a circle. Who watches them looks at them, whether anything is kept or not.
_MARK = text(f"""
    WITH family AS (
        SELECT unnest(CAST(:customers AS text[])) AS id
        UNION SELECT child_id FROM memberships WHERE parent_id = ANY(:customers)
    ), looks AS ({asking("SELECT id FROM family")}), concerned AS (
        SELECT customer_id, feature FROM allowances WHERE customer_id IN (SELECT id FROM family)
        ORDER BY customer_id, feature FOR UPDATE
    )
    UPDATE allowances a SET stale = true, generation = generation + 1
    FROM concerned c WHERE a.customer_id = c.customer_id AND a.feature = c.feature
""")


async def find_allowances(
    connection: AsyncConnection, asked: Sequence[tuple[str, str]], now: datetime
) -> list[Found | None]:
    """What the rows say, for customers by key or id and features by key, in the order asked; None where there is no such
    customer. `now` is that of customers who live on no test clock.
    """
    if len(asked) == 1:
        ((customer, feature),) = asked
        one = {"customer": customer, "feature": feature, "now": now}
        rows = await connection.execute(_FIND_ONE, one)
    else:
        rows = await connection.execute(_FIND, {**_columns(asked), "now": now})
    found = {row.place: _found(row) for row in rows}
    return [found.get(place) for place in range(1, len(asked) + 1)]


async def place(
    connection: AsyncConnection, environment: str, asked: Collection[tuple[str, str]]
) -> None:
    """Have rows for customers, by id, and features, yet to be computed. Changes of these customers that are under way
    end before it, and those that begin later find the rows: none passes them by.
    """
    customers = sorted({customer for customer, _ in asked})
    await connection.execute(_HAVE_ALONE, {"lock": CHANGES_LOCK, "customers": customers})
    rows = {"environment": environment, **_columns(sorted(asked))}
    await connection.execute(_PLACE, rows)


async def generations(
    connection: AsyncConnection, asked: Iterable[Asked]
) -> dict[Asked, tuple[int, Fraction]]:
    """The generation of each row that there is, and what is reserved on it."""
    pairs = [(each.customer, each.feature) for each in asked]
    rows = await connection.execute(_GENERATIONS, _columns(pairs))
    return {Asked(row[0], row[1]): (row[2], Fraction(row[3])) for row in rows}


@dataclass(frozen=True, slots=True)
class Locked:
    """A row that nobody else changes until the transaction ends, and the answer that was announced of it last."""

    generation: int
    reserved: Fraction
    announced: Mapping[str, object] | None


async def lock_allowance(connection: AsyncConnection, asked: Asked) -> Locked | None:
    """A row, once those have ended who are changing it. In READ COMMITTED only."""
    row = {"customer": asked.customer, "feature": asked.feature}
    found = (await connection.execute(_LOCK, row)).one_or_none()
    return None if found is None else Locked(found[0], Fraction(found[1]), found[2])


async def keep_allowance(
    connection: AsyncConnection,
    asked: Asked,
    computed: Computed,
    announced: Mapping[str, object] | None,
) -> None:
    """Put what was computed in a locked row, all but what is reserved."""
    told = computed.allowance
    row = {
        "customer": asked.customer,
        "feature": asked.feature,
        "watermark": str(computed.watermark),
        "counted": list(computed.counted),
        "type": computed.type,
        "value": write_json(told.value),
        "hard_limit": _numeric(told.limit),
        "soft_limit": _numeric(told.soft_limit),
        "on_limit": told.on_limit,
        "used": _numeric(told.used),
        "reason": told.reason,
        "resets_at": told.resets_at,
        "valid_until": told.valid_until,
        "announced": write_json(announced),
    }
    await connection.execute(_KEEP, row)


async def mark_stale(connection: AsyncConnection, *customers: str) -> None:
    """What these customers may use is changed by this transaction: whatever is kept of it, and of those who belong to
    them, is to be computed again, and alerts look at it. In READ COMMITTED only.
    """
    named = sorted(set(customers))
    await connection.execute(_SHARE, {"lock": CHANGES_LOCK, "customers": named})
    await connection.execute(_MARK, {"customers": named})


def _columns(asked: Collection[tuple[str, str]]) -> dict[str, list[str]]:
    return {
        "customers": [customer for customer, _ in asked],
        "features": [feature for _, feature in asked],
    }


def _found(row: Row[Any]) -> Found:
    if row.generation is None:
        return Found(row.id, row.key)
    value = tuple(row.value) if isinstance(row.value, list) else row.value
    allowance = Allowance(
        value=value,
        limit=_fraction(row.hard_limit),
        soft_limit=_fraction(row.soft_limit),
        on_limit=row.on_limit,
        used=_fraction(row.used),
        resets_at=row.resets_at,
        reason=row.reason,
        valid_until=row.valid_until,
    )
    reserved = Fraction(row.reserved)
    return Found(row.id, row.key, row.generation, row.is_fresh, row.type, allowance, reserved)


def _numeric(value: Fraction | None) -> str | None:
    """As text that `numeric` reads exactly; of what does not end, so many digits as are shown."""
    return None if value is None else plain(value)


def _fraction(written: str | None) -> Fraction | None:
    return None if written is None else Fraction(written)
