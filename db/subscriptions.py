"""Subscriptions: each the whole of its state, with what it is searched by beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.allowances import mark_stale
from db.session import write_json
from domain.codec import from_plain, to_plain
from domain.errors import Conflict, NotFound
from domain.subscription import Subscription


@dataclass(frozen=True, slots=True)
class SubscriptionRow:
    """`state` is as it was after its last step. `overrides` are those of its plan's version, in the place of what the
    version `based_on` says; without any, that is the version itself.
    """

    state: Subscription
    created_at: datetime
    based_on: int
    overrides: Mapping[str, object] | None = None


_COLUMNS = "s.state, s.created_at, coalesce(o.based_on, s.plan_version) AS based_on, o.overrides"
_JOIN = """FROM subscriptions s
    LEFT JOIN plans p ON p.environment_id = s.environment_id AND p.key = s.plan_key
    LEFT JOIN own_versions o ON o.plan_id = p.id AND o.version = s.plan_version"""
_ADD = text("""
    INSERT INTO subscriptions (id, environment_id, key, customer_id, test_clock_id, plan_key,
        plan_version, status, state, next_due_at, next_phase, pools_usage)
    VALUES (:id, :environment, :key, :customer, :test_clock, :plan_key,
        :plan_version, :status, CAST(:state AS jsonb), :next_due_at, :next_phase, :pools_usage)
    ON CONFLICT DO NOTHING
""")
_SAVE = text("""
    UPDATE subscriptions SET plan_key = :plan_key, plan_version = :plan_version, status = :status,
        state = CAST(:state AS jsonb), next_due_at = :next_due_at, next_phase = :next_phase
    WHERE id = :id
""")
_FIND = text(f"""
    SELECT {_COLUMNS} {_JOIN} WHERE s.key = :name OR s.id = :name
    ORDER BY s.key <> :name LIMIT 1
""")
_STATE = text("SELECT state FROM subscriptions WHERE id = :id")
_LIVING = text("""
    SELECT state FROM subscriptions WHERE customer_id = :customer AND status <> 'cancelled' ORDER BY id
""")
_IDS = text("SELECT id, key FROM subscriptions WHERE key = ANY(:names) OR id = ANY(:names)")
_LIST = text(f"""
    SELECT {_COLUMNS} {_JOIN}
    WHERE s.id > :after
        AND (CAST(:customer AS text) IS NULL OR s.customer_id = :customer)
        AND (CAST(:status AS text) IS NULL OR s.status = :status)
    ORDER BY s.id LIMIT :limit
""")


async def add_subscription(connection: AsyncConnection, subscription: Subscription) -> Subscription:
    """Add a subscription; a repeat under the same id changes nothing. Raises `Conflict` for a taken key."""
    await connection.execute(_ADD, _columns(subscription))
    kept = (await find_subscription(connection, subscription.key)).state
    if kept.id != subscription.id:
        raise Conflict(f"there is a subscription {subscription.key} already")
    await mark_stale(connection, subscription.customer)
    return kept


async def save_subscription(connection: AsyncConnection, subscription: Subscription) -> None:
    """Put what a step made of it in the place of what was there."""
    await connection.execute(_SAVE, _columns(subscription))
    await mark_stale(connection, subscription.customer)


async def find_subscription(connection: AsyncConnection, name: str) -> SubscriptionRow:
    """By key or id; a key goes before an id. Raises `NotFound`."""
    row = (await connection.execute(_FIND, {"name": name})).one_or_none()
    if row is None:
        raise NotFound(f"there is no subscription {name}")
    return _read(row)


async def living_of(connection: AsyncConnection, customer: str) -> Sequence[Subscription]:
    """Those of a customer, by id, that are not over, whoever pays for them: the oldest first."""
    rows = await connection.execute(_LIVING, {"customer": customer})
    return [from_plain(Subscription, state) for (state,) in rows]


async def state_of(connection: AsyncConnection, subscription_id: str) -> Subscription:
    """By id alone. Raises `NotFound`."""
    state = (await connection.execute(_STATE, {"id": subscription_id})).scalar_one_or_none()
    if state is None:
        raise NotFound(f"there is no subscription {subscription_id}")
    return from_plain(Subscription, state)


async def ids_of(connection: AsyncConnection, names: Sequence[str]) -> Mapping[str, str]:
    """The ids of those that there are, by what they were named by: keys or ids."""
    rows = (await connection.execute(_IDS, {"names": list(names)})).all()
    known = {row.id: row.id for row in rows} | {row.key: row.id for row in rows}
    return {name: known[name] for name in names if name in known}


async def find_subscriptions(
    connection: AsyncConnection,
    limit: int,
    after: str = "",
    customer: str | None = None,
    status: str | None = None,
) -> Sequence[SubscriptionRow]:
    """Those with an id greater than `after`, oldest first; `customer` is an id."""
    asked = {"after": after, "limit": limit, "customer": customer, "status": status}
    return [_read(row) for row in await connection.execute(_LIST, asked)]


def _columns(subscription: Subscription) -> dict[str, Any]:
    due = subscription.next_due()
    phase = None if due is None else int(due.phase)
    return {
        "id": subscription.id,
        "environment": subscription.environment,
        "key": subscription.key,
        "customer": subscription.customer,
        "test_clock": subscription.test_clock,
        "plan_key": subscription.plan.key,
        "plan_version": subscription.plan.version,
        "status": subscription.status,
        "state": write_json(to_plain(subscription)),
        "next_due_at": due and due.at,
        "next_phase": phase,
        "pools_usage": subscription.pools_usage,
    }


def _read(row: Row[Any]) -> SubscriptionRow:
    state = from_plain(Subscription, row.state)
    return SubscriptionRow(state, row.created_at, row.based_on, row.overrides)
