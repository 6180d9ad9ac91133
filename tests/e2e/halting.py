"""`python -m tests.e2e.halting`: a worker like any other, but whatever it does for some customers stands still at a place
of a test's choice, and has it said so, until the worker is killed there.

HALTS names the places, customer by customer. They lie between any two things that a step leaves behind:

    before STEP, after STEP         it has been begun; it is done, and Temporal has not been told
    STEP writes N                   its Nth transaction has written all, and is not committed
    STEP asks, STEP was answered    the payment provider is to be asked to charge; it has charged or declined
    WORKFLOW decides WHAT           a workflow has decided on a step, on a child or `to end`, and Temporal has not been told
    begin_attempt, end_attempt      an automatic purchase, or its end, is written, and not committed
    relay                           a purchase that was written down is to be sent
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor, Worker
from temporalio.worker._workflow_instance import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

import activities.topping_up
import worker
from cli.worker import worker as work
from db.automatic_top_ups import begin_attempt, end_attempt
from db.session import Database, Isolation
from providers.payments.port import ChargeRequest, PaymentOutcome
from providers.payments.stripe import StripePayments
from workflows.handles import RunningLives

PLACES: dict[str, str] = json.loads(os.environ.get("HALTS", "{}"))
FOREVER = 1_000_000  # seconds


def is_to_halt(place: str, about: object) -> bool:
    """Whether what is done there is for somebody who is to stand still there: then the test is told."""
    for customer, wanted in PLACES.items():
        if place == wanted and customer in str(about):
            print(told(customer, place), flush=True)
            return True
    return False


def told(customer: str, place: str) -> str:
    return f"{customer} stands still: {place}"


async def pass_by(place: str, about: object) -> None:
    if is_to_halt(place, about):
        await asyncio.Event().wait()


@dataclass(slots=True)
class Doing:
    """The step that is being done, for whom, and how many transactions it has had."""

    step: str
    about: str
    transactions: int = field(default=0)


doing: ContextVar[Doing | None] = ContextVar("doing", default=None)


class Halting(Interceptor):
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return HaltingSteps(next)


class HaltingSteps(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        step, about = activity.info().activity_type, str(input.args)
        doing.set(Doing(step, about))
        await pass_by(f"before {step}", about)
        done = await super().execute_activity(input)
        await pass_by(f"after {step}", about)
        return done


class HaltingDatabase(Database):
    @asynccontextmanager
    async def transaction(
        self, environment_id: str, isolation: Isolation | None = None
    ) -> AsyncIterator[AsyncConnection]:
        async with super().transaction(environment_id, isolation) as connection:
            yield connection
            if (under_way := doing.get()) is not None:
                under_way.transactions += 1
                place = f"{under_way.step} writes {under_way.transactions}"
                await pass_by(place, under_way.about)


class HaltingPayments(StripePayments):
    async def charge(self, request: ChargeRequest) -> PaymentOutcome:
        under_way = doing.get()
        assert under_way is not None
        await pass_by(f"{under_way.step} asks", under_way.about)
        outcome = await super().charge(request)
        await pass_by(f"{under_way.step} was answered", under_way.about)
        return outcome


class HaltingRunner(SandboxedWorkflowRunner):
    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = super().create_instance(det)
        activate = instance.activate

        def decide(activation: WorkflowActivation) -> WorkflowActivationCompletion:
            completion = activate(activation)
            for command in completion.successful.commands:
                if is_to_halt(f"{det.info.workflow_type} decides {decided(command)}", command):
                    time.sleep(FOREVER)
            return completion

        instance.activate = decide  # type: ignore[method-assign, assignment]  # the SDK knows no way in between
        return instance


def decided(command: WorkflowCommand) -> str:
    """What a workflow's command is about."""
    kind = command.WhichOneof("variant")
    if kind == "complete_workflow_execution":
        return "to end"
    detail = getattr(command, kind or "")
    return cast(str, getattr(detail, "activity_type", "") or getattr(detail, "workflow_type", ""))


class HaltingWorker(Worker):
    """Without an eye on workflows that stand still: a halt is one."""

    def __init__(self, client: Any, *, interceptors: list[Interceptor], **options: Any) -> None:
        super().__init__(client, interceptors=[*interceptors, Halting()], **options)
        if self._workflow_worker is not None:
            self._workflow_worker._deadlock_timeout_seconds = None  # no option of the SDK's


def halting(place: str, work: Callable[..., Awaitable[Any]], *, before: bool = False) -> Any:
    """`work`, which halts before it is begun or after it is done."""

    @wraps(work)
    async def halted(*arguments: Any) -> Any:
        if before:
            await pass_by(place, arguments)
        done = await work(*arguments)
        if not before:
            await pass_by(place, arguments)
        return done

    return halted


def put_halts_in() -> None:
    """Into the worker as it is put together, where it has no place of its own for them."""
    places: dict[Any, dict[str, Any]] = {
        worker: {
            "Worker": HaltingWorker,
            "Database": HaltingDatabase,
            "StripePayments": HaltingPayments,
            "RUNNER": HaltingRunner(restrictions=worker.RUNNER.restrictions),
            "STEPS_AT_ONCE": 100,  # those that stand still take up a slot each
        },
        activities.topping_up: {
            "begin_attempt": halting("begin_attempt", begin_attempt),
            "end_attempt": halting("end_attempt", end_attempt),
        },
        RunningLives: {"top_up": halting("relay", RunningLives.top_up, before=True)},
    }
    for where, names in places.items():
        for name, ours in names.items():
            setattr(where, name, ours)


if __name__ == "__main__":
    put_halts_in()
    work()
