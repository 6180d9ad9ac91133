"""Servers of a test's own with a real worker process on them, which can be stopped, killed and followed by another."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.client import Client

from activities.steps import AdvanceClock, Moment, Pay
from cli.stack.embedded import servers
from db.ids import new_id
from db.session import Database
from providers.payments.sandbox.remote import SandboxRemote
from tests import servers as shared
from tests.billing_world import JANUARY, World, open_world
from tests.conftest import clone_database, fresh_environment, in_database
from tests.verified import verify_all
from workflows.handles import RunningLives
from workflows.wire import DATA_CONVERTER

PATIENCE = timedelta(minutes=1)


@dataclass(slots=True)
class Stage:
    """Servers, a customer with a card and a subscription, and a worker that can be killed."""

    world: World
    lives: RunningLives
    sandbox: SandboxRemote
    variables: dict[str, str]
    log: Path
    workers: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def start_worker(self, build: str = "", halts: Mapping[str, str] | None = None) -> None:
        """`halts` are the places where it is to stand still, as tests.e2e.halting names them, by customer."""
        command = ["cli", "worker"] if halts is None else ["tests.e2e.halting"]
        own = {"WORKER_BUILD_ID": build, "HALTS": json.dumps(halts)}
        with self.log.open("ab") as output:
            worker = subprocess.Popen(
                [sys.executable, "-m", *command],
                env={**os.environ, **self.variables, **own},
                cwd=Path(__file__).parents[2],
                stdout=output,
                stderr=output,
            )
        self.workers.append(worker)

    def kill_worker(self) -> None:
        """The one that was started last."""
        worker = self.workers.pop()
        assert worker.poll() is None, self.log.read_text()[-2000:]
        worker.send_signal(signal.SIGKILL)
        worker.wait()

    def stop_worker(self) -> None:
        """The one that was started first."""
        worker = self.workers.pop(0)
        if worker.poll() is None:
            worker.send_signal(signal.SIGTERM)
            try:
                assert worker.wait(PATIENCE.total_seconds()) == 0
            finally:
                worker.kill()  # nothing, where it has ended

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
                waiting = """SELECT count(*) FROM pg_stat_activity
                    WHERE wait_event_type = 'Lock' AND datname = current_database()"""
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
def own_database(run_directory: Path) -> Iterator[dict[str, str]]:
    """A database of a test's own on the run's server, as `weir` is told of it."""
    with shared.lease("postgres", run_directory) as addresses:
        name = f"stage_{secrets.token_hex(6)}"
        clone_database(addresses["owner"], name)
        owner, app = (in_database(addresses[role], name) for role in ("owner", "app"))
        yield {"DATABASE_URL": app, "MIGRATION_DATABASE_URL": owner}


@pytest.fixture
async def stage(tmp_path: Path, own_database: dict[str, str]) -> AsyncIterator[Stage]:
    async with servers(tmp_path, own_database, keep=False) as running:
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
                while stage.workers:
                    stage.stop_worker()
            await verify_all(database, [world.environment])
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
