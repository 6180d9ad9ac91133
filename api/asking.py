"""Asking a life in Temporal for something: written down first, then sent under its own id.

What was written down is never lost: where no answer comes in time, or nobody could be reached after it was written, it is
sent again by the relay, and done once.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.steps import Pay, TopUp
from domain.commands import Request
from domain.errors import (
    BillingError,
    Conflict,
    Declined,
    Fault,
    Forbidden,
    Invalid,
    NotFound,
    Rejected,
    Unavailable,
)
from domain.subscription import Subscription
from workflows import visibility
from workflows.credits import TopUpWorkflow
from workflows.paying import PayWorkflow
from workflows.subscription import SubscriptionWorkflow

T = TypeVar("T")

TASK_QUEUE = "weir"
SEND_TIMEOUT = timedelta(seconds=10)
# An answer usually takes milliseconds; where it takes longer, the caller is told that it was asked for.
PATIENCE_SECONDS = 20

_BY_CODE = {kind.code: kind for kind in (Rejected, NotFound, Conflict, Forbidden, Declined)}


async def live(temporal: Client, subscription: Subscription) -> WorkflowHandle[Any, Any]:
    """The life of a subscription, started where it has not been. One that is over stays over. Raises `Unavailable`."""
    try:
        return await temporal.start_workflow(
            SubscriptionWorkflow.run,
            subscription,
            id=subscription.id,
            task_queue=TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            search_attributes=visibility.of_subscription(subscription),
            static_summary=f"{subscription.key} · {subscription.plan.key}",
            rpc_timeout=SEND_TIMEOUT,
        )
    except WorkflowAlreadyStartedError:
        return temporal.get_workflow_handle(subscription.id)
    except RPCError as error:
        _away(error)


async def request(
    temporal: Client, subscription: Subscription, asked: Request
) -> Mapping[str, object] | None:
    """What a command brought; None where no answer came in time. Raises what it was refused with, or `Unavailable`."""
    life = await live(temporal, subscription)
    return await answered(life.execute_update(SubscriptionWorkflow.request, asked, id=asked.id))


async def top_up(temporal: Client, asked: TopUp) -> object | None:
    """Have credits paid for and granted; None where it is still under way."""
    summary = f"top-up {asked.order.key}"
    return await _run(temporal, TopUpWorkflow.run, asked, f"topup:{asked.request}", summary)


async def pay(temporal: Client, asked: Pay) -> object | None:
    """Attach a payment method, attempt what is unpaid; None where it is still under way."""
    return await _run(temporal, PayWorkflow.run, asked, f"pay:{asked.request}", asked.customer)


async def answered(answer: Awaitable[T]) -> T | None:
    """The answer of a life, or None after a while. Raises the refusal as what it is here, or `Unavailable`."""
    try:
        return await asyncio.wait_for(answer, PATIENCE_SECONDS)
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
        return None
    except (WorkflowUpdateFailedError, WorkflowFailureError) as error:
        raise refusal_of(error.cause) from error
    except RPCError as error:
        _away(error)


def refusal_of(cause: BaseException | None) -> BillingError:
    """The error of ours that a life was refused with."""
    while isinstance(cause, Exception) and not isinstance(cause, ApplicationError):
        cause = cause.__cause__
    if not isinstance(cause, ApplicationError):
        return Unavailable(f"no answer: {cause}")
    if cause.type == Invalid.code:
        return Invalid(_faults(cause))
    known = _BY_CODE.get(cause.type or "")
    return known(cause.message) if known else Unavailable(f"{cause.type}: {cause.message}")


def _faults(refusal: ApplicationError) -> Sequence[Fault]:
    told = refusal.details[1] if len(refusal.details) > 1 else ()
    assert isinstance(told, Sequence)
    faults = [Fault(str(fault["path"]), str(fault["message"])) for fault in told]
    return faults or [Fault("", refusal.message)]


async def _run(temporal: Client, run: Any, asked: object, name: str, summary: str) -> object | None:
    """The result of a workflow that is named by its request: asked again, it is the same one."""
    try:
        handle = await temporal.start_workflow(
            run,
            asked,
            id=name,
            task_queue=TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            static_summary=summary,
            rpc_timeout=SEND_TIMEOUT,
        )
    except WorkflowAlreadyStartedError:
        handle = temporal.get_workflow_handle_for(run, name)
    except RPCError as error:
        _away(error)
    return await answered(handle.result())


def _away(error: RPCError) -> NoReturn:
    if error.status is RPCStatusCode.NOT_FOUND:
        raise Conflict("it is over") from error
    raise Unavailable(f"Temporal does not answer: {error.message}") from error
