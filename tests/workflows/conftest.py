"""Workflows on Temporal's development server, with their steps on paper."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.testing import TimeSkipper
from temporalio.worker import Worker, WorkerDeploymentConfig

from activities.errors import TranslateErrors
from db.ids import new_id
from domain.commands import Cancel, Pause, Request, Resume
from domain.subscription import Subscription
from tests.workflows.paper import PaperSteps
from worker import RUNNER, VERSIONED, WORKFLOWS
from workflows.handles import RunningLives
from workflows.life import long_steps
from workflows.subscription import SubscriptionWorkflow
from workflows.wire import DATA_CONVERTER


@pytest.fixture
async def temporal(temporal_address: str) -> Client:
    return await Client.connect(temporal_address, data_converter=DATA_CONVERTER)


@pytest.fixture
def skipping(temporal: Client) -> Client:
    """Time passes for the lives it starts as quickly as nothing happens to them: for real time."""
    return TimeSkipper(temporal).client


JANUARY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stage:
    """A worker whose steps are on paper, and the way to the lives it carries on."""

    client: Client
    steps: PaperSteps
    lives: RunningLives

    async def state(self, subscription: str) -> Subscription:
        handle = self.client.get_workflow_handle(subscription)
        return await handle.query(SubscriptionWorkflow.state)


@asynccontextmanager
async def staged(
    client: Client,
    steps: PaperSteps,
    queue: str | None = None,
    build: WorkerDeploymentConfig | None = None,
) -> AsyncIterator[Stage]:
    """With a `queue`, beside the other workers of it; with a `build`, as a worker of that."""
    queue = queue or new_id("queue")
    first = Worker(
        client,
        task_queue=queue,
        workflows=WORKFLOWS if build is None else VERSIONED,
        activities=[
            steps.begin,
            steps.end_period,
            steps.start_window,
            steps.end_day,
            steps.charge_usage,
            steps.carry_out,
            steps.do_scheduled,
            steps.expire_grant,
            steps.end_grant,
            steps.top_up,
            steps.attempt_payment,
            steps.look_up_payment,
            steps.send_refund,
            steps.attach_payment_method,
        ],
        interceptors=[TranslateErrors()],
        workflow_runner=RUNNER,
        deployment_config=build,
    )
    long = Worker(
        client,
        task_queue=long_steps(queue),
        activities=[steps.advance_clock, steps.attempt_unpaid],
        interceptors=[TranslateErrors()],
        deployment_config=build,
    )
    async with first, long:
        yield Stage(client, steps, RunningLives(client, queue, timedelta(seconds=60)))


async def on_clock(stage: Stage, at: datetime = JANUARY) -> str:
    """A subscription on a test clock, begun."""
    life = stage.steps.new_subscription(new_id("sub"), at, test_clock="clk")
    await stage.lives.subscribe(life, at)
    return life.id


def asked(command: Cancel | Pause | Resume, at: datetime) -> Request:
    return Request(new_id("req"), command, at=at)


async def current_on(client: Client, queue: str) -> str:
    """The build that a queue sends lives and their steps to: it may hear of a new one a little later than the deployment,
    and of steps later than of lives. Empty until both are sent to the same one.
    """
    kinds = (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)
    builds = {await _current_on(client, queue, kind) for kind in kinds}
    return builds.pop() if len(builds) == 1 else ""


async def _current_on(client: Client, queue: str, kind: TaskQueueType.ValueType) -> str:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
    )
    found = await client.workflow_service.describe_task_queue(request)
    return found.versioning_info.current_deployment_version.build_id
