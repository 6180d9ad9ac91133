"""The collection of one invoice: attempts and the waits between them, until it is paid or given up.

It outlives the period and the subscription that issued the invoice. What an answer of the provider means, and
when to try again, are the rules of `domain.dunning`.
"""

from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.steps import (
        AttemptPayment,
        CustomerActed,
        LookUpPayment,
        Moment,
        SendRefund,
        Steps,
    )
    from domain import dunning
    from domain.dunning import Collection
    from domain.subscription import Phase

from workflows import visibility
from workflows.life import PROVIDER, Life

# A payment that is under way is asked for again where no word of the provider has come by then.
ASK_AGAIN = timedelta(hours=6)
LONGEST_WAIT = timedelta(hours=1)


@dataclass(slots=True)
class Wish:
    """What the customer did so that we try again, until that has been done."""

    act: CustomerActed
    done: bool = False


@workflow.defn
class CollectionWorkflow(Life):
    @workflow.init
    def __init__(self, collection: Collection) -> None:
        super().__init__(collection.test_clock)
        self.clock.move(Moment(collection.issued_at, Phase.ARRIVED))  # the first attempt is at once
        self.collection = collection
        self.wishes: deque[Wish] = deque()
        self.told = False
        self.shown = visibility.of_collection(collection)

    @workflow.run
    async def run(self, collection: Collection) -> Collection:
        while await self.goes_on():
            await self.wait_for_the_next_thing()
            if self.wishes:
                await self.attempt_as_wished(self.wishes.popleft())
            elif self.told or self.collection.awaiting in ("provider", "customer"):
                await self.look_up()  # which takes back what has waited for too long
            else:
                await self.attempt_on_schedule()
        return self.collection

    # What the outside tells a collection.

    @workflow.signal
    def changed(self) -> None:
        """The provider said so, or the invoice was settled by other means: read again what became of it."""
        self.told = True

    @workflow.update
    async def customer_acted(self, act: CustomerActed) -> Collection:
        """There is a new payment method, or the wish to pay: attempt at once."""
        self.wishes.append(wish := Wish(act))
        await self.until(lambda: wish.done)
        return self.collection

    @workflow.query
    def state(self) -> Collection:
        return self.collection

    # How each step of the loop is done.

    async def goes_on(self) -> bool:
        """Until it is over, everyone has an answer, and nothing more has been told meanwhile."""
        if is_over(self.collection) and not self.wishes and not self.told:
            await self.leave()
        return bool(self.wishes) or self.told or not is_over(self.collection)

    async def wait_for_the_next_thing(self) -> None:
        self.show()
        waits = self.collection.gives_up_at is not None
        summary = "not confirmed" if waits else f"attempt {self.collection.attempts + 1}"
        await self.rest(self.next_moment(), lambda: self.told or bool(self.wishes), summary)

    async def attempt_on_schedule(self) -> None:
        due = self.collection.next_attempt_at
        await self.attempt(due if due and self.collection.test_clock else workflow.now())

    async def attempt_as_wished(self, wish: Wish) -> None:
        """At once, unless a payment is under way, which may yet succeed, or it cannot help."""
        if self.collection.awaiting == "provider":
            await self.look_up()
        at = wish.act.at or workflow.now()
        self.collection = dunning.customer_acted(self.collection, at, wish.act.new_method)
        if self.collection.next_attempt_at == at:
            await self.attempt(at)
        wish.done = True

    async def attempt(self, at: datetime) -> None:
        step = AttemptPayment(self.collection, self.collection.attempts + 1, at)
        owed = f"{self.collection.amount_due} {self.collection.amount_due.currency}"
        why = f"attempt {step.attempt}: {owed}"
        self.collection = await self.perform(Steps.attempt_payment, step, why, PROVIDER)

    async def look_up(self) -> None:
        self.told = False
        step = LookUpPayment(self.collection, self.clock.now())
        self.collection = await self.perform(
            Steps.look_up_payment, step, "what became of it", PROVIDER
        )

    def next_moment(self) -> Moment | None:
        if self.collection.awaiting == "provider" and self.collection.test_clock is None:
            return Moment(workflow.now() + ASK_AGAIN)
        # Only collections begun since there is a giving up have one, so no earlier history meets its timer.
        due = self.collection.due
        return None if due is None else Moment(*due)

    def show(self) -> None:
        workflow.set_current_details(visibility.waiting_of(self.collection))
        attributes = visibility.of_collection(self.collection)
        if changed := visibility.changes(self.shown, attributes):
            workflow.upsert_search_attributes(changed)
        self.shown = attributes


@workflow.defn
class RefundWorkflow(Life):
    """Money that goes back to a customer, however long the provider is away."""

    @workflow.init
    def __init__(self, refund: SendRefund) -> None:
        super().__init__(refund.test_clock)
        self.refund = refund

    @workflow.run
    async def run(self, refund: SendRefund) -> None:
        await self.perform(Steps.send_refund, refund, f"send {refund.refund}", PROVIDER)
        await self.leave()


def is_over(collection: Collection) -> bool:
    """Paid, or nothing is left to try. What was written off begins again when the customer acts."""
    return collection.next_attempt_at is None and collection.awaiting == "nothing"


async def begin_collection(collection: Collection) -> None:
    """Start the collection of an invoice that has just been issued, once for each invoice."""
    with suppress(WorkflowAlreadyStartedError):
        await _start(collection)


async def collect(collection: Collection) -> Collection:
    """The same, and wait until it is over: also one that was begun by who waited for it before us, and then does
    nothing twice.
    """
    patience = timedelta(seconds=1)
    while True:
        try:
            return await (await _start(collection))
        except WorkflowAlreadyStartedError:
            await workflow.sleep(patience, summary="somebody else has begun to collect it")
            patience = min(2 * patience, LONGEST_WAIT)


async def _start(collection: Collection) -> ChildWorkflowHandle[CollectionWorkflow, Collection]:
    return await workflow.start_child_workflow(
        CollectionWorkflow.run,
        collection,
        id=f"collect:{collection.invoice}",
        parent_close_policy=ParentClosePolicy.ABANDON,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        search_attributes=visibility.of_collection(collection),
        static_summary=f"{collection.invoice} · {collection.amount_due} {collection.amount_due.currency}",
    )


async def tell_collection(invoice: str) -> None:
    """Tell the collection of an invoice, by its id, that it was settled by other means, unless it is over."""
    collection = workflow.get_external_workflow_handle_for(
        CollectionWorkflow.run, f"collect:{invoice}"
    )
    with suppress(FailureError):
        await collection.signal(CollectionWorkflow.changed)


async def begin_refund(refund: SendRefund) -> None:
    with suppress(WorkflowAlreadyStartedError):
        await workflow.start_child_workflow(
            RefundWorkflow.run,
            refund,
            id=refund.refund,
            parent_close_policy=ParentClosePolicy.ABANDON,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )
