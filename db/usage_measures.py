"""What meters measure of events in the log: by their times, or by the transactions that brought them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.usage_voids import STANDS
from domain.calendar import Period
from domain.families import EVER, Member
from domain.metering.consumption import BEGINNING
from domain.metering.grains import grain_at
from domain.metering.measuring import Measure, readable
from domain.metering.meter import Meter

FETCHED_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Consumer:
    """Whose usage: a customer's events that name this subscription or none, or all of the customer's where it is
    None; with those of `children`, each as long as it is one. Windows follow the clock of `timezone`.
    """

    customer: str
    subscription: str | None = None
    timezone: str = "UTC"
    children: tuple[Member, ...] = ()

    @property
    def asked(self) -> dict[str, Any]:
        """The parameters of `MEMBERS`, and the subscription's."""
        members = (Member(self.customer), *self.children)
        return {
            "subscription": self.subscription,
            "customers": [member.customer for member in members],
            "joined": [member.since for member in members],
            "parted": [member.until for member in members],
        }

    def divided(self, grain: timedelta) -> set[datetime]:
        """The starts of the grains in which somebody joined or parted: of these, some events count and some do not."""
        bounds = {at for child in self.children for at in (child.since, child.until)}
        return {grain_at(at, grain) for at in bounds - {BEGINNING, EVER}}


MEMBERS = """
    unnest(CAST(:customers AS text[]), CAST(:joined AS timestamptz[]), CAST(:parted AS timestamptz[]))
        AS f (customer, since, until)
"""
"""A consumer's customers, each with the stretch of time in which its events count."""

_OF_CONSUMER = """
    e.event_name = :event_name
    AND (CAST(:subscription AS text) IS NULL OR coalesce(e.subscription_id, :subscription) = :subscription)
"""
_OF_MEMBER = "e.customer_id = f.customer AND e.time >= f.since AND e.time < f.until"
_STRETCHES = (
    "unnest(CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[])) AS s (start, stop)"
)

# Found by customer and time before anything else is asked (OFFSET 0 keeps it so): the stretches are short, the log is
# long, and of transactions the planner knows nothing.
_BY_TIME = text(f"""
    SELECT e.time, e.seq, e.properties FROM {_STRETCHES} CROSS JOIN {MEMBERS} CROSS JOIN LATERAL (
        SELECT * FROM usage_events
        WHERE customer_id = f.customer AND time >= greatest(s.start, f.since)
            AND time < least(s.stop, f.until) OFFSET 0
    ) e
    WHERE {_OF_CONSUMER} AND {STANDS}
        AND e.tx >= CAST(CAST(:since AS text) AS xid8) AND e.tx < CAST(CAST(:until AS text) AS xid8)
""")

# Found by transaction before anything else is asked: the end of the log is short, the stretches may be long.
_BY_TRANSACTION = text(f"""
    WITH e AS MATERIALIZED (
        SELECT environment_id, id, customer_id, subscription_id, event_name, time, seq, properties,
            voids
        FROM usage_events
        WHERE tx >= CAST(CAST(:since AS text) AS xid8) AND tx < CAST(CAST(:until AS text) AS xid8)
            AND time >= :first AND time < :last
    )
    SELECT e.time, e.seq, e.properties FROM e
    JOIN {MEMBERS} ON {_OF_MEMBER}
    JOIN {_STRETCHES} ON e.time >= s.start AND e.time < s.stop AND {_OF_CONSUMER} AND {STANDS}
""")
_VOIDED = text(f"""
    WITH e AS MATERIALIZED (
        SELECT customer_id, subscription_id, event_name, time FROM usage_events
        WHERE tx >= CAST(CAST(:since AS text) AS xid8) AND tx < CAST(CAST(:until AS text) AS xid8)
            AND voids IS NOT NULL AND time >= :first AND time < :last
    )
    SELECT DISTINCT e.time FROM e
    JOIN {MEMBERS} ON {_OF_MEMBER}
    JOIN {_STRETCHES} ON e.time >= s.start AND e.time < s.stop AND {_OF_CONSUMER}
""")
_VOIDED_BY_TIME = text(f"""
    SELECT DISTINCT e.time FROM {_STRETCHES} CROSS JOIN {MEMBERS} CROSS JOIN LATERAL (
        SELECT * FROM usage_events
        WHERE customer_id = f.customer AND time >= greatest(s.start, f.since)
            AND time < least(s.stop, f.until) OFFSET 0
    ) e
    WHERE {_OF_CONSUMER} AND e.voids IS NOT NULL
        AND e.tx >= CAST(CAST(:since AS text) AS xid8) AND e.tx < CAST(CAST(:until AS text) AS xid8)
""")


@dataclass(frozen=True, slots=True)
class Tail:
    """The log of the transactions `[since, until)`. A long one is not read whole for one consumer."""

    since: int
    until: int
    is_long: bool


async def measures_by_time(
    connection: AsyncConnection,
    consumer: Consumer,
    meter: Meter,
    stretches: Sequence[Period],
    until: int,
    since: int = 0,
) -> list[Measure]:
    """What the meter measured in some stretches of time, of events of the transactions `[since, until)` that no
    transaction before `until` has voided.
    """
    if not stretches or since >= until:
        return []
    parameters = _parameters(consumer, meter, stretches, since, until)
    return [m async for m in _measures(connection, _BY_TIME, parameters, meter)]


async def measures_of_tail(
    connection: AsyncConnection,
    consumer: Consumer,
    meter: Meter,
    stretches: Sequence[Period],
    tail: Tail,
) -> list[Measure]:
    """The same, of the end of the log."""
    if tail.is_long:
        return await measures_by_time(
            connection, consumer, meter, stretches, tail.until, tail.since
        )
    if not stretches or tail.since >= tail.until:
        return []
    parameters = _parameters(consumer, meter, stretches, tail.since, tail.until)
    bounds = _bounds(stretches)
    return [m async for m in _measures(connection, _BY_TRANSACTION, parameters | bounds, meter)]


async def voided_times(
    connection: AsyncConnection,
    consumer: Consumer,
    meter: Meter,
    stretches: Sequence[Period],
    tail: Tail,
) -> list[datetime]:
    """The times within some stretches of events that the end of the log has voided: what was summed up before it may hold
    some of them, and is to be measured anew around these times.
    """
    if not stretches or tail.since >= tail.until:
        return []
    parameters = _parameters(consumer, meter, stretches, tail.since, tail.until)
    statement = _VOIDED_BY_TIME if tail.is_long else _VOIDED
    if not tail.is_long:
        parameters |= _bounds(stretches)
    return list((await connection.execute(statement, parameters)).scalars())


async def _measures(
    connection: AsyncConnection, statement: TextClause, parameters: Mapping[str, Any], meter: Meter
) -> AsyncIterator[Measure]:
    rows = await connection.stream(
        statement, parameters, execution_options={"yield_per": FETCHED_AT_ONCE}
    )
    async for time, seq, properties in rows:
        if (measured := readable(meter, time, seq, properties)) is not None:
            yield measured


def _bounds(stretches: Sequence[Period]) -> dict[str, datetime]:
    return {
        "first": min(stretch.start for stretch in stretches),
        "last": max(stretch.end for stretch in stretches),
    }


def _parameters(
    consumer: Consumer, meter: Meter, stretches: Sequence[Period], since: int, until: int
) -> dict[str, Any]:
    return {
        **consumer.asked,
        "event_name": meter.event_name,
        "starts": [stretch.start for stretch in stretches],
        "ends": [stretch.end for stretch in stretches],
        "since": str(since),
        "until": str(until),
    }
