"""Which allowances the pump keeps up: what has become stale, has come to its end, or is behind the usage log, is to be
computed again, so that checks find it fresh or little news to add, and those who keep answers are told.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.allowances import IS_KEPT, Asked
from db.customer_looks import asking
from db.session import Database
from db.usage_horizon import cut_off

_IS_SUM = f"a.meter IS NOT NULL AND {IS_KEPT}"
# An allowance `a` whose sum is read with some news `n` of its customer, until the sum itself has it.
_WAITS = f"{_IS_SUM} AND NOT pg_visible_in_snapshot(n.tx, a.seen)"
_WAITED_FOR = f"""
    EXISTS (
        SELECT FROM allowances a
        WHERE a.environment_id = n.environment_id AND a.customer_id = n.customer_id AND {_WAITS}
    )
"""
# News behind the horizon is taken away, or noted as long as a sum waits for it.
_TAKE_NEWS = text(f"""
    WITH taken AS (
        DELETE FROM usage_news n
        WHERE environment_id = :environment AND tx < CAST(CAST(:horizon AS text) AS xid8) AND NOT {_WAITED_FOR}
        RETURNING customer_id, tx, noted
    ), told AS (
        UPDATE usage_news n SET noted = true
        WHERE environment_id = :environment AND tx < CAST(CAST(:horizon AS text) AS xid8) AND NOT noted
            AND {_WAITED_FOR}
        RETURNING customer_id, tx
    )
    SELECT customer_id, tx::text, true FROM taken WHERE NOT noted
    UNION ALL SELECT customer_id, tx::text, false FROM told
""")
# What it concerns is marked stale: of whoever it is of, of the parent, and of the children of either. What is being computed
# just now may not know of it, stale as it is: its generation moves, too. Who watches any of them looks at them. A row that
# somebody keeps in this moment is waited for, and then held against all of the news once more (OFFSET 0 keeps it so; of what
# is joined to a row only that which was found before is looked at again).
_PASS_ON = text(f"""
    WITH news AS (
        SELECT * FROM unnest(CAST(:customers AS text[]), CAST(:txs AS xid8[]), CAST(:are_gone AS boolean[]))
            AS n (customer_id, tx, is_gone)
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
                SELECT FROM news n WHERE NOT coalesce(pg_visible_in_snapshot(n.tx, a.seen), false)
                    AND (a.stale OR n.customer_id = ANY(a.counted))
                    AND (n.is_gone OR NOT coalesce({_IS_SUM}, false))
                OFFSET 0
            )
        ORDER BY a.customer_id, a.feature FOR UPDATE OF a
    )
    UPDATE allowances a SET stale = true, generation = generation + 1
    FROM behind b WHERE a.customer_id = b.customer_id AND a.feature = b.feature
""")
_IS_NEWS = text("SELECT EXISTS (SELECT FROM usage_news WHERE environment_id = :environment)")
_DUE = text(f"""
    SELECT customer_id, feature FROM (
        SELECT customer_id, feature FROM allowances WHERE environment_id = :environment AND stale
        UNION
        SELECT a.customer_id, a.feature FROM allowances a
        JOIN customers c ON c.environment_id = a.environment_id AND c.id = a.customer_id
        LEFT JOIN test_clocks t ON t.environment_id = c.environment_id AND t.id = c.test_clock_id
        WHERE a.environment_id = :environment AND NOT a.stale
            AND a.valid_until <= greatest(:now, (SELECT max(now) FROM test_clocks))
            AND a.valid_until <= coalesce(t.now, :now)
        UNION
        SELECT a.customer_id, a.feature FROM usage_news n
        JOIN allowances a ON a.environment_id = n.environment_id AND a.customer_id = n.customer_id
        WHERE n.environment_id = :environment AND n.noted AND {_WAITS}
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
        await take_news_before(connection, environment, await cut_off(connection))


async def take_news_before(connection: AsyncConnection, environment: str, horizon: int) -> None:
    """The same, up to a horizon."""
    asked = {"environment": environment, "horizon": str(horizon)}
    news = (await connection.execute(_TAKE_NEWS, asked)).all()
    if news:
        customers, txs, are_gone = (list(column) for column in zip(*news, strict=True))
        named = {"customers": customers, "txs": txs, "are_gone": are_gone}
        await connection.execute(_PASS_ON, {"environment": environment, **named})
