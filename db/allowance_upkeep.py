"""Which allowances the pump keeps up: what has become stale, has come to its end, or is behind the usage log, is to be
computed again, so that checks find it fresh and those who keep answers are told.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.allowances import Asked
from db.customer_looks import asking
from db.session import Database
from db.usage_horizon import cut_off

# News behind the horizon is taken away, and what it concerns is marked stale in the same statement: of whoever it is of,
# of the parent, and of the children of either. What is being computed just now may not know of it, stale as it is: its
# generation moves, too. Who watches any of them looks at them.
_TAKE_NEWS = text(f"""
    WITH news AS (
        DELETE FROM usage_news
        WHERE environment_id = :environment AND tx < CAST(CAST(:horizon AS text) AS xid8)
        RETURNING customer_id, tx
    ), elders AS (
        SELECT customer_id FROM news
        UNION SELECT parent_id FROM memberships WHERE child_id IN (SELECT customer_id FROM news)
    ), family AS (
        SELECT customer_id FROM elders
        UNION SELECT child_id FROM memberships
            WHERE parent_id IN (SELECT customer_id FROM elders)
    ), looks AS ({asking("SELECT customer_id FROM family")}), behind AS (
        SELECT a.customer_id, a.feature FROM allowances a
        WHERE a.environment_id = :environment AND a.customer_id IN (SELECT customer_id FROM family)
            AND EXISTS (
                SELECT FROM news n WHERE n.tx >= a.watermark
                    AND (a.stale OR n.customer_id = ANY(a.counted))
            )
        ORDER BY a.customer_id, a.feature FOR UPDATE
    )
    UPDATE allowances a SET stale = true, generation = generation + 1
    FROM behind b WHERE a.customer_id = b.customer_id AND a.feature = b.feature
""")
_IS_NEWS = text("SELECT EXISTS (SELECT FROM usage_news WHERE environment_id = :environment)")
_DUE = text("""
    SELECT customer_id, feature FROM (
        SELECT customer_id, feature FROM allowances WHERE environment_id = :environment AND stale
        UNION
        SELECT a.customer_id, a.feature FROM allowances a
        JOIN customers c ON c.environment_id = a.environment_id AND c.id = a.customer_id
        LEFT JOIN test_clocks t ON t.environment_id = c.environment_id AND t.id = c.test_clock_id
        WHERE a.environment_id = :environment AND NOT a.stale
            AND a.valid_until <= greatest(:now, (SELECT max(now) FROM test_clocks))
            AND a.valid_until <= coalesce(t.now, :now)
    ) due ORDER BY random() LIMIT :limit
""")


async def due_allowances(database: Database, environment: str, limit: int) -> Sequence[Asked]:
    """At most so many allowances of an environment that are old: where there are more, any of them, so that none waits
    for ever.
    """
    async with database.transaction(environment) as connection:
        await take_news(connection, environment)
        asked = {"environment": environment, "limit": limit, "now": datetime.now(UTC)}
        return [Asked(*row) for row in await connection.execute(_DUE, asked)]


async def take_news(connection: AsyncConnection, environment: str) -> None:
    """Whoever counts events of the log, up to its horizon, that are not in what is kept: that is stale now, and alerts
    look at it. In READ COMMITTED only.
    """
    asked = {"environment": environment}
    if (await connection.execute(_IS_NEWS, asked)).scalar_one():
        horizon = await cut_off(connection)
        await connection.execute(_TAKE_NEWS, {**asked, "horizon": str(horizon)})
