"""Subscriptions: each the whole of its state, with what it is searched by beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.session import write_json
from domain.codec import from_plain, to_plain
from domain.errors import Conflict, NotFound
from domain.subscription import Subscription


@dataclass(frozen=True, slots=True)
class SubscriptionRow:
    """`state` is as it was after its last step."""

    state: Subscription
    created_at: datetime


_COLUMNS = "state, created_at"
_ADD = text("""
    INSERT INTO subscriptions (id, environment_id, key, customer_id, test_clock_id, plan_key,
        plan_version, status, state, next_due_at, next_phase)
    VALUES (:id, :environment, :key, :customer, :test_clock, :plan_key,
        :plan_version, :status, CAST(:state AS jsonb), :next_due_at, :next_phase)
    ON CONFLICT DO NOTHING
""")
_SAVE = text("""
    UPDATE subscriptions SET plan_key = :plan_key, plan_version = :plan_version, status = :status,
        state = CAST(:state AS jsonb), next_due_at = :next_due_at, next_phase = :next_phase
    WHERE id = :id
""")
_FIND = text(f"""
    SELECT {_COLUMNS} FROM subscriptions WHERE key = :name OR id = :name
    ORDER BY key <> :name LIMIT 1
""")
_STATE = text("SELECT state FROM subscriptions WHERE id = :id")
_LIST = text(f"""
    SELECT {_COLUMNS} FROM subscriptions
    WHERE id > :after
        AND (CAST(:customer AS text) IS NULL OR customer_id = :customer)
        AND (CAST(:status AS text) IS NULL OR status = :status)
    ORDER BY id LIMIT :limit
""")


async def add_subscription(connection: AsyncConnection, subscription: Subscription) -> Subscription:
    """Add a subscription; a repeat under the same id changes nothing. Raises `Conflict` for a taken key."""
    await connection.execute(_ADD, _columns(subscription))
    kept = (await find_subscription(connection, subscription.key)).state
    if kept.id != subscription.id:
        raise Conflict(f"there is a subscription {subscription.key} already")
    return kept


async def save_subscription(connection: AsyncConnection, subscription: Subscription) -> None:
    """Put what a step made of it in the place of what was there."""
    await connection.execute(_SAVE, _columns(subscription))


async def find_subscription(connection: AsyncConnection, name: str) -> SubscriptionRow:
    """By key or id; a key goes before an id. Raises `NotFound`."""
    row = (await connection.execute(_FIND, {"name": name})).one_or_none()
    if row is None:
        raise NotFound(f"there is no subscription {name}")
    return _read(row)


async def state_of(connection: AsyncConnection, subscription_id: str) -> Subscription:
    """By id alone. Raises `NotFound`."""
    state = (await connection.execute(_STATE, {"id": subscription_id})).scalar_one_or_none()
    if state is None:
        raise NotFound(f"there is no subscription {subscription_id}")
    return from_plain(Subscription, state)


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
    }


def _read(row: Row[Any]) -> SubscriptionRow:
    return SubscriptionRow(from_plain(Subscription, row.state), row.created_at)
