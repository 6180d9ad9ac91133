"""Whether a customer may use a feature: by the plans they are on, and what was used of them in the period."""

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Caller
from api.connections import Connections
from api.moments import now_for
from db.catalog import find_all, find_keys
from db.customers import CustomerRow, find_customer
from db.meters import kept_meters
from db.plans import find_plan
from db.subscriptions import find_subscriptions
from db.usage import usage_for
from db.usage_horizon import all_seen
from db.usage_measures import Consumer
from domain.account import Need
from domain.calendar import Period
from domain.catalog import read_feature, read_plan
from domain.charges import total_quantity
from domain.decimals import plain
from domain.documents import Document
from domain.entitlements import (
    Checked,
    best,
    check_entitlement,
    entitlement_to,
    limited_period,
)
from domain.errors import NotFound
from domain.plans import Feature, Plan
from domain.reading import written
from domain.subscription import Subscription

MOST_SUBSCRIPTIONS = 1_000
MOST_FEATURES = 1_000


async def check(
    opened: Connections, caller: Caller, customer: str, feature: str, quantity: Fraction
) -> Document:
    """The answer to one check. Raises `NotFound` for a customer or a feature that there is not."""
    async with opened.database.transaction(caller.environment, "REPEATABLE READ") as connection:
        row = await find_customer(connection, customer)
        entry = (await find_keys(connection, "features", [feature])).get(feature)
        if entry is None:
            raise NotFound(f"there is no feature {feature}")
        checked = await _check(connection, row, read_feature(entry.document), quantity)
    return _document(checked)


async def check_all(opened: Connections, caller: Caller, customer: str) -> Sequence[Document]:
    """Every feature of the environment, each with whether anything of it may be used now."""
    async with opened.database.transaction(caller.environment, "REPEATABLE READ") as connection:
        row = await find_customer(connection, customer)
        entries = await find_all(connection, "features", MOST_FEATURES)
        features = [read_feature(entry.document) for entry in entries]
        return [
            {
                "feature": feature.key,
                "type": feature.type,
                **_document(await _check(connection, row, feature, Fraction(0))),
            }
            for feature in features
        ]


async def _check(
    connection: AsyncConnection, customer: CustomerRow, feature: Feature, quantity: Fraction
) -> Checked:
    at = (await now_for(connection, customer.test_clock)).at
    living = await find_subscriptions(connection, MOST_SUBSCRIPTIONS, customer=customer.id)
    answers = [
        await _of_subscription(connection, row.state, feature, quantity, at) for row in living
    ]
    return best(answer for answer in answers if answer is not None)


async def _of_subscription(
    connection: AsyncConnection,
    subscription: Subscription,
    feature: Feature,
    quantity: Fraction,
    at: datetime,
) -> Checked | None:
    """What one subscription answers; None where its plan does not have the feature."""
    plan = await _plan_of(connection, subscription)
    entitlement = entitlement_to(subscription, plan, feature.key)
    if entitlement is None:
        return None
    period = limited_period(subscription, at)
    used = await _used(connection, subscription, feature, period)
    return check_entitlement(entitlement, used, quantity, period)


async def _used(
    connection: AsyncConnection, subscription: Subscription, feature: Feature, period: Period
) -> Fraction:
    if feature.meter is None:
        return Fraction(0)
    need = Need(feature.key, feature.meter, period)
    meters = {kept.meter.key: kept.meter for kept in await kept_meters(connection)}
    consumer = Consumer(subscription.customer, subscription.id, subscription.timezone)
    seen = await all_seen(connection)
    used = await usage_for(connection, consumer, (need,), meters, seen)
    return total_quantity(used[need])


async def _plan_of(connection: AsyncConnection, subscription: Subscription) -> Plan:
    kept = await find_plan(connection, subscription.plan.key, subscription.plan.version)
    return read_plan(kept.document, kept.version)


def _document(checked: Checked) -> Document:
    limit, used = checked.limit, checked.used
    remaining = None if limit is None or used is None else max(limit - used, Fraction(0))
    return {
        "allowed": checked.allowed,
        "limit": None if limit is None else plain(limit),
        "used": None if used is None else plain(used),
        "remaining": None if remaining is None else plain(remaining),
        "resets_at": checked.resets_at and written(checked.resets_at),
        "reason": checked.reason,
    }
