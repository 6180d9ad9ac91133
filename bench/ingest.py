"""Taking usage events in, durable and each once, against a bare COPY of the same rows into a table without an index."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import psycopg

from api.sent_events import read_body
from cli.stack.postgres import Postgres
from db import migrate
from db.catalog import add
from db.customers import CustomerFacts, add_customer
from db.events import ingest
from db.ids import new_id
from db.session import Database
from db.tenants import open_environment, open_tenant
from db.usage_horizon import wait_for_horizon
from db.usage_pump import pump_once

BATCHES = 40
EVENTS_A_BATCH = 1_000
METERS = (
    {"key": "tokens", "event_name": "llm", "aggregation": "sum", "value": "tokens"},
    {"key": "requests", "event_name": "llm", "aggregation": "count"},
)
PLAIN = """
    CREATE TABLE plain (environment_id text, id text, event_name text, customer_id text,
        customer_key text, subscription_id text, time timestamptz, properties jsonb)
"""
COLUMNS = "environment_id, id, event_name, customer_id, customer_key, time, properties"


def measure() -> Iterator[str]:
    yield from asyncio.run(_measure())


async def _measure() -> list[str]:
    with TemporaryDirectory(prefix="weir-bench-") as directory:
        async with Postgres(Path(directory), durable=True) as server:
            await asyncio.to_thread(migrate.upgrade, server.owner_url, server.app_url)
            database = Database(server.app_url)
            try:
                bodies = [_body(number) for number in range(BATCHES)]
                copied = await _copied(server.owner_url, bodies)
                environment = await _environment(database)
                taken = await _taken(database, environment, bodies)
                pumped = await _pumped(database, environment)
            finally:
                await database.close()
    events = BATCHES * EVENTS_A_BATCH
    return [
        f"{events} events in batches of {EVENTS_A_BATCH}, read, checked and kept once:"
        f" {events / taken:,.0f} a second, {taken / copied:.1f} times a bare COPY",
        f"rolled up for {len(METERS)} meters: {events / pumped:,.0f} a second,"
        f" {pumped / taken:.1f} times the taking in",
    ]


def _body(number: int) -> bytes:
    """A request of so many events, spread over a month and a hundred customers."""
    return json.dumps([_event(number * EVENTS_A_BATCH + n) for n in range(EVENTS_A_BATCH)]).encode()


def _event(number: int) -> dict[str, object]:
    return {
        "id": f"req_{number:032x}",
        "event_name": "llm",
        "customer": f"customer-{number % 100}",
        "time": f"2026-01-{number % 28 + 1:02}T{number % 24:02}:{number % 60:02}:00Z",
        "properties": {"tokens": str(number % 5_000), "model": "large", "region": "eu-west-1"},
    }


async def _environment(database: Database) -> str:
    async with database.registry() as connection:
        tenant = await open_tenant(connection, "bench", "Bench")
        environment = (await open_environment(connection, tenant.id, "test")).id
    async with database.transaction(environment) as connection:
        for number in range(100):
            await add_customer(
                connection, environment, new_id("cus"), f"customer-{number}", CustomerFacts()
            )
        for meter in METERS:
            await add(connection, environment, "meters", new_id("mtr"), meter)
    return environment


async def _copied(owner_url: str, bodies: Sequence[bytes]) -> float:
    """Seconds to copy the rows in, a transaction for each batch. Making the rows is not counted."""
    batches = [[_row(event) for event in json.loads(body)] for body in bodies]
    connection = await psycopg.AsyncConnection.connect(owner_url, autocommit=True)
    async with connection:
        await connection.execute(PLAIN)
        begun = perf_counter()
        for batch in batches:
            async with (
                connection.transaction(),
                connection.cursor() as cursor,
                cursor.copy(f"COPY plain ({COLUMNS}) FROM STDIN") as copy,
            ):
                for row in batch:
                    await copy.write_row(row)
        return perf_counter() - begun


def _row(event: dict[str, object]) -> tuple[object, ...]:
    properties = json.dumps(event["properties"])
    customer = event["customer"]
    return ("env", event["id"], "llm", f"cus_{customer}", customer, event["time"], properties)


async def _taken(database: Database, environment: str, bodies: Sequence[bytes]) -> float:
    """Seconds to take the requests in, from their bodies on."""
    begun = perf_counter()
    accepted = 0
    for body in bodies:
        sent = read_body(body, "application/json")
        async with database.transaction(environment) as connection:
            accepted += (await ingest(connection, environment, sent.events)).accepted
    if accepted != len(bodies) * EVENTS_A_BATCH:
        raise RuntimeError(f"{accepted} events were accepted")
    return perf_counter() - begun


async def _pumped(database: Database, environment: str) -> float:
    await wait_for_horizon(database)
    begun = perf_counter()
    pumped = await pump_once(database, environment)
    if pumped != BATCHES * EVENTS_A_BATCH:
        raise RuntimeError(f"{pumped} events were rolled up")
    return perf_counter() - begun
