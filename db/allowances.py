"""Allowances in rows: the answer to all checks of a feature by one customer, read in one statement.

A row is a cache that is never wrong. It is fresh until something marks it stale, in the transaction of the change, until
the instant at which time alone makes it another, or until the log has news of a customer whose events it counts. Where
what was used is one sum, the news is added to it as it is read. Else it is computed again (`db.entitling`), and what was
computed is kept only where nothing was changed meanwhile, which moves `generation`, and nobody has kept what is younger.
What is reserved belongs to holds, and no computation touches it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.customer_looks import asking
from db.meters import parsed_meter
from db.session import write_json
from db.usage_horizon import Snapshot, read_snapshot
from domain.allowances import Allowance
from domain.calendar import Period
from domain.decimals import plain
from domain.plans import FeatureType
from domain.tallies import Arrived, Tally

NOTHING = Fraction(0)
MOST_NEWS = 200  # events that are added up as they are read: to compute more is as quick
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
    """An allowance as a snapshot has it, of events of the customers `counted`; what was used, where that is a `tally`."""

    type: FeatureType
    allowance: Allowance
    counted: tuple[str, ...]
    seen: Snapshot
    at: datetime
    tally: Tally | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a customer's row says at an instant; without one, `generation` is None. `id` and `key` are the customer's. What
    settled holds claim until the row counts what they used is not `reserved`: `settled` is how much that is. The row is as
    the snapshot `seen` has it, what is told of it as `looked` has.
    """

    id: str
    key: str
    generation: int | None = None
    is_fresh: bool = False
    type: FeatureType | None = None
    allowance: Allowance = NOTHING_KNOWN
    reserved: Fraction = Fraction(0)
    settled: Fraction = Fraction(0)
    seen: str | None = None
    looked: str | None = None


_SAID = """a.generation, a.type, a.value, a.hard_limit::text, a.soft_limit::text, a.on_limit, a.used::text,
    a.resets_at, a.reason, a.valid_until"""

# A build that knows no tallies moves the watermark alone.
IS_KEPT = "NOT a.stale AND pg_snapshot_xmin(a.seen) = a.watermark"
NEWS = """
    usage_news n WHERE n.environment_id = a.environment_id AND n.customer_id = ANY(a.counted)
        AND n.tx >= a.watermark AND NOT pg_visible_in_snapshot(n.tx, a.seen)
"""
"""The news of an allowance `a`: of transactions that it has not seen."""

# What is reserved of an allowance `a` for holds that claim it no longer, at the time `t` of its customer.
_GONE = """
    LEFT JOIN LATERAL (
        SELECT sum(h.claim) FILTER (WHERE h.status = 'open') AS expired,
            sum(h.claim) FILTER (WHERE h.status = 'settled') AS settled
        FROM holds h
        WHERE a.reserved > 0 AND h.environment_id = a.environment_id AND h.payer_id = a.customer_id
            AND h.feature = a.feature AND (
                h.status = 'open' AND h.expires_at <= coalesce(t.now, :now) OR h.status = 'settled' AND h.claim > 0
            )
    ) gone ON true
"""


def finding(asked: str) -> str:
    """One statement, of single probes: customer, row, the news of it, and what is reserved for holds that claim it no longer:
    those that have expired are worth nothing, and what is settled is in the news. Found in that order whatever the planner
    knows of the tables (OFFSET 0 keeps it so).
    """
    return f"""
        SELECT q.place, c.id, c.key,
            coalesce({IS_KEPT} AND coalesce(a.valid_until > coalesce(t.now, :now), true), false) AS is_kept,
            {_SAID}, news.events AS news, a.reserved::text, CAST(gone.expired AS text), CAST(gone.settled AS text),
            a.seen::text, pg_current_snapshot()::text AS looked, a.window_start, a.window_end, a.subscription_id,
            a.measured::text, CASE WHEN news.events IS NOT NULL THEN (
                SELECT document::text FROM meters WHERE environment_id = a.environment_id AND key = a.meter
            ) END AS meter
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
        LEFT JOIN LATERAL (
            SELECT json_agg(told.events) AS events FROM (
                SELECT CASE WHEN a.meter IS NOT NULL THEN n.events END AS events FROM {NEWS}
                LIMIT CASE WHEN a.meter IS NULL THEN 1 ELSE {MOST_NEWS + 1} END
            ) told
        ) news ON true
        {_GONE}
    """


# Apart for one, which most ask for: of arrays the planner knows nothing, and would plan each time anew.
_FIND_ONE = text(finding("(SELECT CAST(:customer AS text), CAST(:feature AS text), 1)"))
_FIND = text(
    finding("unnest(CAST(:customers AS text[]), CAST(:features AS text[])) WITH ORDINALITY")
)
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
_GENERATIONS = text(f"""
    SELECT a.customer_id, a.feature, a.generation,
        (a.reserved - coalesce(gone.expired, 0) - coalesce(gone.settled, 0))::text
    FROM unnest(CAST(:customers AS text[]), CAST(:features AS text[])) AS q (customer, feature)
    JOIN allowances a ON a.customer_id = q.customer AND a.feature = q.feature
    JOIN customers c ON c.environment_id = a.environment_id AND c.id = a.customer_id
    LEFT JOIN test_clocks t ON t.environment_id = c.environment_id AND t.id = c.test_clock_id
    {_GONE}
""")
_LOCK = text("""
    SELECT generation, seen::text, reserved::text, announced FROM allowances
    WHERE customer_id = :customer AND feature = :feature FOR UPDATE
""")
_KEEP = text("""
    UPDATE allowances SET stale = false, seen = CAST(CAST(:seen AS text) AS pg_snapshot),
        watermark = pg_snapshot_xmin(CAST(CAST(:seen AS text) AS pg_snapshot)),
        meter = :meter, subscription_id = :subscription, window_start = :start, window_end = :end,
        measured = CAST(CAST(:measured AS text) AS numeric),
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
    found = {row.place: found_in(row) for row in rows}
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
    """The generation of each row that there is, and what is reserved on it for calls that are under way: what holds were
    settled with is in what was used, as the same snapshot has it.
    """
    pairs = [(each.customer, each.feature) for each in asked]
    rows = await connection.execute(_GENERATIONS, {**_columns(pairs), "now": datetime.now(UTC)})
    return {Asked(row[0], row[1]): (row[2], Fraction(row[3])) for row in rows}


@dataclass(frozen=True, slots=True)
class Locked:
    """A row that nobody else changes until the transaction ends, and the answer that was announced of it last."""

    generation: int
    seen: Snapshot | None
    reserved: Fraction
    announced: Mapping[str, object] | None


async def lock_allowance(connection: AsyncConnection, asked: Asked) -> Locked | None:
    """A row, once those have ended who are changing it. In READ COMMITTED only."""
    row = {"customer": asked.customer, "feature": asked.feature}
    found = (await connection.execute(_LOCK, row)).one_or_none()
    if found is None:
        return None
    seen = None if found[1] is None else read_snapshot(found[1])
    return Locked(found[0], seen, Fraction(found[2]), found[3])


async def keep_allowance(
    connection: AsyncConnection,
    asked: Asked,
    computed: Computed,
    announced: Mapping[str, object] | None,
) -> None:
    """Put what was computed in a locked row, all but what is reserved."""
    told, tally = computed.allowance, computed.tally
    row = {
        "customer": asked.customer,
        "feature": asked.feature,
        "seen": computed.seen.written,
        "meter": tally and tally.meter.key,
        "subscription": tally and tally.subscription,
        "start": tally and tally.window.start,
        "end": tally and tally.window.end,
        "measured": None if tally is None else _numeric(tally.measured),
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


def found_in(row: Row[Any]) -> Found:
    """What `finding` has found."""
    if row.generation is None:
        return Found(row.id, row.key)
    value = tuple(row.value) if isinstance(row.value, list) else row.value
    used = _used(row)
    allowance = Allowance(
        value=value,
        limit=_fraction(row.hard_limit),
        soft_limit=_fraction(row.soft_limit),
        on_limit=row.on_limit,
        used=_fraction(row.used) if used is None else used,
        resets_at=row.resets_at,
        reason=row.reason,
        valid_until=row.valid_until,
    )
    settled, expired = _fraction(row.settled) or NOTHING, _fraction(row.expired) or NOTHING
    return Found(
        id=row.id,
        key=row.key,
        generation=row.generation,
        is_fresh=row.is_kept and (row.news is None or used is not None),
        type=row.type,
        allowance=allowance,
        reserved=Fraction(row.reserved) - settled - expired,
        settled=settled,
        seen=row.seen,
        looked=row.looked,
    )


def _used(row: Row[Any]) -> Fraction | None:
    """What was used with the news of it. None where there is no news, or it is too long or not told."""
    if row.news is None or row.meter is None or None in row.news:
        return None
    news = [event for events in row.news for event in events]
    if len(row.news) > MOST_NEWS or len(news) > MOST_NEWS:
        return None
    window = Period(row.window_start, row.window_end)
    tally = Tally(parsed_meter(row.meter), window, row.subscription_id, Fraction(row.measured))
    return tally.with_arrived(_arrived(*event) for event in news).used


def _arrived(
    name: str, subscription: str | None, time: str, properties: Mapping[str, object], voids: bool
) -> Arrived:
    return Arrived(name, subscription, datetime.fromisoformat(time), properties, voids)


def _numeric(value: Fraction | None) -> str | None:
    """As text that `numeric` reads exactly; of what does not end, so many digits as are shown."""
    return None if value is None else plain(value)


def _fraction(written: str | None) -> Fraction | None:
    return None if written is None else Fraction(written)
