"""The usage log: events in, each of them once."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import blake2b

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.event_owners import Owner, Owners, owners_of
from db.meters import kept_meters
from domain.errors import Fault, Invalid
from domain.metering.events import UsageEvent
from domain.metering.incoming import IncomingEvent
from domain.metering.measuring import measured_by
from domain.metering.meter import Meter

FINGERPRINT_BYTES = 16
TAKEN = Fault("id", "conflict: this id was already used for an event with other content")


@dataclass(frozen=True, slots=True)
class RejectedEvent:
    """`index` is the event's place in what was sent."""

    index: int
    id: str | None
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Ingested:
    """Each event sent is in exactly one of the three."""

    accepted: int
    duplicates: int
    rejected: tuple[RejectedEvent, ...]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An event of a known customer, ready to be kept. `fault` is set where a meter cannot read it."""

    index: int
    event: IncomingEvent
    owner: Owner
    time: datetime
    properties: str
    fingerprint: bytes
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class _Content:
    """What an id stands for."""

    fingerprint: bytes
    time: datetime


# Rows go in as one JSON text each: reading it there is quicker than writing arrays here.
_ADD_KEYS = text("""
    INSERT INTO usage_event_keys (environment_id, event_id, fingerprint, time)
    SELECT :environment, id, decode(fingerprint, 'hex'), time
    FROM json_to_recordset(CAST(:keys AS json)) AS sent (id text, fingerprint text, time timestamptz)
    ON CONFLICT DO NOTHING RETURNING event_id
""")
_KEYS = text("""
    SELECT event_id, fingerprint, time FROM usage_event_keys WHERE event_id = ANY(:ids)
""")
_MAKE_PARTITIONS = text(
    "SELECT make_usage_partition(month) FROM unnest(CAST(:months AS date[])) AS month"
)
_ADD_EVENTS = text("""
    INSERT INTO usage_events (environment_id, id, event_name, customer_id, customer_key,
        subscription_id, time, properties)
    SELECT :environment, id, event_name, customer_id, customer_key, subscription_id, time,
        properties::jsonb
    FROM json_to_recordset(CAST(:events AS json)) AS sent (place integer, id text, event_name text,
        customer_id text, customer_key text, subscription_id text, time timestamptz, properties text)
    ORDER BY place
""")

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


async def ingest(
    connection: AsyncConnection, environment: str, events: Sequence[IncomingEvent]
) -> Ingested:
    """Add the events that are new and good; they are durable when the caller's transaction has been committed.

    An id that was taken by the same content is a duplicate, by another content a rejection; so is an unknown
    customer, a subscription that is not the customer's, and a value that a meter of the environment cannot read.
    Calls that race with the same ids wait for each other, and exactly one of them adds each event.
    """
    owners = await owners_of(connection, events)
    meters = await _strict_meters(connection, {event.event_name for event in events})
    candidates, strangers = _candidates(events, owners, meters)
    firsts = _first_good_of_each_id(candidates)
    new = await _add_keys(connection, environment, firsts)
    await _add_events(connection, environment, [c for c in firsts if c.event.id in new])

    added = {c.index for c in firsts if c.event.id in new}
    others = [c for c in candidates if c.index not in added]
    kept = await _kept_contents(connection, {c.event.id for c in others})
    refused = [c for c in others if not _is_same(c, kept.get(c.event.id))]
    rejected = [*strangers, *(_rejected(c.index, c.event, c.fault or TAKEN) for c in refused)]
    rejected.sort(key=lambda rejection: rejection.index)
    return Ingested(len(added), len(others) - len(refused), tuple(rejected))


async def _strict_meters(
    connection: AsyncConnection, event_names: Collection[str]
) -> Mapping[str, list[Meter]]:
    """By event name, the meters that must be able to read it. An archived one need not: what it cannot read it
    does not measure.
    """
    by_name: dict[str, list[Meter]] = {}
    for kept in await kept_meters(connection, event_names):
        if not kept.archived:
            by_name.setdefault(kept.meter.event_name, []).append(kept.meter)
    return by_name


def _candidates(
    events: Sequence[IncomingEvent], owners: Owners, meters: Mapping[str, Sequence[Meter]]
) -> tuple[list[_Candidate], list[RejectedEvent]]:
    """The events whose owner is known, and the refusals of the others."""
    now = datetime.now(UTC)
    candidates: list[_Candidate] = []
    strangers: list[RejectedEvent] = []
    for index, event in enumerate(events):
        try:
            owner = owners.of(event)
        except Invalid as invalid:
            strangers.append(_rejected(index, event, invalid.faults[0]))
        else:
            fault = _fault_of(event, meters.get(event.event_name, ()), now)
            candidates.append(_candidate(index, event, owner, now, fault))
    return candidates, strangers


def _candidate(
    index: int, event: IncomingEvent, owner: Owner, now: datetime, fault: Fault | None
) -> _Candidate:
    properties = _canonical(event.properties)
    time = event.time or owner.customer.clock or now
    fingerprint = _fingerprint(event, owner, properties)
    return _Candidate(index, event, owner, time, properties, fingerprint, fault)


def _fault_of(event: IncomingEvent, meters: Sequence[Meter], now: datetime) -> Fault | None:
    """The first thing that a meter cannot read; `now` stands for a time that was left out, at which none looks."""
    if not meters:
        return None
    usage = UsageEvent(
        event.id, event.event_name, event.customer, event.time or now, event.properties
    )
    try:
        measured_by(meters, usage)
    except Invalid as invalid:
        return invalid.faults[0]
    return None


def _fingerprint(event: IncomingEvent, owner: Owner, properties: str) -> bytes:
    """All that was sent but for the time: two sendings of one id with the same are the same event."""
    sent = (event.event_name, owner.customer.id, owner.subscription, properties)
    return blake2b(_canonical(sent).encode(), digest_size=FINGERPRINT_BYTES).digest()


def _is_same(candidate: _Candidate, kept: _Content | None) -> bool:
    """Whether the event that was kept under an id is this one. One that is sent again without a time by the world's
    clock is, since there no two sendings are at the same time; on a test clock, time stands still between steps.
    """
    if kept is None or kept.fingerprint != candidate.fingerprint:
        return False
    untimed = candidate.event.time is None and candidate.owner.customer.clock is None
    return untimed or kept.time == candidate.time


def _first_good_of_each_id(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    firsts: dict[str, _Candidate] = {}
    for candidate in candidates:
        if candidate.fault is None:
            firsts.setdefault(candidate.event.id, candidate)
    return list(firsts.values())


async def _add_keys(
    connection: AsyncConnection, environment: str, candidates: Sequence[_Candidate]
) -> Collection[str]:
    """The ids that were new. Taken in their order, so that two calls with the same ids never wait in a circle."""
    if not candidates:
        return ()
    ordered = sorted(candidates, key=lambda candidate: candidate.event.id)
    keys = [
        {
            "id": candidate.event.id,
            "fingerprint": candidate.fingerprint.hex(),
            "time": candidate.time.isoformat(),
        }
        for candidate in ordered
    ]
    rows = await connection.execute(
        _ADD_KEYS, {"environment": environment, "keys": _canonical(keys)}
    )
    return set(rows.scalars())


async def _add_events(
    connection: AsyncConnection, environment: str, candidates: Sequence[_Candidate]
) -> None:
    """Append to the log. Partitions are made after the ids are taken: who waits here for another call's month holds
    nothing that call still needs.
    """
    if not candidates:
        return
    months = sorted({date(c.time.year, c.time.month, 1) for c in candidates})
    await connection.execute(_MAKE_PARTITIONS, {"months": months})
    events = [_row(place, candidate) for place, candidate in enumerate(candidates)]
    await connection.execute(
        _ADD_EVENTS, {"environment": environment, "events": _canonical(events)}
    )


def _row(place: int, candidate: _Candidate) -> Mapping[str, object]:
    return {
        "place": place,
        "id": candidate.event.id,
        "event_name": candidate.event.event_name,
        "customer_id": candidate.owner.customer.id,
        "customer_key": candidate.owner.customer.key,
        "subscription_id": candidate.owner.subscription,
        "time": candidate.time.isoformat(),
        "properties": candidate.properties,
    }


async def _kept_contents(
    connection: AsyncConnection, ids: Collection[str]
) -> Mapping[str, _Content]:
    if not ids:
        return {}
    rows = await connection.execute(_KEYS, {"ids": sorted(ids)})
    return {row.event_id: _Content(bytes(row.fingerprint), row.time) for row in rows}


def _rejected(index: int, event: IncomingEvent, fault: Fault) -> RejectedEvent:
    return RejectedEvent(index, event.id, fault.path, fault.message)
