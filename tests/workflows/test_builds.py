"""New builds under living subscriptions: what stays on the build it began on, and what goes on on the newest."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.steps import GrantLife, Moment
from db.ids import new_id
from domain.commands import Pause, Resume
from domain.errors import Conflict, Corrupt, NotFound
from tests.workflows.conftest import Stage, asked, current_on, on_clock, staged
from tests.workflows.paper import PaperSteps
from workflows.builds import Build, Builds, deployment_of

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
SOFT = "declined:insufficient_funds"


@dataclass(frozen=True, slots=True)
class Rollout:
    """A deployment of a test's own, on a queue of its own."""

    builds: Builds
    queue: str

    @asynccontextmanager
    async def worker(self, build: str, steps: PaperSteps) -> AsyncIterator[Stage]:
        """A worker of a build, which does what each does at its start."""
        told = deployment_of(build, self.builds.deployment)
        async with staged(self.builds.client, steps, self.queue, told) as stage:
            await self.builds.begin(build)
            while not await current_on(self.builds.client, self.queue):  # noqa: ASYNC110 - it is the server's doing
                await asyncio.sleep(0.05)
            yield stage

    async def make_current(self, build: str) -> None:
        """As soon as its worker has been seen on both queues, and until lives are sent there."""
        while True:
            try:
                await self.builds.make_current(build)
                break
            except (NotFound, Conflict):
                await asyncio.sleep(0.05)
        while await current_on(self.builds.client, self.queue) != build:  # noqa: ASYNC110 - it is the server's doing
            await asyncio.sleep(0.05)

    async def move(self, life: str, build: str) -> None:
        """What `temporal workflow update-options --versioning-override-behavior one_time` asks for, as soon as a worker of
        that build has been seen.
        """
        while True:
            try:
                await self._move(life, build)
                return
            except RPCError as error:
                if error.status is not RPCStatusCode.FAILED_PRECONDITION:
                    raise
                await asyncio.sleep(0.05)

    async def _move(self, life: str, build: str) -> None:
        client = self.builds.client
        version = WorkerDeploymentVersion(deployment_name=self.builds.deployment, build_id=build)
        once = VersioningOverride.OneTimeOverride(target_deployment_version=version)
        await client.workflow_service.update_workflow_execution_options(
            UpdateWorkflowExecutionOptionsRequest(
                namespace=client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=life),
                workflow_execution_options=WorkflowExecutionOptions(
                    versioning_override=VersioningOverride(one_time=once)
                ),
                update_mask=FieldMask(paths=["versioning_override"]),
            )
        )


@pytest.fixture
def rollout(temporal: Client) -> Rollout:
    return Rollout(Builds(temporal, new_id("deployment")), new_id("queue"))


async def test_a_period_ends_on_the_build_it_began_on_and_the_next_is_on_the_current_one(
    rollout: Rollout,
) -> None:
    old, new = PaperSteps(), PaperSteps()
    async with rollout.worker("1", old) as stage, rollout.worker("2", new):
        life = await on_clock(stage)
        await rollout.make_current("2")
        await stage.lives.request(life, asked(Pause(), JANUARY))
        await stage.lives.advance(life, Moment(FEBRUARY))
        await stage.lives.request(life, asked(Resume(), FEBRUARY))
        await stage.lives.advance(life, Moment(MARCH))
    assert billing(old) == ["begin", "pause", "end_period"]
    assert billing(new) == ["resume", "end_period"]


async def test_a_build_that_went_wrong_is_left_again_at_the_periods_end(rollout: Rollout) -> None:
    old, new = PaperSteps(), PaperSteps()
    async with rollout.worker("1", old) as stage, rollout.worker("2", new):
        await rollout.make_current("2")
        life = await on_clock(stage)
        await rollout.make_current("1")
        await stage.lives.advance(life, Moment(FEBRUARY))
        await stage.lives.request(life, asked(Pause(), FEBRUARY))
    assert (billing(new), billing(old)) == (["begin", "end_period"], ["pause"])


async def test_what_waits_for_long_goes_on_on_the_current_build(rollout: Rollout) -> None:
    """The collection of an invoice, and a grant: one begun by a subscription of the old build, one by ourselves."""
    old, new = PaperSteps(answers=[SOFT]), PaperSteps(answers=["succeeded"])
    grant = GrantLife("env_1", new_id("crg"), "cus_acme", MARCH, "clk")
    async with rollout.worker("1", old) as stage, rollout.worker("2", new):
        life = await on_clock(stage)
        await stage.lives.watch_grant(grant)
        collecting = f"collect:inv_invoice:{life}:2026-01-01T00:00:00Z"
        await stage.lives.advance(collecting, Moment(JANUARY))
        await stage.lives.advance(f"grant:{grant.grant}", Moment(JANUARY))
        await rollout.make_current("2")
        await stage.lives.advance(collecting, Moment(FEBRUARY))
        await stage.lives.advance(f"grant:{grant.grant}", Moment(MARCH))
    assert [step for step, _ in old.taken] == ["begin", "attempt_payment"]
    assert [step for step, _ in new.taken] == ["attempt_payment", "end_grant"]


async def test_the_first_build_makes_itself_current_and_no_later_one_does(rollout: Rollout) -> None:
    assert await rollout.builds.all() == ()
    async with rollout.worker("1", PaperSteps()):
        assert await rollout.builds.all() == (Build("1", "current"),)
        async with rollout.worker("2", PaperSteps()):
            await rollout.builds.begin("2")
            assert Build("1", "current") in await rollout.builds.all()
            await rollout.make_current("2")
            standing = {each.id: each.standing for each in await rollout.builds.all()}
    assert standing == {"2": "current", "1": "draining"}


async def test_only_a_build_that_has_workers_is_made_current(rollout: Rollout) -> None:
    async with rollout.worker("1", PaperSteps()):
        with pytest.raises((NotFound, Conflict)):
            await rollout.builds.make_current("2")
        assert await rollout.builds.all() == (Build("1", "current"),)


async def test_lives_begun_without_a_build_go_on_on_the_first_one(
    temporal: Client, rollout: Rollout
) -> None:
    plain, first = PaperSteps(), PaperSteps()
    async with staged(temporal, plain, rollout.queue) as stage:
        life = await on_clock(stage)
        async with rollout.worker("1", first):
            await stage.lives.advance(life, Moment(FEBRUARY))
            await stage.lives.request(life, asked(Pause(), FEBRUARY))
    assert billing(plain) == ["begin"]
    assert billing(first) == ["end_period", "pause"]


async def test_a_life_that_gave_up_on_its_build_is_moved_and_tried_again(rollout: Rollout) -> None:
    """What made it give up is mended in another build. It stays there for the period, current or not."""
    first, mended = PaperSteps(), PaperSteps()
    first.failing["pause"] = [Corrupt("a fault of this build")]
    async with rollout.worker("1", first) as stage, rollout.worker("2", mended):
        life = await on_clock(stage)
        asking = asyncio.create_task(stage.lives.request(life, asked(Pause(), JANUARY)))
        while first.failing["pause"]:  # noqa: ASYNC110 - it is the worker's doing
            await asyncio.sleep(0.02)
        with pytest.raises(Conflict, match="a fault of this build"):
            await stage.lives.advance(life)
        await rollout.move(life, "2")
        await stage.lives.retry(life)
        await asking
        await stage.lives.request(life, asked(Resume(), JANUARY))
        await stage.lives.advance(life, Moment(FEBRUARY))
        await stage.lives.request(life, asked(Pause(), FEBRUARY))
    assert billing(first) == ["begin", "pause"]  # that of the next period, on the current build
    assert billing(mended) == ["pause", "resume", "end_period"]


def billing(steps: PaperSteps) -> list[str]:
    return [step for step, _ in steps.taken if step != "attempt_payment"]
