"""What tests of the usage path start from: customers, meters and events."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db import subscriptions
from db.events import Ingested, ingest
from db.ids import new_id
from db.session import Database
from domain.calendar import Cycle, Interval, Period
from domain.metering.incoming import IncomingEvent
from domain.plans import PlanRef
from domain.reading import instant
from domain.subscription import Status, Subscription

_ADD_CUSTOMER = text("""
    INSERT INTO customers (id, environment_id, key, test_clock_id)
    VALUES (:id, :environment, :key, :clock)
""")
_ADD_METER = text("""
    INSERT INTO meters (id, environment_id, key, document)
    VALUES (:id, :environment, :key, CAST(:document AS jsonb))
""")
_ADD_CLOCK = text(
    "INSERT INTO test_clocks (id, environment_id, now) VALUES (:id, :environment, :now)"
)

JANUARY = Period(instant("2026-01-01T00:00:00Z"), instant("2026-02-01T00:00:00Z"))
TOKENS = {"key": "tokens", "event_name": "llm", "aggregation": "sum", "value": "tokens"}


async def add_customer(
    connection: AsyncConnection, environment: str, key: str, clock: str | None = None
) -> str:
    customer = new_id("cus")
    await connection.execute(
        _ADD_CUSTOMER, {"id": customer, "environment": environment, "key": key, "clock": clock}
    )
    return customer


async def add_clock(connection: AsyncConnection, environment: str, now: datetime) -> str:
    clock = new_id("clk")
    await connection.execute(_ADD_CLOCK, {"id": clock, "environment": environment, "now": now})
    return clock


async def add_meter(
    connection: AsyncConnection, environment: str, document: Mapping[str, object]
) -> None:
    await connection.execute(
        _ADD_METER,
        {
            "id": new_id("mtr"),
            "environment": environment,
            "key": document["key"],
            "document": json.dumps(document),
        },
    )


def an_event(id: str, **members: object) -> IncomingEvent:
    """An event of acme's: 10 tokens of `llm` on New Year's Day 2026, unless told otherwise."""
    time = members.get("time", "2026-01-01T00:00:00Z")
    properties = members.get("properties", {"tokens": "10"})
    subscription = members.get("subscription")
    assert isinstance(properties, Mapping)
    return IncomingEvent(
        id=id,
        event_name=str(members.get("event_name", "llm")),
        customer=str(members.get("customer", "acme")),
        time=None if time is None else instant(time),
        properties=properties,
        subscription=None if subscription is None else str(subscription),
    )


async def send(database: Database, environment: str, events: Iterable[IncomingEvent]) -> Ingested:
    async with database.transaction(environment) as connection:
        return await ingest(connection, environment, list(events))


async def add_subscription(
    connection: AsyncConnection,
    environment: str,
    customer: str,
    key: str,
    status: Status = "active",
    period: Period | None = JANUARY,
) -> str:
    """The row of a subscription to a plan that need not be there; its workflow is not started."""
    subscription = Subscription(
        id=new_id("sub"),
        key=key,
        customer=customer,
        plan=PlanRef("pro", 1),
        currency="USD",
        timezone="UTC",
        started_at=JANUARY.start,
        cycle=Cycle(JANUARY.start, Interval("month", 1), "anniversary", "UTC"),
        status=status,
        period=period,
        trial_end=JANUARY.end,
        environment=environment,
    )
    await subscriptions.add_subscription(connection, subscription)
    return subscription.id
