"""Usage that came late: which windows that were billed have events from after their cut-offs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db import usage_tail
from db.usage_measures import MEMBERS, Consumer
from db.usage_tail import IS_LONG
from domain.calendar import Period
from domain.metering.consumption import BEGINNING
from domain.metering.grains import LONGEST_GRAIN, grain_of, whole_grains
from domain.metering.meter import Meter


@dataclass(frozen=True, slots=True)
class ClosedWindow:
    """A window of a meter that was billed with the events of transactions before `cutoff`."""

    meter: Meter
    window: Period
    cutoff: int


_NOT_ROLLED_UP = "(SELECT min(greatest(cutoff, rolled_up_to)) FROM closed)"
_OF_TAIL = f"tx >= {_NOT_ROLLED_UP} AND tx < CAST(CAST(:until AS text) AS xid8)"
_BY_TRANSACTION = f"""
    SELECT customer_id, subscription_id, event_name, time, tx FROM usage_events WHERE {_OF_TAIL}
"""
_BY_TIME = f"""
    SELECT DISTINCT e.* FROM {MEMBERS} CROSS JOIN LATERAL (
        SELECT customer_id, subscription_id, event_name, time, tx FROM usage_events
        WHERE customer_id = f.customer AND time >= greatest((SELECT min(start) FROM closed), f.since)
            AND time < least((SELECT max(stop) FROM closed), f.until) OFFSET 0
    ) e
    WHERE {_OF_TAIL}
"""
_CLOSED = """
    closed AS (
        SELECT c.*, m.rolled_up_to FROM unnest(CAST(:meters AS text[]), CAST(:event_names AS text[]),
            CAST(:starts AS timestamptz[]), CAST(:stops AS timestamptz[]), CAST(:cutoffs AS xid8[]))
            WITH ORDINALITY AS c (meter, event_name, start, stop, cutoff, place)
        JOIN meters m ON m.key = c.meter
    )
"""
_IS_LONG = text(f"WITH {_CLOSED} SELECT {IS_LONG.format(since=_NOT_ROLLED_UP)}")


# Whole grains by what the pump noted of them (the one in which a child joined, too), the edges by their events, and what the
# pump has not seen by the end of the log. All in one statement: between two of them a pump might move the watermark.
def _late(tail: str) -> TextClause:
    return text(f"""
    WITH {_CLOSED}, grains AS (
        SELECT * FROM unnest(CAST(:grain_places AS bigint[]), CAST(:grain_starts AS timestamptz[]),
            CAST(:grain_stops AS timestamptz[])) AS g (place, start, stop)
    ), edges AS (
        SELECT * FROM unnest(CAST(:edge_places AS bigint[]), CAST(:edge_starts AS timestamptz[]),
            CAST(:edge_stops AS timestamptz[])) AS e (place, start, stop)
    ), tail AS MATERIALIZED ({tail})
    SELECT c.place FROM closed c
    WHERE EXISTS (
        SELECT FROM grains g CROSS JOIN {MEMBERS}
        JOIN usage_rollups k ON k.grain >= greatest(g.start, f.since - CAST(:longest AS interval))
            AND k.grain < least(g.stop, f.until) AND k.customer_id = f.customer
        WHERE g.place = c.place AND k.meter = c.meter AND k.last_tx >= c.cutoff
            AND (CAST(:subscription AS text) IS NULL OR k.subscription_id IN ('', :subscription))
    ) OR EXISTS (
        SELECT FROM edges s CROSS JOIN {MEMBERS} CROSS JOIN LATERAL (
            SELECT * FROM usage_events
            WHERE customer_id = f.customer AND time >= greatest(s.start, f.since)
                AND time < least(s.stop, f.until) OFFSET 0
        ) e
        WHERE s.place = c.place AND e.event_name = c.event_name
            AND e.tx >= c.cutoff AND e.tx < CAST(CAST(:until AS text) AS xid8)
            AND (CAST(:subscription AS text) IS NULL
                OR coalesce(e.subscription_id, :subscription) = :subscription)
    ) OR EXISTS (
        SELECT FROM tail e
        JOIN {MEMBERS} ON e.customer_id = f.customer AND e.time >= f.since AND e.time < f.until
        WHERE e.time >= c.start AND e.time < c.stop
            AND e.event_name = c.event_name AND e.tx >= greatest(c.cutoff, c.rolled_up_to)
            AND (CAST(:subscription AS text) IS NULL
                OR coalesce(e.subscription_id, :subscription) = :subscription)
    )
    ORDER BY c.place
    """)


_LATE = {False: _late(_BY_TRANSACTION), True: _late(_BY_TIME)}  # by whether the tail is long

# Of many customers and of all meters, by what the pump noted: found by transaction before anything else is asked.
_TOUCHED = text("""
    SELECT a.place, min(k.grain)
    FROM unnest(CAST(:customers AS text[]), CAST(:stops AS timestamptz[]), CAST(:sinces AS xid8[]))
        WITH ORDINALITY AS a (customer, stop, since, place)
    CROSS JOIN meters m CROSS JOIN LATERAL (
        SELECT grain FROM usage_rollups
        WHERE customer_id = a.customer AND meter = m.key AND last_tx >= a.since OFFSET 0
    ) k
    WHERE k.grain < a.stop GROUP BY a.place
""")


@dataclass(frozen=True, slots=True)
class Before:
    """The time of a customer before an instant, as far as transactions from `since` on have reached it."""

    customer: str
    stop: datetime
    since: int


async def touched_from(
    connection: AsyncConnection, stretches: Sequence[Before]
) -> list[datetime | None]:
    """Of each, from when on rollups have been touched: before that nothing has come that the pump has seen."""
    asked = {
        "customers": [each.customer for each in stretches],
        "stops": [each.stop for each in stretches],
        "sinces": [str(each.since) for each in stretches],
    }
    found: list[datetime | None] = [None] * len(stretches)
    for place, grain in await connection.execute(_TOUCHED, asked):
        found[place - 1] = grain
    return found


async def late_windows(
    connection: AsyncConnection, consumer: Consumer, windows: Sequence[ClosedWindow], until: int
) -> tuple[int, ...]:
    """The places in `windows` of those that events of the transactions `[cutoff, until)` have reached: what a closer
    look finds there may still add up to nothing. For a meter whose level carries over, all that came before a window
    is part of it.
    """
    if not windows:
        return ()
    columns = _columns([_counted(closed) for closed in windows])
    asked = {**consumer.asked, **columns, "longest": LONGEST_GRAIN, "until": str(until)}
    probe = {**columns, "until": str(until), "most_read_whole": usage_tail.MOST_READ_WHOLE}
    tail_is_long = (await connection.execute(_IS_LONG, probe)).scalar_one()
    rows = await connection.execute(_LATE[tail_is_long], asked)
    return tuple(place - 1 for place in rows.scalars())


def _counted(closed: ClosedWindow) -> ClosedWindow:
    if not closed.meter.carry_over:
        return closed
    return replace(closed, window=replace(closed.window, start=BEGINNING))


def _columns(windows: Sequence[ClosedWindow]) -> dict[str, list[Any]]:
    parted = [whole_grains(closed.window, grain_of(closed.meter)) for closed in windows]
    grains = [(place, part) for place, (whole, _) in enumerate(parted, 1) for part in whole]
    edges = [(place, part) for place, (_, around) in enumerate(parted, 1) for part in around]
    return {
        "meters": [closed.meter.key for closed in windows],
        "event_names": [closed.meter.event_name for closed in windows],
        "starts": [closed.window.start for closed in windows],
        "stops": [closed.window.end for closed in windows],
        "cutoffs": [str(closed.cutoff) for closed in windows],
        "grain_places": [place for place, _ in grains],
        "grain_starts": [part.start for _, part in grains],
        "grain_stops": [part.end for _, part in grains],
        "edge_places": [place for place, _ in edges],
        "edge_starts": [part.start for _, part in edges],
        "edge_stops": [part.end for _, part in edges],
    }
