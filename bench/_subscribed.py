"""Customers who subscribe to so many tokens a month, and events of them. Nobody leads the lives of their subscriptions."""

import json
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from bench._latencies import request
from db.catalog import add
from db.ids import new_id
from db.plans import add_version, lock_plan
from db.subscriptions import add_subscription
from domain.calendar import Cycle, Interval
from domain.plans import PlanRef
from domain.subscription import Subscription

METER = {"key": "tokens", "event_name": "llm", "aggregation": "sum", "value": "tokens"}
FEATURE = {"key": "tokens", "type": "metered", "meter": "tokens"}
PLAN = {
    "key": "pro",
    "currency": "USD",
    "interval": {"unit": "month"},
    "entitlements": [{"feature": "tokens", "type": "metered", "limit": "1000000"}],
}


async def add_catalog(connection: AsyncConnection, environment: str) -> None:
    await add(connection, environment, "meters", new_id("mtr"), METER)
    await add(connection, environment, "features", new_id("fea"), FEATURE)
    plan = await lock_plan(connection, environment, new_id("pln"), "pro")
    await add_version(connection, environment, plan, PLAN)


async def subscribe(connection: AsyncConnection, environment: str, customer: str) -> None:
    """The row of a subscription."""
    since = datetime.now(UTC) - timedelta(days=10)
    cycle = Cycle(since, Interval("month", 1), "anniversary", "UTC")
    subscription = Subscription(
        id=new_id("sub"),
        key=f"{customer}-pro",
        customer=customer,
        plan=PlanRef("pro", 1),
        currency="USD",
        timezone="UTC",
        started_at=since,
        cycle=cycle,
        status="active",
        period=cycle.period(0),
        environment=environment,
    )
    await add_subscription(connection, subscription)


def event(key: str, customer: str, turn: int) -> bytes:
    """A request that sends one, as the API key's owner; no two turns send the same."""
    told = {
        "id": f"new {customer} {turn}",
        "event_name": "llm",
        "customer": customer,
        "properties": {"tokens": "1"},
    }
    return request("POST", "/v1/events", key, json.dumps(told).encode())
