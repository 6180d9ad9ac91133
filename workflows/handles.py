"""The way to the lives that run in Temporal, for whoever starts them, asks them and tells them.

Nothing is sent that was not written down before: a request under its own id, a subscription, a collection. So what is
sent twice happens once, and what never arrives is sent again by the relay.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, FailureError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.steps import (
    AdvanceClock,
    Arrival,
    CustomerActed,
    GrantLife,
    Moment,
    Paid,
    Pay,
    SendRefund,
    ToppedUp,
    TopUp,
)
from domain.codec import from_plain
from domain.commands import Request
from domain.dunning import Collection
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
from domain.reading import written
from domain.subscription import Phase, Subscription
from workflows import visibility
from workflows.clock import TestClockWorkflow
from workflows.collection import CollectionWorkflow
from workflows.credits import TopUpWorkflow
from workflows.life import Life
from workflows.paying import PayWorkflow
from workflows.starting import Living, begin
from workflows.subscription import SubscriptionWorkflow

A = TypeVar("A")
R = TypeVar("R")

TASK_QUEUE = "weir"
NEEDS_ATTENTION = "needs_attention"

_REFUSALS = {kind.code: kind for kind in (Rejected, NotFound, Conflict, Forbidden, Declined)}


class NoAnswerYet(Unavailable):
    """It was asked for and will be done: whoever asks again finds it done or under way."""


class RunningLives:
    """Lives by their ids. Every call waits for the answer, `patience` long, and raises what it was refused
    with, `NotFound` where the life is over, `Unavailable` where Temporal does not answer, and `NoAnswerYet` where no
    answer came in time.
    """

    def __init__(
        self, client: Client, task_queue: str = TASK_QUEUE, patience: timedelta | None = None
    ) -> None:
        self.client = client
        self.task_queue = task_queue
        self.patience = patience

    async def subscribe(self, subscription: Subscription, at: datetime | None) -> None:
        """Let a subscription that was written down begin, and wait until what is due by now has happened: for the
        first invoice, where it starts at once. `at` is what its test clock shows.
        """
        await self.live(subscription)
        now = None if at is None else Moment(at, Phase.ARRIVED)
        with suppress(NotFound):  # it is over
            async with self._answer():
                handle = self.client.get_workflow_handle(subscription.id)
                await handle.execute_update(Life.advance, now)

    async def live(self, subscription: Subscription) -> None:
        """Let a subscription go on from where it is, unless it does. One that is over stays so."""
        await self._begin(subscription)

    async def request(self, subscription: str, request: Request) -> Mapping[str, object]:
        """Ask a subscription for something; the answer tells the invoices it brought."""
        life = self.client.get_workflow_handle(subscription)
        async with self._answer():
            return await life.execute_update(SubscriptionWorkflow.request, request, id=request.id)

    async def top_up(self, asked: TopUp, subscription: str | None = None) -> ToppedUp:
        """Have credits paid for and granted: by a subscription, or where there is none by a life of their own."""
        name = f"topup:{asked.request}"
        async with self._answer():
            if subscription is None:
                return await self._outcome(TopUpWorkflow.run, asked, name, asked.order.key)
            life = self.client.get_workflow_handle(subscription)
            return await life.execute_update(SubscriptionWorkflow.top_up, asked, id=name)

    async def pay(self, asked: Pay) -> Paid:
        """Attach the payment method, where there is a new one, and have what is unpaid attempted."""
        async with self._answer():
            return await self._outcome(PayWorkflow.run, asked, f"pay:{asked.request}", "pay")

    async def watch_grant(self, grant: GrantLife) -> None:
        """Let a grant that ends watch over its end."""
        await self._begin(grant)

    async def advance_clock(self, advance: AdvanceClock) -> None:
        """Take a test clock to a moment, and wait until it is there."""
        async with self._answer():
            await self._outcome(
                TestClockWorkflow.run,
                advance,
                advance.clock,
                f"to {written(advance.to.at)}",
                again=True,
            )

    async def retry(self, workflow: str) -> None:
        """An operator has put right what made a life give up. Raises `Conflict` where none has."""
        async with self._answer():
            await self.client.get_workflow_handle(workflow).execute_update(Life.retry)

    # For steps, which reach lives through this alone.

    async def advance(self, workflow: str, to: Moment | None = None) -> None:
        """Let a life on a test clock do what is due by a moment; without one, wait until it has caught up. Raises `Conflict` where it has given up."""
        async with self._answer():
            await self.client.get_workflow_handle(workflow).execute_update(Life.advance, to)

    async def usage_arrived(self, arrival: Arrival, is_over: bool) -> str:
        """Tell a subscription of usage to charge, or where that is over a life of its own; the workflow told."""
        if not is_over:
            with suppress(NotFound):  # it has ended meanwhile
                async with self._answer():
                    life = self.client.get_workflow_handle(arrival.subscription)
                    await life.signal(SubscriptionWorkflow.usage_arrived, arrival)
                    return arrival.subscription
        return await self._begin(arrival)

    async def customer_acted(self, collection: Collection, act: CustomerActed) -> Collection:
        """Have an invoice attempted at once, and tell what became of it. What was given up begins again."""
        async with self._answer():
            return await self.client.execute_update_with_start_workflow(
                CollectionWorkflow.customer_acted,
                act,
                id=f"{act.request}:{collection.invoice}",
                start_workflow_operation=WithStartWorkflowOperation(
                    CollectionWorkflow.run,
                    collection,
                    id=f"collect:{collection.invoice}",
                    task_queue=self.task_queue,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    search_attributes=visibility.of_collection(collection),
                ),
            )

    async def collect(self, collection: Collection) -> None:
        """Let the collection of an invoice go on from where it is, unless it does."""
        await self._begin(collection)

    async def send_refund(self, refund: SendRefund) -> None:
        """Let a refund be sent, unless it is on its way."""
        await self._begin(refund)

    async def changed(self, collection: Collection) -> None:
        """Tell a collection that something changed at the provider, or in the books."""
        async with self._answer():
            await self.client.start_workflow(
                CollectionWorkflow.run,
                collection,
                id=f"collect:{collection.invoice}",
                task_queue=self.task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                search_attributes=visibility.of_collection(collection),
                start_signal="changed",
            )

    async def _begin(self, life: Living) -> str:
        """Let a life go on from there, unless it runs; its workflow. Its steps know what was done before."""
        async with self._answer():
            return await begin(self.client, self.task_queue, life)

    async def _outcome(
        self,
        run: Callable[[Any, A], Awaitable[R]],
        asked: A,
        workflow: str,
        summary: str,
        *,
        again: bool = False,
    ) -> R:
        """What a workflow that is named by its request came to, now or when it was asked first."""
        reuse = WorkflowIDReusePolicy.REJECT_DUPLICATE
        try:
            handle = await self.client.start_workflow(
                run,
                asked,
                id=workflow,
                task_queue=self.task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE if again else reuse,
                static_summary=summary,
            )
        except WorkflowAlreadyStartedError:
            handle = self.client.get_workflow_handle_for(run, workflow)
        return await handle.result()

    @asynccontextmanager
    async def _answer(self) -> AsyncIterator[None]:
        try:
            seconds = None if self.patience is None else self.patience.total_seconds()
            async with asyncio.timeout(seconds):
                yield
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            raise NoAnswerYet("no answer yet: it was asked for, and will be done") from error
        except (WorkflowUpdateFailedError, WorkflowFailureError) as error:
            raise refusal_of(error.cause) from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise NotFound("it is over") from error
            raise Unavailable(f"Temporal does not answer: {error.message}") from error


def refusal_of(cause: BaseException | None) -> BillingError:
    """The error of ours that a life, or a step of one, ended with."""
    while isinstance(cause, FailureError) and not isinstance(cause, ApplicationError):
        cause = cause.cause
    if not isinstance(cause, ApplicationError):
        return Unavailable(f"no answer: {cause}")
    if cause.type == Invalid.code:
        return Invalid(from_plain(tuple[Fault, ...], cause.details[1]))
    if cause.type == NEEDS_ATTENTION:
        return Conflict(cause.message)
    known = _REFUSALS.get(cause.type or "")
    return known(cause.message) if known else Unavailable(f"{cause.type}: {cause.message}")
