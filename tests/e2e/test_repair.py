"""What `weir repair` finds and does: lives that nobody leads, or that are led from another state than the books have."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from fractions import Fraction

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from activities.collecting import CollectionSteps
from activities.credits import CreditSteps
from activities.steps import AttemptPayment, GrantLife, ToppedUp, TopUp
from cli.repairs.repairing import Repair, Report
from db.ids import new_id
from db.requests import Asked, write_request
from db.session import Database
from db.tenants import Environment
from db.usage_arrivals import have_seen
from db.usage_horizon import wait_for_horizon
from domain.codec import to_plain
from domain.commands import Cancel
from domain.credits import TopUpOrder
from tests.billing_world import FEBRUARY, JANUARY, World, open_world
from tests.db.test_collecting import DECLINED, PaperProvider
from worker import working
from workflows.collection import CollectionWorkflow
from workflows.handles import RunningLives
from workflows.subscription import SubscriptionWorkflow
from workflows.wire import DATA_CONVERTER

NOTHING = "nothing is to be repaired"


@dataclass(slots=True)
class Stage:
    """A subscription that has begun, a worker that leads lives, and the operator's tool."""

    world: World
    provider: PaperProvider
    temporal: Client
    queue: str

    @property
    def lives(self) -> RunningLives:
        return RunningLives(self.temporal, self.queue, timedelta(minutes=1))

    @property
    def repair(self) -> Repair:
        return Repair(self.world.database, self.lives, [self.world.environment], errands=())

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        async with working(self.temporal, self.world.database, self.provider, self.queue):
            while not await self.repair.overseer.has_workers():
                pass
            yield

    async def repaired(self) -> Report:
        """Found, and put right; the second time there is nothing to do."""
        report = await self.repair.look()
        await self.repair.apply(report)
        again = await self.repair.look()
        assert not report.failed
        assert [*again.lines()][-1] == NOTHING, [*again.lines()]
        return report

    async def state_of_the_subscription(self) -> object:
        living = self.temporal.get_workflow_handle(self.world.subscription.id)
        return await living.query(SubscriptionWorkflow.state)


@pytest.fixture
async def stage(
    database: Database, environment: Environment, temporal_address: str
) -> AsyncIterator[Stage]:
    temporal = await Client.connect(temporal_address, data_converter=DATA_CONVERTER)
    world = await open_world(database, environment)
    stage = Stage(world, PaperProvider([DECLINED, "succeeded"]), temporal, new_id("queue"))
    yield stage
    async for each in temporal.list_workflows(
        f"TaskQueue = '{stage.queue}' AND ExecutionStatus = 'Running'"
    ):
        await temporal.get_workflow_handle(each.id).terminate()


async def test_what_nobody_leads_goes_on_from_where_it_was(stage: Stage) -> None:
    world = stage.world
    (collection,) = (await world.begin()).collections
    declined = await CollectionSteps(world.database, stage.provider).attempt_payment(
        AttemptPayment(collection, 1, JANUARY)
    )
    grant = await world.grant(700, expires_at=FEBRUARY)
    over = await world.sibling("s2")
    await over.begin()
    await over.ask(Cancel("immediately", unused="none"), JANUARY)
    async with stage.at_work():
        report = await stage.repaired()
        assert found(report) == [
            ("missing", "collection"),
            ("missing", "credit grant"),
            ("missing", "subscription"),
        ]
        assert report.done is not None
        assert report.done["missing"] == 3
        assert await stage.state_of_the_subscription() == world.subscription
        owed = stage.temporal.get_workflow_handle(f"collect:{collection.invoice}")
        assert await owed.query(CollectionWorkflow.state) == declined
        ends = await stage.temporal.get_workflow_handle(f"grant:{grant.id}").describe()
        assert ends.status is WorkflowExecutionStatus.RUNNING
        with pytest.raises(RPCError, match="not found"):
            await stage.temporal.get_workflow_handle(over.subscription.id).describe()


async def test_listing_changes_nothing(stage: Stage) -> None:
    await stage.world.begin()
    async with stage.at_work():
        first, second = await stage.repair.look(), await stage.repair.look()
    assert [*first.lines()] == [*second.lines()]
    assert [*first.lines()][-1] == "nothing has been changed: `weir repair --apply` does it"


async def test_what_is_led_from_another_state_is_replaced(stage: Stage) -> None:
    """As after a restore: the workflow has lived through something that the books know nothing of, or it has not."""
    world = stage.world
    async with stage.at_work():
        await world.begin()
        await stage.lives.live(replace(world.subscription, period_index=7))
        assert found(await stage.repaired()) == [
            ("missing", "collection"),
            ("wrong", "subscription"),
        ]
        assert await stage.state_of_the_subscription() == world.subscription
        await stage.temporal.get_workflow_handle(world.subscription.id).terminate()
        assert found(await stage.repaired()) == [("missing", "subscription")]


async def test_what_is_over_in_the_books_is_ended(stage: Stage) -> None:
    world = stage.world
    async with stage.at_work():
        await world.begin()
        before = world.subscription
        await world.ask(Cancel("immediately", unused="none"), JANUARY)
        await stage.lives.live(before)
        await visible(stage, 1)
        report = await stage.repaired()
        assert ("wrong", "subscription") in found(report)
        ended = await stage.temporal.get_workflow_handle(before.id).describe()
        assert ended.status is WorkflowExecutionStatus.TERMINATED


async def test_what_no_books_know_is_ended(stage: Stage) -> None:
    world = stage.world
    grant, stranger = new_id("crg"), replace(world.subscription, id=new_id("sub"))
    async with stage.at_work():
        await stage.lives.watch_grant(
            GrantLife(world.environment, grant, world.customer, FEBRUARY, stranger.test_clock)
        )
        await stage.lives.live(stranger)
        await visible(stage, 2)
        report = await stage.repaired()
    orphans = {
        (each.entry.kind, each.entry.key) for each in report.found if each.verdict == "orphan"
    }
    assert orphans == {("credit grant", grant), ("subscription", stranger.id)}


async def test_without_a_worker_what_runs_is_left_alone(stage: Stage) -> None:
    """Whether it is wrong cannot be told, so that it fails; what is missing is started all the same."""
    await stage.world.begin()
    await stage.lives.live(stage.world.subscription)
    report = await stage.repair.look()
    await stage.repair.apply(report)
    assert found(report) == [("missing", "collection"), ("silent", "subscription")]
    assert report.failed


async def test_who_waits_for_an_operator_is_told_and_left_alone(stage: Stage) -> None:
    world = stage.world
    (collection,) = (await world.begin()).collections

    def broken() -> None:
        raise ValueError("a fault in the code")

    stage.provider.before_charge = broken
    async with stage.at_work():
        await stage.lives.live(world.subscription)
        await stage.lives.collect(collection)
        owed = stage.temporal.get_workflow_handle(f"collect:{collection.invoice}")
        while not (await stage.repair.overseer.look(owed.id) or pytest.fail("it is over")).calls:
            pass
        report = await stage.repaired()
    assert found(report) == [("waits", "collection")]


async def test_usage_that_was_told_on_and_not_charged_is_told_again(stage: Stage) -> None:
    """It came after the final invoice, and Temporal lost who was to charge it."""
    world = stage.world
    await world.begin()
    await world.ask(Cancel("immediately", unused="none"), JANUARY + timedelta(days=10))
    await world.use("e1", 300, JANUARY + timedelta(days=3))
    horizon = await wait_for_horizon(world.database)
    async with world.database.transaction(world.environment) as connection:
        clock = world.subscription.test_clock or ""
        await have_seen(connection, world.environment, clock, horizon)
    async with stage.at_work():
        report = await stage.repair.look()
        assert ("missing", "late usage") in found(report)
        await stage.repair.apply(report)
        (late,) = [each.entry for each in report.found if each.entry.kind == "late usage"]
        await stage.temporal.get_workflow_handle(late.workflow).result()
        assert not (await stage.repair.look()).to_mend()
    amounts = "SELECT total_minor FROM invoices ORDER BY seq"
    assert await world.rows(amounts) == [(2000,), (300,)]


async def test_a_top_up_under_way_is_paid_and_granted_once(stage: Stage) -> None:
    world, provider = stage.world, stage.provider
    provider.answers = ["requires_action"]
    order = TopUpOrder("more", "acme", Fraction(50), expires_at=FEBRUARY)
    clock = world.subscription.test_clock
    asked = TopUp(world.environment, new_id("req"), world.customer, order, "USD", JANUARY, clock)
    async with world.database.transaction(world.environment) as connection:
        body = Asked(asked.request, "top_up", world.customer, None, to_plain(asked))
        await write_request(connection, world.environment, body)
    topped_up = await CreditSteps(world.database).top_up(asked)
    owed = f"collect:{topped_up.collection.invoice}"
    async with stage.at_work():
        assert ("missing", "top-up") in found(await stage.repaired())
        await until_asked(stage, owed)
        await stage.temporal.get_workflow_handle(f"topup:{asked.request}").terminate()
        assert found(await stage.repaired()) == [("missing", "top-up")]
        provider.says(provider.asked[0].idempotency_key, "succeeded")
        await stage.lives.changed(topped_up.collection)
        name = f"topup:{asked.request}"
        ended = await stage.temporal.get_workflow_handle(name, result_type=ToppedUp).result()
        assert isinstance(ended, ToppedUp)
        assert ended.collection.status == "paid"
        assert ended.grant is not None
        assert await stage.repair.overseer.look(f"grant:{ended.grant.grant}")
        await stage.repaired()
    assert len({each.idempotency_key for each in provider.asked}) == 1
    assert await world.rows("SELECT key, amount_minor FROM credit_grants") == [("more", 5000)]


async def until_asked(stage: Stage, collection: str) -> None:
    """The provider has been asked, and waits for the customer."""
    handle = stage.temporal.get_workflow_handle(collection)
    while (await handle.query(CollectionWorkflow.state)).awaiting != "customer":
        pass


def found(report: Report) -> Sequence[tuple[str, str]]:
    return sorted((each.verdict, each.entry.kind) for each in report.found)


async def visible(stage: Stage, number: int) -> None:
    """Temporal lists workflows a moment after they have begun."""
    query = f"TaskQueue = '{stage.queue}' AND ExecutionStatus = 'Running'"
    while (await stage.temporal.count_workflows(query)).count < number:
        pass
