"""Usage that cannot wait for a period's end: charged as it arrives, or come after a final invoice."""

from dataclasses import dataclass

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
# The end of the log by transaction first: it is short. Then whose plan charges such usage in advance, and which closed
# windows of a life that is over it falls into.
_ARRIVED = text("""
    WITH news AS MATERIALIZED (
        SELECT id, customer_id, subscription_id, event_name, time, tx, seq FROM usage_events
        WHERE environment_id = :environment
            AND tx >= CAST(CAST(:since AS text) AS xid8) AND tx < CAST(CAST(:until AS text) AS xid8)
    )
    SELECT s.id, s.status = 'cancelled', e.tx::text, (array_agg(e.id ORDER BY e.seq DESC))[1]
    FROM news e
    JOIN subscriptions s ON s.environment_id = :environment AND s.customer_id = e.customer_id
        AND coalesce(e.subscription_id, s.id) = s.id
    WHERE coalesce(s.test_clock_id, '') = :clock AND CASE
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
                AND i ->> 'charged' = 'in_advance' AND m.document ->> 'event_name' = e.event_name
        )
        ELSE false
    END
    GROUP BY s.id, s.status, s.seq, e.tx ORDER BY e.tx, s.seq
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
    rows = await connection.execute(_ARRIVED, asked)
    return [Arrived(row[0], row[1], int(row[2]), row[3]) for row in rows], until


async def have_seen(connection: AsyncConnection, environment: str, clock: str, until: int) -> None:
    """All that arrived before that horizon has been told on."""
    row = {"environment": environment, "clock": clock, "until": str(until)}
    await connection.execute(_SEEN, row)
