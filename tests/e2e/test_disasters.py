"""Two disasters on real servers, and the commands that bring Weir back: Temporal has lost all, or the database is an old one.

The story is told with the disaster in its middle, and must end as the simulation says that it ends without one.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from psycopg import sql

from cli.client import WeirClient
from cli.exact_yaml import read_yaml
from cli.keys import Mode, create_key
from cli.live.story import tell
from cli.stack.child import free_port
from cli.stack.embedded import Running, servers
from cli.stack.temporal import Temporal
from cli.stack.weir import running_weir
from db.session import Database
from db.tenants import list_environments
from domain.documents import Document
from domain.scenarios.scenario import read_scenario
from domain.simulation.run import simulate
from providers.payments.sandbox.remote import SandboxRemote
from tests.conftest import in_database
from tests.providers.attempts import intents_of
from tests.verified import verify_all

# At the disaster: a paid subscription with credits of its plan, one with a change to come, one in trial, one paused, one
# whose payment was declined and is tried again, one whose card must be replaced, and a grant by hand that ends.
_STORY = """
name: whatever happens to the servers, each invoice is issued and paid once
currency: USD
meters: [{key: tokens, event_name: llm, aggregation: sum, value: tokens}]
plans:
  - key: pro
    interval: {unit: month, count: 1}
    items:
      - {key: base, kind: recurring, charged: in_advance, price: {model: flat, amount: "20.00"}}
      - {key: tokens, kind: usage, meter: tokens, charged: in_arrears, price: {model: per_unit, unit_amount: "0.01"}}
    credits: [{key: monthly, amount: "5.00", every_period: true, expires_after: {unit: day, count: 20}, priority: 10}]
  - {key: max, interval: {unit: month, count: 1}, items: [{key: base, kind: recurring, charged: in_advance, price: {model: flat, amount: "90.00"}}]}
  - {key: tried, interval: {unit: month, count: 1}, trial: {unit: day, count: 30}, items: [{key: base, kind: recurring, charged: in_advance, price: {model: flat, amount: "10.00"}}]}
customers:
  - {key: acme}
  - {key: curious}
  - {key: slow, payment: {outcomes: [succeeded, "declined:insufficient_funds", "declined:insufficient_funds", succeeded]}}
  - {key: stuck, payment: {outcomes: ["declined:stolen_card", succeeded]}}
timeline:
  - {at: 2026-01-01T00:00:00Z, subscribe: {key: a1, customer: acme, plan: pro}}
  - {at: 2026-01-01T00:00:00Z, subscribe: {key: a2, customer: acme, plan: pro}}
  - {at: 2026-01-01T00:00:00Z, subscribe: {key: s1, customer: slow, plan: pro}}
  - {at: 2026-01-01T00:00:00Z, subscribe: {key: k1, customer: stuck, plan: pro}}
  - {at: 2026-01-10T00:00:00Z, subscribe: {key: t1, customer: curious, plan: tried}}
  - {at: 2026-01-10T00:00:00Z, usage: {customer: acme, id: e1, subscription: a1, event_name: llm, properties: {tokens: "700"}}}
  - {at: 2026-01-10T00:00:00Z, grant: {key: g1, customer: acme, amount: "8.00", kind: prepaid, expires_at: 2026-03-15T00:00:00Z}}
  - {at: 2026-01-12T00:00:00Z, top_up: {key: bought, customer: acme, amount: "15.00", expires_at: 2026-04-10T00:00:00Z}}
  - {at: 2026-01-15T00:00:00Z, pause: {subscription: a2}}
  - {at: 2026-01-15T00:00:00Z, change_plan: {subscription: a1, plan: max, effective: 2026-02-20T00:00:00Z}}
  - {at: 2026-02-02T00:00:00Z, balance: {customer: acme}}
  - {at: 2026-02-25T00:00:00Z, balance: {customer: acme}}
  - {at: 2026-02-26T00:00:00Z, resume: {subscription: a2}}
  - {at: 2026-02-26T00:00:00Z, payment_method: {customer: stuck}}
until: 2026-04-20T00:00:00Z
"""
STORY = cast("Mapping[str, Any]", read_yaml(_STORY))
QUIET_DAY = datetime(2026, 2, 2, tzinfo=UTC)
LATER = datetime(2026, 2, 25, tzinfo=UTC)
AFTERWARDS = datetime(2026, 2, 26, tzinfo=UTC)


@dataclass(slots=True)
class Stack:
    """PostgreSQL, Temporal with a store on disk, the provider, and Weir, which can be stopped and started."""

    directory: Path
    running: Running
    temporal: Temporal
    owner: str
    weir: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.running.api_port}"

    async def start_weir(self) -> None:
        await self.weir.enter_async_context(running_weir(self.running, self.directory))

    async def stop_weir(self) -> None:
        await self.weir.aclose()

    async def lose_temporal(self) -> None:
        """Stop it, delete its store, and start another on its port."""
        await self.temporal.__aexit__(None, None, None)
        for file in self.temporal.directory.glob("temporal.db*"):
            file.unlink()
        await self.temporal.__aenter__()

    async def repair(self, *options: str) -> list[str]:
        """What `weir repair` says; it must not fail."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli", "repair", *options,
            env={**os.environ, **self.running.variables}, cwd=Path(__file__).parents[2],
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        told, complaint = await process.communicate()
        assert process.returncode == 0, (told.decode(), complaint.decode())
        return told.decode().splitlines()

    async def tell(self, before: Callable[[datetime], Awaitable[None]]) -> Document:
        async with self.database() as database:
            key = await create_key(database, "story", Mode.test, "story", ["admin"])
        address = self.running.variables["STRIPE_API_BASE"]
        async with SandboxRemote(address) as sandbox, WeirClient(self.url, key) as weir:
            told = await tell(STORY, weir, sandbox, before)
        async with self.database() as database:
            async with database.registry() as connection:
                environments = [each.id for each in await list_environments(connection)]
            await verify_all(database, environments)
        return told

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """Open only as long as it must be: a database that is copied must be nobody's."""
        database = Database(self.running.variables["DATABASE_URL"])
        yield database
        await database.close()

    async def charged(self) -> list[int]:
        """What the provider has taken, payment by payment."""
        with psycopg.connect(self.owner) as connection:
            rows = connection.execute("SELECT provider_customer FROM customers").fetchall()
        address = self.running.variables["STRIPE_API_BASE"]
        intents = [each for (customer,) in rows for each in await intents_of(address, customer)]
        return sorted(each.amount_received for each in intents if each.amount_received)

    def copy_database(self, name: str, copy: str) -> None:
        with psycopg.connect(in_database(self.owner, "postgres"), autocommit=True) as connection:
            words = {"copy": sql.Identifier(copy), "name": sql.Identifier(name)}
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {copy} WITH (FORCE)").format(**words)
            )
            connection.execute(sql.SQL("CREATE DATABASE {copy} TEMPLATE {name}").format(**words))


@pytest.fixture
async def stack(tmp_path: Path, own_database: dict[str, str]) -> AsyncIterator[Stack]:
    async with temporal_on_disk(tmp_path / "temporal") as temporal:
        named = {**own_database, "TEMPORAL_ADDRESS": temporal.address}
        async with servers(tmp_path, named, keep=False) as running:
            stack = Stack(tmp_path, running, temporal, own_database["MIGRATION_DATABASE_URL"])
            await stack.start_weir()
            yield stack
            await stack.stop_weir()
    shutil.rmtree(tmp_path)


@asynccontextmanager
async def temporal_on_disk(directory: Path) -> AsyncIterator[Temporal]:
    temporal = Temporal(directory, free_port(), keep=True)
    async with temporal:
        yield temporal


async def test_temporal_has_lost_everything(stack: Stack) -> None:
    async def disaster(at: datetime) -> None:
        if at != LATER:
            return
        await stack.stop_weir()
        await stack.lose_temporal()
        await stack.start_weir()
        listed = await stack.repair()
        assert listed[-1] == "nothing has been changed: `weir repair --apply` does it"
        assert {"subscriptions   0 well, 5 missing", "collections     0 well, 2 missing"} <= set(
            listed
        )
        assert "credit grants   0 well, 2 missing" in listed
        assert (await stack.repair("--apply"))[-1] == "9 started, 0 replaced, 0 ended"
        assert (await stack.repair("--apply"))[-1] == "nothing is to be repaired"

    await as_if_nothing_had_happened(stack, disaster)


async def test_the_database_is_an_old_one(stack: Stack) -> None:
    """The provider has taken money since that the books know nothing of, and workflows have lived on."""
    name = stack.owner.rpartition("/")[2]

    async def disaster(at: datetime) -> None:
        if at == QUIET_DAY:
            await stack.stop_weir()
            stack.copy_database(name, f"{name}_backup")
            await stack.start_weir()
        if at == AFTERWARDS:
            await stack.stop_weir()
            stack.copy_database(f"{name}_backup", name)
            await stack.start_weir()
            told = await stack.repair("--apply")
            assert "replaced" in told[-1], told
            assert (await stack.repair("--apply"))[-1] == "nothing is to be repaired"

    await as_if_nothing_had_happened(stack, disaster)


async def as_if_nothing_had_happened(
    stack: Stack, disaster: Callable[[datetime], Awaitable[None]]
) -> None:
    told = await stack.tell(disaster)
    undisturbed = simulate(read_scenario(STORY))
    for name, documents in undisturbed.items():
        assert told[name] == documents, name
    payments = cast("list[Document]", undisturbed["payments"])
    paid = [str(each["amount"]) for each in payments if each["status"] == "succeeded"]
    assert await stack.charged() == sorted(int(amount.replace(".", "")) for amount in paid)
