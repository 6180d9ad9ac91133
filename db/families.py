"""Who belongs to whom, since when: rows that usage is pooled by, and that say who pays."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.allowances import mark_stale
from db.locks import lock_customer
from domain.customers import Billing
from domain.families import EVER, Member, Relative
from domain.metering.consumption import BEGINNING

_RELATIVE = text("""
    SELECT c.id, c.key, m.parent_id,
        EXISTS (SELECT FROM memberships k WHERE k.environment_id = c.environment_id
            AND k.parent_id = c.id AND k.until IS NULL),
        c.test_clock_id
    FROM customers c
    LEFT JOIN memberships m ON m.environment_id = c.environment_id AND m.child_id = c.id
        AND m.until IS NULL
    WHERE c.id = :customer
""")
_JOIN = text("""
    INSERT INTO memberships (environment_id, parent_id, child_id, billing, since)
    VALUES (:environment, :parent, :child, :billing, :since)
""")
# Who belongs to a parent from the beginning has never belonged to any.
_BE_BORN = text("""
    INSERT INTO memberships (environment_id, parent_id, child_id, billing)
    SELECT :environment, :parent, :child, :billing
    WHERE NOT EXISTS (SELECT FROM memberships WHERE child_id = :child)
""")
_LEAVE = text("""
    UPDATE memberships SET until = :at, left_tx = pg_current_xact_id()
    WHERE child_id = :child AND until IS NULL RETURNING parent_id
""")
_BILL = text("UPDATE memberships SET billing = :billing WHERE child_id = :child AND until IS NULL")
_LIVING = text("""
    SELECT key, state ->> 'payer' FROM subscriptions
    WHERE customer_id = :customer AND status <> 'cancelled' ORDER BY seq
""")
_MEMBERS = text("""
    SELECT child_id, since,
        CASE WHEN left_tx < CAST(CAST(:known AS text) AS xid8) THEN until END
    FROM memberships
    WHERE parent_id = :parent AND tx < CAST(CAST(:known AS text) AS xid8) ORDER BY seq
""")


async def lock_family(connection: AsyncConnection, *customers: str) -> None:
    """As `lock_customer`, of several: in one order, so that nobody waits in a circle."""
    for customer in sorted(set(customers)):
        await lock_customer(connection, customer)


async def relative(connection: AsyncConnection, customer: str) -> Relative:
    """Where a customer, by its id, stands in its family."""
    return Relative(*(await connection.execute(_RELATIVE, {"customer": customer})).one())


async def is_born_to(
    connection: AsyncConnection, environment: str, child: str, parent: str, billing: Billing
) -> None:
    """A new customer belongs to a parent from the beginning; a repeat changes nothing."""
    row = {"environment": environment, "parent": parent, "child": child, "billing": billing}
    await connection.execute(_BE_BORN, row)
    await mark_stale(connection, child, parent)


async def joins(
    connection: AsyncConnection,
    environment: str,
    child: str,
    parent: str,
    billing: Billing,
    since: datetime,
) -> None:
    row = {"environment": environment, "parent": parent, "child": child, "billing": billing}
    await connection.execute(_JOIN, {**row, "since": since})
    await mark_stale(connection, child, parent)


async def leaves(connection: AsyncConnection, child: str, at: datetime) -> None:
    left = await connection.execute(_LEAVE, {"child": child, "at": at})
    await mark_stale(connection, child, *left.scalars())


async def is_billed_to(connection: AsyncConnection, child: str, billing: Billing) -> None:
    await connection.execute(_BILL, {"child": child, "billing": billing})


async def payers_of_living(
    connection: AsyncConnection, customer: str
) -> Sequence[tuple[str, str | None]]:
    """A customer's subscriptions that are not over, by their keys, each with who pays for it if that is another."""
    rows = await connection.execute(_LIVING, {"customer": customer})
    return [(key, payer) for key, payer in rows]


async def children_known(
    connection: AsyncConnection, parent: str, known: int
) -> tuple[Member, ...]:
    """Who has belonged to a parent, and when, as transactions before `known` had it."""
    rows = await connection.execute(_MEMBERS, {"parent": parent, "known": str(known)})
    return tuple(Member(child, since or BEGINNING, until or EVER) for child, since, until in rows)
