"""Usage that cannot wait for a period's end: charged as it arrives, or come after a final invoice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.usage_horizon import cut_off


@dataclass(frozen=True, slots=True)
class Arrived:
    """The events of one transaction of the usage log that concern a subscription; `event` is the last of them."""

    subscription: str
    is_over: bool
    transaction: int
    event: str


_SINCE = text("SELECT watermark::text FROM usage_arrivals WHERE clock = :clock")
_SEEN = text("""
    INSERT INTO usage_arrivals AS kept (environment_id, clock, watermark)
    VALUES (:environment, :clock, CAST(CAST(:until AS text) AS xid8))
    ON CONFLICT (environment_id, clock)
        DO UPDATE SET watermark = greatest(kept.watermark, excluded.watermark)
""")
# Whether usage may be charged as it arrives: the plan says so, or it falls into a closed window of a life that is over.
_CHARGED_AS_IT_ARRIVES = """CASE
        WHEN s.status = 'cancelled' THEN EXISTS (
            SELECT FROM billed_usage b WHERE b.environment_id = s.environment_id
                AND b.subscription_id = s.id AND e.time < b.window_end
        )
        WHEN s.status IN ('active', 'paused') THEN EXISTS (
            SELECT FROM plans p
            JOIN plan_versions v ON v.plan_id = p.id AND v.version = s.plan_version
            CROSS JOIN jsonb_array_elements(v.document -> 'items') AS i
            JOIN meters m ON m.environment_id = p.environment_id AND m.key = i ->> 'meter'
            WHERE p.environment_id = s.environment_id AND p.key = s.plan_key
                AND (i ->> 'charged' = 'in_advance' OR jsonb_typeof(v.document -> 'progressive_invoicing') = 'object')
                AND m.document ->> 'event_name' = e.event_name
        )
        ELSE false
    END"""
# Whose usage a subscription measures, and from when to when: its customer's, and where it pools theirs the children's.
_MEMBERS = """SELECT s.customer_id AS customer, NULL::timestamptz AS since, NULL::timestamptz AS until
        UNION ALL
        SELECT m.child_id, m.since, m.until FROM memberships m
        WHERE m.environment_id = s.environment_id AND m.parent_id = s.customer_id AND s.pools_usage"""
# The end of the log by transaction first: it is short. Then who pools it.
_ARRIVED = text(f"""
    WITH news AS MATERIALIZED (
        SELECT id, customer_id, subscription_id, event_name, time, tx, seq FROM usage_events
        WHERE environment_id = :environment
            AND tx >= CAST(CAST(:since AS text) AS xid8) AND tx < CAST(CAST(:until AS text) AS xid8)
    ), counted AS (
        SELECT *, customer_id AS counts_for, false AS is_pooled FROM news
        UNION ALL
        SELECT n.*, m.parent_id, true FROM news n
        JOIN memberships m ON m.environment_id = :environment AND m.child_id = n.customer_id
            AND n.time >= coalesce(m.since, '-infinity') AND n.time < coalesce(m.until, 'infinity')
    )
    SELECT s.id, s.status = 'cancelled', e.tx::text, (array_agg(e.id ORDER BY e.seq DESC))[1]
    FROM counted e
    JOIN subscriptions s ON s.environment_id = :environment AND s.customer_id = e.counts_for
        AND coalesce(e.subscription_id, s.id) = s.id AND (s.pools_usage OR NOT e.is_pooled)
    WHERE coalesce(s.test_clock_id, '') = :clock AND {_CHARGED_AS_IT_ARRIVES}
    GROUP BY s.id, s.status, s.seq, e.tx ORDER BY e.tx, s.seq
""")
# A window may be closed without anything to invoice.
_LAST = """SELECT cut_off FROM (
        (SELECT cut_off FROM invoices WHERE subscription_id = {of} AND cut_off IS NOT NULL
            ORDER BY cut_off DESC LIMIT 1)
        UNION ALL
        (SELECT cut_off FROM billed_usage WHERE subscription_id = {of}
            ORDER BY cut_off DESC LIMIT 1)
    ) AS decided ORDER BY cut_off DESC LIMIT 1"""
_DECIDED = text(f"SELECT cut_off::text FROM ({_LAST.format(of=':subscription')}) AS last")
# Told on, as far as was looked, but after all that was decided.
_UNDECIDED = text(f"""
    SELECT s.id, s.status = 'cancelled', e.tx::text, (array_agg(e.id ORDER BY e.seq DESC))[1]
    FROM subscriptions s
    JOIN usage_arrivals seen ON seen.environment_id = s.environment_id
        AND seen.clock = coalesce(s.test_clock_id, '')
    CROSS JOIN LATERAL ({_LAST.format(of="s.id")}) AS last
    CROSS JOIN LATERAL ({_MEMBERS}) AS f
    JOIN usage_events e ON e.environment_id = s.environment_id AND e.customer_id = f.customer
        AND e.time >= coalesce(f.since, '-infinity') AND e.time < coalesce(f.until, 'infinity')
        AND coalesce(e.subscription_id, s.id) = s.id
        AND e.tx >= last.cut_off AND e.tx < seen.watermark
    WHERE s.id = ANY(:subscriptions) AND {_CHARGED_AS_IT_ARRIVES}
    GROUP BY s.id, s.status, s.seq, e.tx ORDER BY e.tx, s.seq
""")
_LATE = text("""
    SELECT s.id FROM subscriptions s WHERE s.status = 'cancelled' AND s.id > :after
    ORDER BY s.id LIMIT :limit
""")
_LOGGED = text("""
    SELECT DISTINCT tx::text FROM usage_events
    WHERE environment_id = :environment AND tx = ANY(CAST(CAST(:transactions AS text[]) AS xid8[]))
""")


async def arrivals(
    connection: AsyncConnection, environment: str, clock: str = ""
) -> tuple[list[Arrived], int]:
    """What has arrived since it was last looked for, in the order of the log, and the horizon up to which that is
    all. Of those who live on `clock`, or in real time.
    """
    until = await cut_off(connection)
    since = (await connection.execute(_SINCE, {"clock": clock})).scalar_one_or_none() or "0"
    asked = {"environment": environment, "clock": clock, "since": since, "until": str(until)}
    return _read(await connection.execute(_ARRIVED, asked)), until


async def decided_up_to(connection: AsyncConnection, subscription: str) -> int:
    """The furthest horizon of the log up to which it was decided what a subscription's usage costs; 0 where none was."""
    found = await connection.execute(_DECIDED, {"subscription": subscription})
    return int(found.scalar_one_or_none() or 0)


async def have_seen(connection: AsyncConnection, environment: str, clock: str, until: int) -> None:
    """All that arrived before that horizon has been told on."""
    row = {"environment": environment, "clock": clock, "until": str(until)}
    await connection.execute(_SEEN, row)


async def undecided_arrivals(
    connection: AsyncConnection, subscriptions: Sequence[str]
) -> Sequence[Arrived]:
    """What was told on to these subscriptions, by id, and may not have been charged: nothing later was decided yet."""
    return _read(await connection.execute(_UNDECIDED, {"subscriptions": list(subscriptions)}))


async def lives_that_are_over(
    connection: AsyncConnection, limit: int, after: str = ""
) -> Sequence[str]:
    """The ids of cancelled subscriptions, of those greater than `after`, in order."""
    return list(await connection.scalars(_LATE, {"after": after, "limit": limit}))


async def logged(
    connection: AsyncConnection, environment: str, transactions: Sequence[int]
) -> frozenset[int]:
    """Those of these transactions that brought usage."""
    asked = {"environment": environment, "transactions": [str(each) for each in transactions]}
    return frozenset(int(each) for each in await connection.scalars(_LOGGED, asked))


def _read(rows: Iterable[Any]) -> list[Arrived]:
    return [Arrived(row[0], row[1], int(row[2]), row[3]) for row in rows]
