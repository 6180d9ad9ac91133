"""Lives as an operator sees and moves them: whether one runs and how it stands, ended by force, started anew."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from domain.errors import Unavailable
from workflows.starting import Living, begin
from workflows.visibility import NEEDS_ATTENTION

PATIENCE = timedelta(seconds=10)  # for a workflow that is asked how it stands


@dataclass(frozen=True, slots=True)
class Running:
    """A workflow that runs: `busy` while a step of it is under way, `calls` where one has given up. It has not gone on
    between two looks of the same `run` and `events`.
    """

    run: str
    events: int
    busy: bool
    calls: bool


class Overseer:
    """Raises `Unavailable` where Temporal does not answer."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self.client = client
        self.task_queue = task_queue

    async def look(self, workflow: str) -> Running | None:
        """How it runs; None where it does not, or there never was one."""
        try:
            async with _answers():
                told = await self.client.get_workflow_handle(workflow).describe()
        except LookupError:
            return None
        if told.status is not WorkflowExecutionStatus.RUNNING:
            return None
        return Running(
            told.run_id,
            told.history_length,
            bool(told.raw_description.pending_activities),
            bool(told.typed_search_attributes.get(NEEDS_ATTENTION)),
        )

    async def has_run(self, workflow: str) -> bool:
        """Whether it runs, or has come to its end."""
        try:
            async with _answers():
                told = await self.client.get_workflow_handle(workflow).describe()
        except LookupError:
            return False
        status = WorkflowExecutionStatus
        return told.status in (status.RUNNING, status.COMPLETED, status.CONTINUED_AS_NEW)

    async def state(self, workflow: str, kind: type[Any]) -> object:
        """Its state, by its own word; None where it gives none: no worker leads it, or not as far as that."""
        handle = self.client.get_workflow_handle(workflow)
        try:
            return await handle.query("state", result_type=kind, rpc_timeout=PATIENCE)
        except (RPCError, WorkflowQueryFailedError):
            return None

    async def running(self, types: Sequence[str]) -> AsyncIterator[tuple[str, str]]:
        """Type and id of each workflow of these types that runs, as far as is visible by now."""
        names = ", ".join(f"'{name}'" for name in types)
        query = f"ExecutionStatus = 'Running' AND TaskQueue = '{self.task_queue}' AND WorkflowType IN ({names})"
        async with _answers():
            async for each in self.client.list_workflows(query):
                yield each.workflow_type, each.id

    async def has_workers(self) -> bool:
        """Whether a worker has asked for work lately."""
        request = DescribeTaskQueueRequest(
            namespace=self.client.namespace,
            task_queue=TaskQueue(name=self.task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        async with _answers():
            told = await self.client.workflow_service.describe_task_queue(request)
        return bool(told.pollers)

    async def start(self, life: Living) -> None:
        """Let a life go on from there, unless it runs; whatever became of it before."""
        async with _answers():
            await begin(self.client, self.task_queue, life)

    async def end(self, workflow: str, reason: str, run: str | None = None) -> None:
        """By force, unless it has ended; only that run of it, where one is given."""
        try:
            async with _answers():
                handle = self.client.get_workflow_handle(workflow, run_id=run)
                await handle.terminate(reason=reason)
        except LookupError:
            pass


@asynccontextmanager
async def _answers() -> AsyncIterator[None]:
    try:
        yield
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise LookupError(error.message) from error
        raise Unavailable(f"Temporal does not answer: {error.message}") from error
    except TimeoutError as error:
        raise Unavailable("Temporal does not answer") from error
