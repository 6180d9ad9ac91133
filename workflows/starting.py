"""What each life is started as: its workflow, under an id that is its own for ever, and what operators see of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, assert_never

from temporalio.client import Client
from temporalio.common import (
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from activities.steps import AdvanceClock, Arrival, GrantLife, Pay, SendRefund, TopUp
from domain.dunning import Collection
from domain.reading import written
from domain.subscription import Subscription
from workflows import visibility
from workflows.clock import TestClockWorkflow
from workflows.collection import CollectionWorkflow, RefundWorkflow
from workflows.credits import GrantWorkflow, TopUpWorkflow
from workflows.late_usage import LateUsageWorkflow
from workflows.paying import PayWorkflow
from workflows.subscription import SubscriptionWorkflow

# What a workflow of ours is started with: all that it needs to go on.
Living = Subscription | Collection | GrantLife | SendRefund | TopUp | Pay | AdvanceClock | Arrival


@dataclass(frozen=True, slots=True)
class Start:
    run: Callable[[Any, Any], Awaitable[Any]]
    id: str
    summary: str | None = None
    attributes: TypedSearchAttributes | None = None


def start_of(life: Living) -> Start:
    match life:
        case Subscription():
            shown, attributes = visibility.summary_of(life), visibility.of_subscription(life)
            return Start(SubscriptionWorkflow.run, life.id, shown, attributes)
        case Collection():
            id, attributes = f"collect:{life.invoice}", visibility.of_collection(life)
            return Start(CollectionWorkflow.run, id, attributes=attributes)
        case GrantLife():
            shown = f"{life.grant} expires {written(life.expires_at)}"
            return Start(GrantWorkflow.run, f"grant:{life.grant}", shown)
        case SendRefund():
            return Start(RefundWorkflow.run, life.refund)
        case TopUp():
            return Start(TopUpWorkflow.run, f"topup:{life.request}", life.order.key)
        case Pay():
            return Start(PayWorkflow.run, f"pay:{life.request}", "pay")
        case AdvanceClock():
            shown = f"to {written(life.to.at)}"
            return Start(TestClockWorkflow.run, life.clock, shown)
        case Arrival():
            id = f"late:{life.subscription}:{life.transaction}"
            return Start(LateUsageWorkflow.run, id, f"late usage of {life.subscription}")
        case _:
            assert_never(life)


async def begin(client: Client, task_queue: str, life: Living) -> str:
    """Let a life go on from there, unless it runs, whatever became of it before; its workflow. Raises `RPCError`."""
    start = start_of(life)
    shown = TypedSearchAttributes([]) if start.attributes is None else start.attributes
    await client.start_workflow(
        start.run,
        life,
        id=start.id,
        task_queue=task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        search_attributes=shown,
        static_summary=start.summary,
    )
    return start.id
