"""Subscriptions are told what they used: a snapshot, at most once in a window, and never what is older than they know."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import cast

import pytest
from sqlalchemy import text
from temporalio import workflow
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.steps import PumpUsage, UsageSnapshot
from activities.usage import UsageSteps
from db.ids import new_id
from db.plans import add_version, lock_plan
from db.session import Database
from db.tenants import Environment
from db.usage_horizon import wait_for_horizon
from tests.billing_world import PRO
from tests.conftest import fresh_environment
from tests.usage_world import TOKENS, add_customer, add_meter, add_subscription, an_event, send
from workflows.life import long_steps
from workflows.usage_pump import UsagePumpWorkflow

AT_ONCE = timedelta(0)
PEOPLE = {"key": "people", "event_name": "llm", "aggregation": "unique_count", "value": "tokens"}

FEATURES = text("""
    INSERT INTO features (id, environment_id, key, document) VALUES
        (:id || 'b', :environment, 'broken', '{"key": "broken"}'),
        (:id || 's', :environment, 'sound', '{"key": "sound", "name": "Sound", "type": "boolean"}')
""")
STALE = text("""
    INSERT INTO allowances (environment_id, customer_id, feature)
    SELECT :environment, c.id, f.key FROM customers c, features f WHERE c.key = 'acme'
""")


class Recorder:
    """Stands for the client of Temporal: keeps what was sent, or fails as it is told."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, UsageSnapshot]] = []
        self.failure: RPCStatusCode | None = None
        self._id = ""

    def get_workflow_handle(self, id: str) -> "Recorder":
        self._id = id
        return self

    async def signal(self, name: str, snapshot: UsageSnapshot) -> None:
        assert name == "usage"
        if self.failure is not None:
            raise RPCError("as told", self.failure, b"")
        self.sent.append((self._id, snapshot))


@workflow.defn
class Listener:
    """Stands for a subscription: lives until it was told of so many events."""

    def __init__(self) -> None:
        self.heard: list[UsageSnapshot] = []

    @workflow.run
    async def run(self, events: int) -> list[UsageSnapshot]:
        await workflow.wait_condition(lambda: any(h.events >= events for h in self.heard))
        return self.heard

    @workflow.signal
    def usage(self, snapshot: UsageSnapshot) -> None:
        self.heard.append(snapshot)


class World:
    """Acme with a subscription in January and one that is over; globex with one in its trial."""

    def __init__(self, database: Database, environment: str) -> None:
        self.database, self.environment = database, environment
        self.living = self.over = self.trialing = ""
        self.recorder = Recorder()

    def steps(self, window: timedelta = AT_ONCE) -> UsageSteps:
        return UsageSteps(self.database, cast(Client, self.recorder), window)

    async def use(self, *ids: str, customer: str = "acme") -> None:
        events = [an_event(id, customer=customer) for id in ids]
        assert not (await send(self.database, self.environment, events)).rejected
        await wait_for_horizon(self.database)

    def heard(self) -> Sequence[tuple[str, str]]:
        """Who was told, and of how many tokens."""
        return [(id, snapshot.totals.get("tokens", "")) for id, snapshot in self.recorder.sent]


@pytest.fixture
async def broken(database: Database) -> AsyncIterator[str]:
    """An environment with a meter that cannot be read."""
    environment = (await fresh_environment(database)).id
    async with database.transaction(environment) as connection:
        await add_meter(connection, environment, {"key": "no meter at all"})
    yield environment
    async with database.transaction(environment) as connection:
        await connection.execute(text("DELETE FROM meters"))


@pytest.fixture
async def world(database: Database, environment: Environment) -> World:
    world = World(database, environment.id)
    async with database.transaction(environment.id) as connection:
        for meter in (TOKENS, PEOPLE):
            await add_meter(connection, environment.id, meter)
        acme = await add_customer(connection, environment.id, "acme")
        globex = await add_customer(connection, environment.id, "globex")
        world.living = await add_subscription(connection, environment.id, acme, "living")
        world.over = await add_subscription(connection, environment.id, acme, "over", "cancelled")
        world.trialing = await add_subscription(
            connection, environment.id, globex, "trialing", "trialing", None
        )
    return world


async def test_a_feature_that_cannot_be_read_holds_up_nobody(world: World) -> None:
    named = {"environment": world.environment, "id": new_id("ftr")}
    async with world.database.transaction(world.environment) as connection:
        plan = await lock_plan(connection, world.environment, new_id("pln"), "pro")
        await add_version(connection, world.environment, plan, PRO)
        await connection.execute(FEATURES, named)
        await connection.execute(STALE, named)
    await world.use("e1")
    await world.steps().pump_environment(world.environment)
    assert world.heard() == [(world.living, "10")]
    async with world.database.transaction(world.environment) as connection:
        stale = await connection.execute(text("SELECT feature FROM allowances WHERE stale"))
        assert list(stale.scalars()) == ["broken"]


async def test_a_living_subscription_is_told_what_its_period_used(world: World) -> None:
    await world.use("e1", "e2")
    await world.steps().pump_environment(world.environment)
    ((who, snapshot),) = world.recorder.sent
    assert who == world.living
    assert snapshot.totals == {"tokens": "20", "people": "1"}
    assert snapshot.events == 4  # two, for each of two meters


async def test_nobody_is_told_where_nothing_is_new(world: World) -> None:
    await world.use("e1")
    for _ in range(3):
        await world.steps().pump_environment(world.environment)
    assert world.heard() == [(world.living, "10")]


async def test_a_trial_has_no_period_to_tell_of(world: World) -> None:
    await world.use("e1", customer="globex")
    await world.steps().pump_environment(world.environment)
    assert world.heard() == []


async def test_within_a_window_it_is_told_once(world: World) -> None:
    for id in ("e1", "e2", "e3"):
        await world.use(id)
        await world.steps(timedelta(hours=1)).pump_environment(world.environment)
    assert world.heard() == [(world.living, "10")]
    async with world.database.transaction(world.environment) as connection:
        await connection.execute(
            text("UPDATE usage_signals SET signalled_at = signalled_at - interval '1 hour'")
        )
    await world.steps(timedelta(hours=1)).pump_environment(world.environment)
    assert world.heard() == [(world.living, "10"), (world.living, "30")]


async def test_each_snapshot_has_a_newer_watermark(world: World) -> None:
    for id in ("e1", "e2", "e3"):
        await world.use(id)
        await world.steps().pump_environment(world.environment)
    watermarks = [snapshot.watermark for _, snapshot in world.recorder.sent]
    assert watermarks == sorted(set(watermarks))


async def test_while_temporal_is_away_usage_is_rolled_up_and_told_later(world: World) -> None:
    world.recorder.failure = RPCStatusCode.UNAVAILABLE
    await world.use("e1")
    assert await world.steps().pump_environment(world.environment) == 1
    world.recorder.failure = None
    await world.steps().pump_environment(world.environment)
    assert world.heard() == [(world.living, "10")]


@pytest.mark.parametrize("answer", [RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT])
async def test_a_life_that_takes_no_signal_holds_up_nobody(
    world: World, answer: RPCStatusCode
) -> None:
    world.recorder.failure = answer
    await world.use("e1")
    await world.steps().pump_environment(world.environment)
    world.recorder.failure = None
    await world.steps().pump_environment(world.environment)
    assert world.heard() == []


async def test_what_is_wrong_in_one_environment_holds_up_no_other(
    broken: str, world: World
) -> None:
    assert broken < world.environment  # its turn comes before
    await world.use("e1")
    await world.steps().pump_shard(0, 1)
    assert (world.living, "10") in world.heard()


async def test_the_pump_lives_as_a_workflow_and_signals_workflows(
    world: World, temporal_client: Client
) -> None:
    queue = new_id("queue")
    steps = UsageSteps(world.database, temporal_client, AT_ONCE)
    lives = Worker(
        temporal_client,
        task_queue=queue,
        workflows=[UsagePumpWorkflow, Listener],
        workflow_runner=SandboxedWorkflowRunner(
            restrictions=SandboxRestrictions.default.with_passthrough_all_modules()
        ),
    )
    long = Worker(temporal_client, task_queue=long_steps(queue), activities=[steps.pump_usage])
    async with lives, long:
        pump = await temporal_client.start_workflow(
            UsagePumpWorkflow.run,
            PumpUsage(shard=0, shards=1, rounds=1),
            id=new_id("pump"),
            task_queue=queue,
        )
        listener = await temporal_client.start_workflow(
            Listener.run, 6, id=world.living, task_queue=queue
        )
        await world.use("e1", "e2")
        await world.use("e3")
        heard = await asyncio.wait_for(listener.result(), 60)
        await pump.terminate()
    assert heard[-1].totals == {"tokens": "30", "people": "1"}
    watermarks = [snapshot.watermark for snapshot in heard]
    assert watermarks == sorted(watermarks)
