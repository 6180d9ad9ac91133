"""The events that a line for usage was computed from: exactly those, page by page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.event_list import Place
from db.usage_measures import MEMBERS, Consumer
from db.usage_voids import STANDS
from domain.account import Need
from domain.explaining.consumed import is_looked_at
from domain.grounds import Grounds
from domain.metering.consumption import BEGINNING
from domain.metering.measuring import Measure, readable
from domain.metering.meter import Meter

READ_AT_ONCE = 1_000
READ_FOR_A_PAGE = 20_000


@dataclass(frozen=True, slots=True)
class LineEvents:
    """Where a line's events are read: those that its decision knew of, for what it needed, by the meter."""

    grounds: Grounds
    need: Need
    meter: Meter
    consumer: Consumer


@dataclass(frozen=True, slots=True)
class LineEvent:
    """An event with what the meter measured of it. `customer` and `subscription` are keys."""

    id: str
    event_name: str
    customer: str
    subscription: str | None
    time: datetime
    properties: Mapping[str, object]
    received_at: datetime
    seq: int
    measure: Measure


@dataclass(frozen=True, slots=True)
class EventPage:
    """`next` is None where there are no more. A page can be shorter than asked for, where few events are the line's."""

    events: Sequence[LineEvent]
    next: Place | None


_FIND = text(f"""
    SELECT e.id, e.event_name, e.customer_key, s.key, e.time, e.properties, e.received_at, e.seq
    FROM {MEMBERS} CROSS JOIN LATERAL (
        SELECT * FROM usage_events e
        WHERE e.customer_id = f.customer AND e.event_name = :event_name
            AND coalesce(e.subscription_id, :subscription) = :subscription
            AND e.time >= greatest(CAST(:since AS timestamptz), f.since)
            AND e.time < least(CAST(:end AS timestamptz), f.until)
            AND (e.time, e.seq) > (:after_time, :after_seq)
            AND e.tx < CAST(CAST(:until AS text) AS xid8) AND {STANDS}
        ORDER BY e.time, e.seq LIMIT {READ_AT_ONCE}
    ) e
    LEFT JOIN subscriptions s ON s.environment_id = e.environment_id AND s.id = e.subscription_id
    ORDER BY e.time, e.seq LIMIT {READ_AT_ONCE}
""")


async def page_of_events(
    connection: AsyncConnection, of: LineEvents, limit: int, after: Place | None
) -> EventPage:
    """In the order in which they count: of their times, then of their arrival."""
    since = BEGINNING if of.meter.carry_over else of.need.window.start
    place, found = after or (since, -1), list[LineEvent]()
    for _ in range(READ_FOR_A_PAGE // READ_AT_ONCE):
        rows = (await connection.execute(_FIND, _asked(of, since, place))).all()
        for row in rows:
            time, seq = row[4], row[7]
            measure = readable(of.meter, time, seq, row[5])
            if measure is not None and is_looked_at(of.need, of.meter, time):
                if len(found) == limit:
                    return EventPage(found, place)
                found.append(LineEvent(*(*row, measure)))
            place = (time, seq)
        if len(rows) < READ_AT_ONCE:
            return EventPage(found, None)
    return EventPage(found, place)


def _asked(of: LineEvents, since: datetime, place: Place) -> dict[str, object]:
    return {
        **of.consumer.asked,
        "event_name": of.meter.event_name,
        "since": since,
        "end": of.need.window.end,
        "after_time": place[0],
        "after_seq": place[1],
        "until": str(of.grounds.cut_off),
    }
