"""The pump: follows the usage log to its horizon, adds to the rollups and moves the watermark in the same transaction.
A grain of which an event was voided is measured again, whole, from what stands.

A crash repeats a step or does nothing. Each meter has a watermark of its own, so one that is made later starts at the
beginning of the log, on its own, and catches up with the others, which go on meanwhile.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.meters import KeptMeter, kept_meters
from db.running import mark_running
from db.session import Database
from db.usage_gathered import Gathered, LoggedEvent
from db.usage_horizon import cut_off
from db.usage_rebuilds import measure_again
from db.usage_rollups import add_rollups
from db.usage_signals import mark
from db.usage_values import add_values
from domain.metering.meter import Meter

EVENTS_A_STEP = 5_000
PUMP_LOCK = 1_786_403  # any number of our own: pumps of one environment queue up behind it


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A stretch `[since, until)` of the log, the meters that stand at its beginning, and the events in it."""

    meters: Sequence[Meter]
    since: int
    until: int
    events: Sequence[LoggedEvent] = ()


@dataclass(frozen=True, slots=True)
class PumpedStep:
    """`events` were read; `more` says that there may be others to read at once."""

    events: int
    more: bool


_LOCK = text("SELECT pg_advisory_xact_lock(:lock, hashtext(:environment))")
_EVENTS = text("""
    SELECT e.tx::text, v.tx::text, e.seq, e.event_name, e.customer_id,
        coalesce(e.subscription_id, ''), e.time, e.properties, e.voids IS NOT NULL
    FROM usage_events e
    LEFT JOIN usage_voids v ON v.environment_id = e.environment_id AND v.event_id = e.id
    WHERE e.environment_id = :environment AND e.event_name = ANY(:event_names)
        AND e.tx >= CAST(CAST(:since AS text) AS xid8)
        AND e.tx < CAST(CAST(:until AS text) AS xid8)
    ORDER BY e.environment_id, e.tx, e.seq LIMIT :limit
""")
_ANY = text("""
    SELECT EXISTS (
        SELECT FROM usage_events WHERE environment_id = :environment
            AND tx >= CAST(CAST(:since AS text) AS xid8) AND tx < CAST(CAST(:until AS text) AS xid8)
    )
""")
_MOVE = text("""
    UPDATE meters SET rolled_up_to = CAST(CAST(:watermark AS text) AS xid8),
        unreadable = unreadable + CAST(CAST(:unreadable AS jsonb) ->> key AS bigint)
    WHERE environment_id = :environment AND key = ANY(:meters)
""")


async def pump_once(database: Database, environment: str, limit: int = EVENTS_A_STEP) -> int:
    """Roll up all that is complete in an environment's log, in bounded steps; how many events were read."""
    events = 0
    while True:
        step = await pump_step(database, environment, limit)
        events += step.events
        if not step.more:
            return events


async def pump_step(database: Database, environment: str, limit: int = EVENTS_A_STEP) -> PumpedStep:
    """Roll up the next stretch of the log, some `limit` events, never a part of a transaction; and as much again for
    meters that are behind the others, so that nobody waits for a meter that catches up.
    """
    async with database.transaction(environment) as connection:
        await connection.execute(_LOCK, {"lock": PUMP_LOCK, "environment": environment})
        horizon = await cut_off(connection)
        meters = [m for m in await kept_meters(connection) if m.rolled_up_to <= horizon]
        if not meters:
            return PumpedStep(0, more=False)
        ahead = await _stretch_ahead(connection, environment, meters, horizon, limit)
        if ahead is not None:
            await mark_running(connection, await _take(connection, environment, ahead))
        behind = await _stretch_behind(connection, environment, _moved(meters, ahead), limit)
        if behind is not None:
            await _take(connection, environment, behind)
        is_done = ahead is None or ahead.until == horizon
        marks = {kept.rolled_up_to for kept in _moved(_moved(meters, ahead), behind)}
        events = [event for each in (ahead, behind) if each is not None for event in each.events]
        return PumpedStep(len(events), more=not is_done or len(marks) > 1)


async def _stretch_ahead(
    connection: AsyncConnection,
    environment: str,
    meters: Sequence[KeptMeter],
    horizon: int,
    limit: int,
) -> _Stretch | None:
    """What the meters that are furthest ahead read next, with the events that only others measure: what runs up is rated
    up to here, whatever has rolled it up. None where the log has nothing new for anyone, so that an idle pump writes
    nothing.
    """
    since = max(kept.rolled_up_to for kept in meters)
    if since == horizon:
        return None
    names = {kept.meter.event_name for kept in meters}
    first = [kept.meter for kept in meters if kept.rolled_up_to == since]
    stretch = await _stretch(connection, environment, _Stretch(first, since, horizon), names, limit)
    if stretch.events or stretch.until < horizon:
        return stretch
    bounds = {"environment": environment, "since": str(since), "until": str(horizon)}
    return stretch if (await connection.execute(_ANY, bounds)).scalar_one() else None


async def _stretch_behind(
    connection: AsyncConnection, environment: str, meters: Sequence[KeptMeter], limit: int
) -> _Stretch | None:
    """What those furthest behind read next, at most up to where the next ones stand; None where all are together."""
    since, *marks = sorted({kept.rolled_up_to for kept in meters})
    if not marks:
        return None
    last = [kept.meter for kept in meters if kept.rolled_up_to == since]
    names = {meter.event_name for meter in last}
    return await _stretch(connection, environment, _Stretch(last, since, marks[0]), names, limit)


def _moved(meters: Sequence[KeptMeter], stretch: _Stretch | None) -> Sequence[KeptMeter]:
    """The meters once a stretch was taken."""
    if stretch is None:
        return meters
    keys = {meter.key for meter in stretch.meters}
    return [
        replace(each, rolled_up_to=stretch.until) if each.meter.key in keys else each
        for each in meters
    ]


async def _stretch(
    connection: AsyncConnection,
    environment: str,
    whole: _Stretch,
    names: Collection[str],
    limit: int,
) -> _Stretch:
    """As much of a stretch as is read at once, with the events of these names."""
    bounds = {"environment": environment, "since": str(whole.since), "until": str(whole.until)}
    asked: dict[str, Any] = {**bounds, "event_names": sorted(names)}
    events = await _read(connection, {**asked, "limit": limit + 1})
    if len(events) <= limit:
        return replace(whole, events=events)
    if (boundary := events[-1].tx) > events[0].tx:
        return replace(whole, until=boundary, events=[e for e in events if e.tx < boundary])
    asked |= {"until": str(boundary + 1), "limit": None}
    return replace(whole, until=boundary + 1, events=await _read(connection, asked))


async def _read(connection: AsyncConnection, parameters: Mapping[str, Any]) -> list[LoggedEvent]:
    rows = await connection.execute(_EVENTS, parameters)
    return [
        LoggedEvent(int(tx), None if voided_in is None else int(voided_in), *rest)
        for tx, voided_in, *rest in rows
    ]


async def _take(
    connection: AsyncConnection, environment: str, stretch: _Stretch
) -> Mapping[str, datetime]:
    """Add a stretch to the rollups, move its meters' watermark, and have those told whose usage came in: who that is, with
    the earliest of it.
    """
    gathered = Gathered(stretch.meters, stretch.until)
    for event in stretch.events:
        gathered.take(event)
    await measure_again(connection, environment, gathered, stretch.meters, stretch.until)
    await add_rollups(connection, environment, gathered.rollups())
    await add_values(connection, environment, gathered.values())
    keys = [meter.key for meter in stretch.meters]
    await connection.execute(
        _MOVE,
        {
            "environment": environment,
            "watermark": str(stretch.until),
            "meters": keys,
            "unreadable": json.dumps({key: gathered.unreadable[key] for key in keys}),
        },
    )
    used: dict[str, datetime] = {}
    for event in stretch.events:
        used[event.customer] = min(event.time, used.get(event.customer, event.time))
    await mark(connection, used.keys())
    return used
