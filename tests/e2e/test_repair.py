"""Temporal has lost everything: the books know what has to go on, and it goes on from there."""

from datetime import timedelta

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from activities.collecting import CollectionSteps
from activities.steps import AttemptPayment
from cli.repair import begin_again_in
from db.ids import new_id
from db.session import Database
from db.tenants import Environment
from domain.commands import Cancel
from tests.billing_world import FEBRUARY, JANUARY, open_world
from tests.db.test_collecting import DECLINED, PaperProvider
from worker import working
from workflows.collection import CollectionWorkflow
from workflows.handles import RunningLives
from workflows.subscription import SubscriptionWorkflow
from workflows.wire import DATA_CONVERTER


@pytest.fixture
async def temporal(temporal_address: str) -> Client:
    return await Client.connect(temporal_address, data_converter=DATA_CONVERTER)


async def test_every_life_goes_on_from_where_it_was(
    database: Database, environment: Environment, temporal: Client
) -> None:
    world = await open_world(database, environment)
    provider = PaperProvider([DECLINED, "succeeded"])
    (collection,) = (await world.begin()).collections
    declined = await CollectionSteps(database, provider).attempt_payment(
        AttemptPayment(collection, 1, JANUARY)
    )
    grant = await world.grant(700, expires_at=FEBRUARY)
    over = await world.sibling("s2")
    await over.begin()
    await over.ask(Cancel("immediately", unused="none"), JANUARY)
    queue = new_id("queue")
    lives = RunningLives(temporal, queue, timedelta(minutes=1))
    async with working(temporal, database, provider, queue):
        found = await begin_again_in(environment.id, database, lives)
        assert await begin_again_in(environment.id, database, lives) == found
        living = temporal.get_workflow_handle(world.subscription.id)
        assert await living.query(SubscriptionWorkflow.state) == world.subscription
        owed = temporal.get_workflow_handle(f"collect:{collection.invoice}")
        assert await owed.query(CollectionWorkflow.state) == declined
        ends = await temporal.get_workflow_handle(f"grant:{grant.id}").describe()
        assert ends.status is WorkflowExecutionStatus.RUNNING
        with pytest.raises(RPCError, match="not found"):
            await temporal.get_workflow_handle(over.subscription.id).describe()
    assert found["subscriptions"] == found["credit grants"] == 1
