"""`weir events import`: a file of events, straight into the database and over HTTP."""

import asyncio
import csv
from collections.abc import Awaitable, Callable, Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import TypeVar, cast

import httpx
import pytest
from temporalio.client import Client
from typer.testing import CliRunner, Result

from api.app import app_over
from api.connections import Connections
from cli.client import WeirClient
from cli.event_files import Mapped, read_lines
from cli.event_import import EVENTS_A_BATCH, OverHttp, Stopped, import_lines
from cli.main import app
from db.events import Ingested
from db.keys import create_key
from db.session import Database
from db.tenants import Environment
from db.usage import usage_in
from db.usage_horizon import wait_for_horizon
from db.usage_measures import Consumer
from db.usage_pump import pump_once
from domain.calendar import Period
from domain.errors import Unavailable
from domain.metering.incoming import IncomingEvent
from domain.metering.meter import read_meter
from domain.pricing.usage import Quantity
from domain.reading import instant
from tests.conftest import fresh_environment
from tests.servers import Addresses
from tests.usage_world import add_customer, add_meter

TRACE = Path(__file__).parents[2] / "../shared/data/llm_trace_conv.csv"
TOKENS = {
    "key": "tokens",
    "event_name": "llm",
    "aggregation": "sum",
    "value": "ContextTokens + 4 * GeneratedTokens",
}
REQUESTS = {"key": "requests", "event_name": "llm", "aggregation": "count"}
DAY = Period(instant("2023-11-16T00:00:00Z"), instant("2023-11-17T00:00:00Z"))
PART = Period(instant("2023-11-16T18:30:00Z"), instant("2023-11-16T19:10:00.5Z"))

T = TypeVar("T")


class Place:
    """An environment with acme and two meters, and a key to it. Each call has a loop and a pool of its own, as the
    command has.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.environment = self.customer = self.key = ""

    def call(self, work: Callable[[Database], Awaitable[T]]) -> T:
        async def run() -> T:
            database = Database(self.url)
            try:
                return await work(database)
            finally:
                await database.close()

        return asyncio.run(run())

    async def furnish(self, database: Database) -> None:
        environment = await fresh_environment(database)
        async with database.transaction(environment.id) as connection:
            for meter in (TOKENS, REQUESTS):
                await add_meter(connection, environment.id, meter)
            self.customer = await add_customer(connection, environment.id, "acme")
            self.key = (await create_key(connection, environment, "import", ["usage"]))[1]
        self.environment = environment.id

    def used(self, window: Period) -> tuple[Fraction, Fraction]:
        """Tokens and requests."""
        return self.call(lambda database: self._used(database, window))

    async def _used(self, database: Database, window: Period) -> tuple[Fraction, Fraction]:
        cutoff = await wait_for_horizon(database)
        consumer = Consumer(self.customer)
        quantities: list[Fraction] = []
        async with database.transaction(self.environment) as connection:
            for document in (TOKENS, REQUESTS):
                meter = read_meter(document)
                used = await usage_in(connection, consumer, meter, window, "quantity", cutoff)
                assert isinstance(used, Quantity)
                quantities.append(used.total)
        return quantities[0], quantities[1]

    def run(self, file: Path, *options: str) -> Result:
        command = ["events", "import", str(file), "--direct", "--event-name", "llm"]
        return CliRunner().invoke(
            app,
            [*command, "--customer", "acme", *options],
            env={"DATABASE_URL": self.url, "WEIR_API_KEY": self.key},
        )


@pytest.fixture
def place(database_urls: Addresses) -> Place:
    place = Place(database_urls["app"])
    place.call(place.furnish)
    return place


def by_hand(window: Period) -> tuple[Fraction, Fraction]:
    """Tokens and requests of the trace, added up from its lines."""
    with TRACE.open(newline="") as file:
        rows = [
            int(row["ContextTokens"]) + 4 * int(row["GeneratedTokens"])
            for row in csv.DictReader(file)
            if window.contains(instant(f"{row['TIMESTAMP']}Z"))
        ]
    return Fraction(sum(rows)), Fraction(len(rows))


@pytest.mark.skipif(not TRACE.exists(), reason="the trace of production requests is not here")
def test_an_hour_of_production_requests_is_kept_to_the_last_token(place: Place) -> None:
    whole, part = by_hand(DAY), by_hand(PART)
    first = place.run(TRACE, "--map", "time=TIMESTAMP")
    assert (first.exit_code, first.stdout) == (
        0,
        "19366 accepted, 0 duplicates, 0 lines rejected\n",
    )
    assert place.used(DAY) == whole
    assert place.used(PART) == part

    place.call(lambda database: pump_once(database, place.environment))
    assert place.used(DAY) == whole
    assert place.used(PART) == part

    again = place.run(TRACE, "--map", "time=TIMESTAMP", "--from-line", "19001")
    assert again.stdout == "0 accepted, 367 duplicates, 0 lines rejected\n"
    assert place.used(DAY) == whole


def test_what_is_wrong_is_told_by_line_and_the_rest_is_kept(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "usage.csv"
    file.write_text(
        "time,ContextTokens,GeneratedTokens\n"
        "2023-11-16T18:00:00Z,10,1\n"
        "2023-11-16T18:00:00Z,ten,1\n"
        "at noon,10,1\n"
        "2023-11-16T18:00:00Z,20,1\n"
    )
    result = place.run(file)
    assert result.exit_code == 1
    assert result.stdout == "2 accepted, 0 duplicates, 2 lines rejected\n"
    told = [line.partition(": must")[0] for line in result.stderr.splitlines()]
    assert told == ["line 3: properties.ContextTokens", "line 4: time"]
    assert place.used(DAY) == (Fraction(38), Fraction(2))


def test_one_clear_line_where_the_key_opens_nothing(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "usage.csv"
    file.write_text("ContextTokens,GeneratedTokens\n1,1\n")
    result = place.run(file, "--key", "weir_test_nobody")
    assert (result.exit_code, result.stderr) == (
        1,
        "weir: this API key is not known, or it was revoked\n",
    )
    result = place.run(file, "--map", "time")
    assert (result.exit_code, result.stderr) == (
        1,
        "weir: --map: must be like time=TIMESTAMP, not time\n",
    )


async def test_over_http_it_is_the_same(database: Database, environment: Environment) -> None:
    async with database.transaction(environment.id) as connection:
        await add_meter(connection, environment.id, TOKENS)
        await add_customer(connection, environment.id, "acme")
        key = (await create_key(connection, environment, "import", ["usage"]))[1]
    unused = cast(Client, None)  # events never ask a workflow
    api = app_over(Connections(database, unused))
    content = "ContextTokens,GeneratedTokens\n1,2\nx,2\n" + "3,4\n" * EVENTS_A_BATCH
    lines = read_lines(BytesIO(content.encode()), "csv", Mapped({}, "llm", "acme", "trace:"))
    reported: list[int] = []
    async with api.router.lifespan_context(api):
        transport = httpx.ASGITransport(api)
        async with WeirClient("http://weir.test", key, transport) as client:
            imported = await import_lines(
                lines, OverHttp(client), lambda imported, _: reported.append(imported.accepted)
            )
    assert (imported.accepted, imported.duplicates) == (EVENTS_A_BATCH + 1, 0)
    assert [(fault.line, fault.path) for fault in imported.faults] == [
        (3, "properties.ContextTokens")
    ]
    assert reported == [EVENTS_A_BATCH - 1, EVENTS_A_BATCH + 1]


class Flaky:
    """Takes one batch, and is away then."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    async def send(self, events: Sequence[IncomingEvent]) -> Ingested:
        if self.taken:
            raise Unavailable("nobody is there")
        self.taken = [event.id for event in events]
        return Ingested(len(events), 0, ())


async def test_an_outage_tells_where_to_go_on() -> None:
    content = "n\n" + "1\n" * (2 * EVENTS_A_BATCH)
    lines = read_lines(BytesIO(content.encode()), "csv", Mapped({}, "llm", "acme", ""))
    sink = Flaky()
    with pytest.raises(Stopped) as stopped:
        await import_lines(lines, sink, lambda *_: None)
    assert len(sink.taken) == EVENTS_A_BATCH
    assert stopped.value.imported.last == EVENTS_A_BATCH + 1
    assert f"--from-line {EVENTS_A_BATCH + 2}" in str(stopped.value)
