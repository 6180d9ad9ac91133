"""Importing usage events from a file: batch by batch, each event once however often the file is sent."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from cli.client import WeirClient
from cli.event_files import Line
from db.events import Ingested, RejectedEvent, ingest
from db.session import Database
from domain.errors import Unavailable
from domain.metering.incoming import IncomingEvent
from domain.reading import written

EVENTS_A_BATCH = 1_000

Report = Callable[["Imported", int], None]
"""Called after each batch with what became of all lines so far, and how many bytes of the file have been read."""


class Sink(Protocol):
    """Where events go."""

    async def send(self, events: Sequence[IncomingEvent]) -> Ingested: ...


@dataclass(frozen=True, slots=True)
class OverHttp:
    """Through the REST API, in the environment of the client's key."""

    client: WeirClient

    async def send(self, events: Sequence[IncomingEvent]) -> Ingested:
        answer = await self.client.post("events", [_body(event) for event in events])
        rejected = tuple(RejectedEvent(**each) for each in answer["rejected"])
        return Ingested(answer["accepted"], answer["duplicates"], rejected)


@dataclass(frozen=True, slots=True)
class Directly:
    """Into the database, by the same rules as the API."""

    database: Database
    environment: str

    async def send(self, events: Sequence[IncomingEvent]) -> Ingested:
        async with self.database.transaction(self.environment) as connection:
            return await ingest(connection, self.environment, events)


@dataclass(frozen=True, slots=True)
class LineFault:
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        return (
            f"line {self.line}: {self.path}: {self.message}"
            if self.path
            else f"line {self.line}: {self.message}"
        )


@dataclass(slots=True)
class Imported:
    """What became of the lines so far; `last` is the last of them."""

    accepted: int = 0
    duplicates: int = 0
    faults: list[LineFault] = field(default_factory=list)
    last: int = 0


class Stopped(Unavailable):
    """The other side went away in the middle of a file. What was sent is kept."""

    def __init__(self, imported: Imported, cause: Unavailable) -> None:
        self.imported = imported
        super().__init__(
            f"{cause}; lines up to {imported.last} were sent: go on with --from-line {imported.last + 1},"
            " or send all again, since each event counts once"
        )


async def import_lines(lines: Iterable[Line], sink: Sink, report: Report) -> Imported:
    """Send the events of all lines in their order. Raises `Stopped` where the sink is away."""
    imported = Imported()
    for batch in _batches(lines):
        try:
            await _send(batch, sink, imported)
        except Unavailable as error:
            raise Stopped(imported, error) from error
        report(imported, batch[-1].read)
    return imported


async def _send(batch: Sequence[Line], sink: Sink, imported: Imported) -> None:
    good = [(line.number, line.event) for line in batch if line.event is not None]
    answer = await sink.send([event for _, event in good])
    imported.accepted += answer.accepted
    imported.duplicates += answer.duplicates
    faults = [
        LineFault(line.number, fault.path, fault.message) for line in batch for fault in line.faults
    ]
    faults += [LineFault(good[r.index][0], r.path, r.message) for r in answer.rejected]
    imported.faults += sorted(faults, key=lambda fault: fault.line)
    imported.last = batch[-1].number


def _batches(lines: Iterable[Line]) -> Iterator[Sequence[Line]]:
    rest = iter(lines)
    while batch := tuple(islice(rest, EVENTS_A_BATCH)):
        yield batch


def _body(event: IncomingEvent) -> Mapping[str, object]:
    return {
        "id": event.id,
        "event_name": event.event_name,
        "customer": event.customer,
        "time": None if event.time is None else written(event.time),
        "properties": event.properties,
        "subscription": event.subscription,
    }
