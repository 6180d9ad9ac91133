"""A new build of the worker is rolled out under a living subscription, as an operator does it."""

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime

from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.workflowservice.v1 import DescribeWorkerDeploymentVersionRequest

from activities.steps import Moment
from tests.billing_world import FEBRUARY, MARCH
from tests.e2e.staged import Stage
from tests.workflows.conftest import current_on
from workflows.builds import DEPLOYMENT, Build, Builds
from workflows.handles import TASK_QUEUE

APRIL = datetime(2026, 4, 1, tzinfo=UTC)


async def test_from_no_build_to_the_first_and_on_to_the_next(stage: Stage) -> None:
    stage.start_worker("1")
    await stage.until(lambda: lives_go_to(stage, "1"))
    stage.stop_worker()  # that of no build
    await stage.advance(Moment(FEBRUARY))
    stage.start_worker("2")
    await stage.until(lambda: stands(stage, "2", "inactive"))
    assert await builds(stage, "list") == (0, "2\tinactive\n1\tcurrent\n")
    await stage.until(lambda: waits_where(stage, "2", "1"))  # it is refused before
    assert await builds(stage, "use", "2") == (0, "2 is current\n")
    await stage.until(lambda: lives_go_to(stage, "2"))
    await stage.advance(Moment(MARCH))
    stage.stop_worker()  # that of build 1: no period is on it any more
    await stage.advance(Moment(APRIL))
    assert [row[1:3] for row in (await stage.invoices())[1:]] == [
        (FEBRUARY, "paid"),
        (MARCH, "paid"),
        (APRIL, "paid"),
    ]


async def stands(stage: Stage, build: str, standing: str) -> bool:
    return Build(build, standing) in await Builds(stage.lives.client).all()


async def lives_go_to(stage: Stage, build: str) -> bool:
    return await current_on(stage.lives.client, TASK_QUEUE) == build


async def waits_where(stage: Stage, build: str, another: str) -> bool:
    """Whether workers of a build have been seen on every queue where those of another one have been."""
    return await queues_of(stage, build) >= await queues_of(stage, another)


async def queues_of(stage: Stage, build: str) -> set[tuple[str, int]]:
    client = stage.lives.client
    version = WorkerDeploymentVersion(deployment_name=DEPLOYMENT, build_id=build)
    found = await client.workflow_service.describe_worker_deployment_version(
        DescribeWorkerDeploymentVersionRequest(
            namespace=client.namespace, deployment_version=version
        )
    )
    return {(each.name, each.type) for each in found.version_task_queues}


async def builds(stage: Stage, *arguments: str) -> tuple[int, str]:
    """The exit status of `weir builds`, and what it printed."""
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "cli", "builds", *arguments],
        env={**os.environ, **stage.variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stdout
