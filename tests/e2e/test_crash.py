"""A worker that is killed in the middle of things: the next one goes on, and nothing is lost or doubled.

The worker is a real process on servers of its own. It is killed where it waits for something that the test holds back: a
lock in the database, an answer of the payment provider.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from temporalio.client import Client

from activities.steps import AdvanceClock, Moment, Pay
from cli.stack.embedded import servers
from db.customers import find_customer
from db.ids import new_id
from db.session import Database
from providers.payments.sandbox.remote import SandboxRemote
from tests.billing_world import FEBRUARY, JANUARY, World, open_world
from tests.conftest import fresh_environment
from workflows.handles import RunningLives
from workflows.wire import DATA_CONVERTER

PATIENCE = timedelta(minutes=2)


@dataclass(slots=True)
class Stage:
    """Servers, a customer with a card and a subscription, and a worker that can be killed."""

    world: World
    lives: RunningLives
    sandbox: SandboxRemote
    variables: dict[str, str]
    log: Path
    worker: "subprocess.Popen[bytes] | None" = None

    def start_worker(self) -> None:
        with self.log.open("ab") as output:
            self.worker = subprocess.Popen(
                [sys.executable, "-m", "cli", "worker"],
                env={**os.environ, **self.variables},
                cwd=Path(__file__).parents[2],
                stdout=output,
                stderr=output,
            )

    def kill_worker(self) -> None:
        assert self.worker is not None
        assert self.worker.poll() is None, self.log.read_text()[-2000:]
        self.worker.send_signal(signal.SIGKILL)
        self.worker.wait()

    def stop_worker(self) -> None:
        if self.worker is not None and self.worker.poll() is None:
            self.worker.send_signal(signal.SIGTERM)
            assert self.worker.wait() == 0

    async def advance(self, to: Moment) -> None:
        clock = self.world.subscription.test_clock
        assert clock is not None
        await self.lives.advance_clock(AdvanceClock(self.world.environment, clock, to))

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            while not await condition():  # noqa: ASYNC110 - it is another process's doing
                await asyncio.sleep(0.02)

    async def somebody_waits_for_a_lock(self) -> bool:
        owner = self.variables["MIGRATION_DATABASE_URL"]
        database = Database(owner, 1)
        try:
            async with database.transaction(self.world.environment) as connection:
                waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                return bool((await connection.execute(text(waiting))).scalar_one())
        finally:
            await database.close()

    async def the_provider_holds_a_call(self) -> bool:
        return await self.sandbox.held_calls() > 0

    async def invoices(self) -> list[tuple[Any, ...]]:
        return await self.world.rows(
            "SELECT number, issued_at, status, total_minor FROM invoices ORDER BY seq"
        )

    async def payments(self) -> list[tuple[Any, ...]]:
        return await self.world.rows("SELECT attempt, status FROM payments ORDER BY seq")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with servers(tmp_path, {}, keep=False) as running:
        variables = dict(running.variables)
        database = Database(variables["DATABASE_URL"])
        client = await Client.connect(variables["TEMPORAL_ADDRESS"], data_converter=DATA_CONVERTER)
        async with SandboxRemote(variables["STRIPE_API_BASE"]) as sandbox:
            await sandbox.send_hooks(None)
            world = await open_world(database, await fresh_environment(database))
            lives = RunningLives(client, patience=PATIENCE)
            stage = Stage(world, lives, sandbox, variables, tmp_path / "worker.log")
            stage.start_worker()
            try:
                await open_account(stage)
                yield stage
            finally:
                stage.stop_worker()
        await database.close()


async def open_account(stage: Stage) -> None:
    """A card, and a subscription that begins."""
    world = stage.world
    request = new_id("req")
    card = Pay(world.environment, request, world.customer, JANUARY, "pm_card_visa")
    await stage.lives.pay(card)
    await stage.lives.subscribe(world.subscription, JANUARY)
    await stage.advance(Moment(JANUARY))
    assert await stage.invoices() == [("INV-000001", JANUARY, "paid", 2000)]


async def test_a_worker_killed_while_it_closes_a_period(stage: Stage) -> None:
    world = stage.world
    await world.use("e1", 250, JANUARY + timedelta(days=3))
    async with holding_back_numbers(stage):
        advancing = asyncio.create_task(stage.advance(Moment(FEBRUARY)))
        await stage.until(stage.somebody_waits_for_a_lock)
        stage.kill_worker()
    stage.start_worker()
    await advancing
    assert await stage.invoices() == [
        ("INV-000001", JANUARY, "paid", 2000),
        ("INV-000002", FEBRUARY, "paid", 2250),
    ]
    assert await stage.payments() == [(1, "succeeded"), (1, "succeeded")]


async def test_a_worker_killed_while_it_charges(stage: Stage) -> None:
    """The provider has taken the money, and the worker that was to record it is no more."""
    await stage.sandbox.order_fault("hold", path="/v1/payment_intents", when="after")
    advancing = asyncio.create_task(stage.advance(Moment(FEBRUARY)))
    await stage.until(stage.the_provider_holds_a_call)
    stage.kill_worker()
    assert await stage.payments() == [(1, "succeeded"), (1, "pending")]
    await stage.sandbox.clear_faults()
    stage.start_worker()
    await advancing
    assert await stage.payments() == [(1, "succeeded"), (1, "succeeded")]
    assert await intents_of(stage) == 2


@asynccontextmanager
async def holding_back_numbers(stage: Stage) -> AsyncIterator[None]:
    """No document gets a number while the block runs. (A table's lock is no transaction that the usage log would wait for.)"""
    owner = Database(stage.variables["MIGRATION_DATABASE_URL"])
    async with owner.transaction(stage.world.environment) as connection:
        await connection.execute(text("LOCK TABLE counters IN SHARE MODE"))
        yield
    await owner.close()


async def intents_of(stage: Stage) -> int:
    """How many payments the provider has made for the customer."""
    async with stage.world.database.transaction(stage.world.environment) as connection:
        customer = await find_customer(connection, stage.world.customer)
    headers = {"Authorization": f"Bearer {stage.variables['STRIPE_API_KEY']}"}
    address = stage.variables["STRIPE_API_BASE"]
    async with httpx.AsyncClient(base_url=address, headers=headers, trust_env=False) as client:
        found = await client.get(
            "/v1/payment_intents", params={"customer": customer.provider_customer or ""}
        )
    return len(found.json()["data"])
