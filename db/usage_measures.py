"""What meters measure of events in the log: by their times, or by the transactions that brought them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.calendar import Period
from domain.errors import Invalid
from domain.metering.events import UsageEvent
from domain.metering.measuring import Measure, measure
from domain.metering.meter import Meter

FETCHED_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Consumer:
    """Whose usage: a customer's events that name this subscription or none, or all of the customer's where it is
    None. Windows follow the clock of `timezone`.
    """

    customer: str
    subscription: str | None = None
    timezone: str = "UTC"


_OF_CONSUMER = """
    e.customer_id = :customer AND e.event_name = :event_name
    AND (CAST(:subscription AS text) IS NULL OR coalesce(e.subscription_id, :subscription) = :subscription)
"""
_STRETCHES = (
    "unnest(CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[])) AS s (start, stop)"
)

# Found by customer and time before anything else is asked (OFFSET 0 keeps it so): the stretches are short, the log is
# long, and of transactions the planner knows nothing.
_BY_TIME = text(f"""
    SELECT e.time, e.seq, e.properties FROM {_STRETCHES} CROSS JOIN LATERAL (
        SELECT * FROM usage_events
        WHERE customer_id = :customer AND time >= s.start AND time < s.stop OFFSET 0
    ) e
    WHERE {_OF_CONSUMER}
        AND e.tx >= CAST(CAST(:since AS text) AS xid8) AND e.tx < CAST(CAST(:until AS text) AS xid8)
""")

# Found by transaction before anything else is asked: the end of the log is short, the stretches may be long.
_BY_TRANSACTION = text(f"""
    WITH e AS MATERIALIZED (
        SELECT customer_id, subscription_id, event_name, time, seq, properties FROM usage_events
        WHERE tx >= CAST(CAST(:since AS text) AS xid8) AND tx < CAST(CAST(:until AS text) AS xid8)
            AND time >= :first AND time < :last
    )
    SELECT e.time, e.seq, e.properties FROM e
    JOIN {_STRETCHES} ON e.time >= s.start AND e.time < s.stop AND {_OF_CONSUMER}
""")


async def measures_by_time(
    connection: AsyncConnection,
    consumer: Consumer,
    meter: Meter,
    stretches: Sequence[Period],
    until: int,
    since: int = 0,
) -> list[Measure]:
    """What the meter measured in some stretches of time, of events of the transactions `[since, until)`."""
    if not stretches or since >= until:
        return []
    parameters = _parameters(consumer, meter, stretches, since, until)
    return [m async for m in _measures(connection, _BY_TIME, parameters, meter)]


async def measures_by_transaction(
    connection: AsyncConnection,
    consumer: Consumer,
    meter: Meter,
    stretches: Sequence[Period],
    since: int,
    until: int,
) -> list[Measure]:
    """The same, for a range of transactions that is known to be short."""
    if not stretches or since >= until:
        return []
    parameters = _parameters(consumer, meter, stretches, since, until)
    parameters["first"] = min(stretch.start for stretch in stretches)
    parameters["last"] = max(stretch.end for stretch in stretches)
    return [m async for m in _measures(connection, _BY_TRANSACTION, parameters, meter)]


def readable(
    meter: Meter, time: datetime, arrival: int, properties: Mapping[str, object]
) -> Measure | None:
    """What a meter measures of an event of its name that was kept. None for one that a meter made later cannot read:
    it was accepted, and no meter then asked for what this one does.
    """
    event = UsageEvent("", meter.event_name, "", time, properties, arrival=arrival)
    try:
        return measure(meter, event)
    except Invalid:
        return None


async def _measures(
    connection: AsyncConnection, statement: TextClause, parameters: Mapping[str, Any], meter: Meter
) -> AsyncIterator[Measure]:
    rows = await connection.stream(
        statement, parameters, execution_options={"yield_per": FETCHED_AT_ONCE}
    )
    async for time, seq, properties in rows:
        if (measured := readable(meter, time, seq, properties)) is not None:
            yield measured


def _parameters(
    consumer: Consumer, meter: Meter, stretches: Sequence[Period], since: int, until: int
) -> dict[str, Any]:
    return {
        "customer": consumer.customer,
        "subscription": consumer.subscription,
        "event_name": meter.event_name,
        "starts": [stretch.start for stretch in stretches],
        "ends": [stretch.end for stretch in stretches],
        "since": str(since),
        "until": str(until),
    }
