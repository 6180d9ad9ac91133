"""Builds of the code: which one a worker is, which one is current, and which ones lives still need."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from temporalio.api.deployment.v1 import WorkerDeploymentInfo
from temporalio.api.enums.v1 import WorkerDeploymentVersionStatus
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    DescribeWorkerDeploymentResponse,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import WorkerDeploymentConfig

from domain.errors import BillingError, Conflict, NotFound, Unavailable

DEPLOYMENT = "weir"
# A build can be made current once its workers have polled: for so long we look.
LOOKS = 120
LOOK_SECONDS = 0.25


_STANDING = "WORKER_DEPLOYMENT_VERSION_STATUS_"
_CONFLICTS = {RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.INVALID_ARGUMENT}


@dataclass(frozen=True, slots=True)
class Build:
    """`standing` is Temporal's word: `current`, `draining` while runs that began on it are under way, then `drained`;
    `inactive` before it was ever current.
    """

    id: str
    standing: str


def deployment_of(build: str, deployment: str = DEPLOYMENT) -> WorkerDeploymentConfig:
    """What names no behaviour of its own goes on on the current build: it may live for too long to hold an old one."""
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment, build),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )


class Builds:
    """Those of one deployment. Every call raises `Unavailable` where Temporal does not answer."""

    def __init__(self, client: Client, deployment: str = DEPLOYMENT) -> None:
        self.client = client
        self.deployment = deployment

    async def all(self) -> tuple[Build, ...]:
        """The newest first; none where no worker has ever had a build."""
        try:
            found = (await self._describe()).worker_deployment_info
        except NotFound:
            return ()
        newest = sorted(
            found.version_summaries, key=lambda each: each.create_time.ToNanoseconds(), reverse=True
        )
        return tuple(_build(each) for each in newest)

    async def make_current(self, build: str) -> None:
        """What begins, and what is not held by a build, goes on on this one, once its queues have heard of it. Raises `NotFound` for one that has never
        had a worker, `Conflict` where its workers do not wait on every queue that lives need.
        """
        await self._make_current(build, await self._describe())

    async def begin(self, build: str) -> None:
        """The first build makes itself current, or nothing would run; each later one is an operator's to make current."""
        for _ in range(LOOKS):
            try:
                found = await self._describe()
                if not _has_begun(found):
                    await self._make_current(build, found)
                return
            except BillingError:  # not seen yet, or another worker was first
                await asyncio.sleep(LOOK_SECONDS)
        raise Unavailable(
            f"Temporal does not know of build {build} of deployment {self.deployment}"
        )

    async def _describe(self) -> DescribeWorkerDeploymentResponse:
        async with self._answer():
            return await self.client.workflow_service.describe_worker_deployment(
                DescribeWorkerDeploymentRequest(
                    namespace=self.client.namespace, deployment_name=self.deployment
                )
            )

    async def _make_current(self, build: str, found: DescribeWorkerDeploymentResponse) -> None:
        async with self._answer():
            await self.client.workflow_service.set_worker_deployment_current_version(
                SetWorkerDeploymentCurrentVersionRequest(
                    namespace=self.client.namespace,
                    deployment_name=self.deployment,
                    build_id=build,
                    conflict_token=found.conflict_token,
                    identity="weir",
                )
            )

    @asynccontextmanager
    async def _answer(self) -> AsyncIterator[None]:
        try:
            yield
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise NotFound(f"Temporal knows of no such build: {error.message}") from error
            if error.status in _CONFLICTS:
                raise Conflict(error.message) from error
            raise Unavailable(f"Temporal does not answer: {error.message}") from error


def _has_begun(found: DescribeWorkerDeploymentResponse) -> bool:
    """Whether any build has ever been current: an operator may have gone back to workers without one."""
    known = found.worker_deployment_info
    has_current = bool(known.routing_config.current_deployment_version.build_id)
    return has_current or any(b.HasField("first_activation_time") for b in known.version_summaries)


def _build(summary: WorkerDeploymentInfo.WorkerDeploymentVersionSummary) -> Build:
    standing = WorkerDeploymentVersionStatus.Name(summary.status).removeprefix(_STANDING)
    return Build(summary.deployment_version.build_id, standing.lower())
