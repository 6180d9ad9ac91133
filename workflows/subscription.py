"""One subscription's life: it starts, bills each period at its end, does what it is asked, and ends.

One run is one billing period, so each run in Temporal's Web UI is a period and none grows old. What is decided
at each step, and when the next one is due, are pure rules of `domain`; here is only their order.
"""

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never
from zlib import crc32

from temporalio import workflow
from temporalio.common import VersioningBehavior, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.workflow import ContinueAsNewVersioningBehavior, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.steps import (
        REFUSED,
        Arrival,
        Begin,
        CarryOut,
        ChargeUsage,
        DoScheduled,
        EndDay,
        EndPeriod,
        ExpireGrant,
        GrantLife,
        Moment,
        StartWindow,
        Steps,
        ToppedUp,
        TopUp,
        Turn,
        UsageSnapshot,
    )
    from domain import lifecycle
    from domain.codec import to_plain
    from domain.commands import Request
    from domain.errors import Invalid, Rejected
    from domain.reading import written
    from domain.subscription import Due, Subscription

from workflows import visibility
from workflows.collection import begin_collection, begin_refund, tell_collection
from workflows.credits import TopUpWorkflow, begin_grant
from workflows.life import Life

# Real months end for all at once: each subscription bills at an instant of its own within this time.
SPREAD = timedelta(minutes=10)


@dataclass(slots=True)
class Asked:
    """A request, or usage to charge, that waits for its turn. `answer` is what comes of it."""

    what: Request | Arrival
    answer: Mapping[str, object] | ApplicationError | None = None


@workflow.defn
class SubscriptionWorkflow(Life):
    @workflow.init
    def __init__(self, subscription: Subscription) -> None:
        super().__init__(subscription.test_clock)
        self.subscription = subscription
        self.used: UsageSnapshot | None = None
        self.asked: deque[Asked] = deque()
        self.period_is_over = False
        self.shown = visibility.of_subscription(subscription)

    @workflow.run
    async def run(self, subscription: Subscription) -> Subscription:
        while await self.goes_on():
            await self.wait_for_the_next_thing()
            if due := self.what_has_come_due():
                await self.do_what_is_due(due)
            else:
                await self.do_what_is_asked(self.asked.popleft())
            await self.begin_a_new_run_after_each_period()
        return self.subscription

    # What the outside may ask of a living subscription, and tell it.

    @workflow.update
    async def request(self, request: Request) -> Mapping[str, object]:
        """Carry a command out, once for each request id, and answer with what it brought."""
        self.asked.append(asked := Asked(request))
        await workflow.wait_condition(lambda: asked.answer is not None)
        if isinstance(asked.answer, ApplicationError):
            raise asked.answer
        return asked.answer or {}

    @request.validator
    def refuse_request(self, request: Request) -> None:
        """Before anything is written: refused with the reason where the rules say no."""
        try:
            lifecycle.check(self.subscription, request.command, request.at or workflow.now())
        except Rejected as refusal:
            faults = to_plain(refusal.faults) if isinstance(refusal, Invalid) else []
            raise ApplicationError(str(refusal), REFUSED, faults, type=refusal.code) from refusal

    @workflow.update
    async def top_up(self, asked: TopUp) -> ToppedUp:
        """Have credits paid for and granted. It is a life of its own: while a payment provider is away, this one
        goes on.
        """
        return await workflow.execute_child_workflow(
            TopUpWorkflow.run,
            asked,
            id=f"topup:{asked.request}",
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary=f"top-up {asked.order.key}",
        )

    @workflow.signal
    def usage_arrived(self, arrival: Arrival) -> None:
        """There is usage that is charged as it arrives. Each transaction that brought some is charged once."""
        self.asked.append(Asked(arrival))

    @workflow.signal
    def usage(self, snapshot: UsageSnapshot) -> None:
        """How much was used so far, for whoever looks. Only a newer watermark counts."""
        if self.used is None or snapshot.watermark > self.used.watermark:
            self.used = snapshot

    @workflow.query
    def state(self) -> Subscription:
        return self.subscription

    @workflow.query
    def used_so_far(self) -> UsageSnapshot | None:
        return self.used

    # How each step of the loop is done.

    async def goes_on(self) -> bool:
        """Until it is over, everyone has an answer, and nothing more has been asked meanwhile."""
        if self.subscription.is_over and not self.asked:
            await self.leave()
        return bool(self.asked) or not self.subscription.is_over

    async def wait_for_the_next_thing(self) -> None:
        self.show()
        due = self.subscription.next_due()
        why = None if due is None else f"{visibility.WAITS_FOR[due.reason]} {written(due.at)}"
        await self.rest(self.moment_of(due), lambda: bool(self.asked), why)

    def what_has_come_due(self) -> Due | None:
        """It goes first: it was due before anything that waits now was asked."""
        due = self.subscription.next_due()
        return due if self.clock.has_come(self.moment_of(due)) else None

    async def do_what_is_due(self, due: Due) -> None:
        living, why = self.subscription, f"{due.reason} {written(due.at)}"
        match due.reason:
            case "start" | "trial_end":
                turn = await self.perform(Steps.begin, Begin(living, due.at), why)
            case "scheduled_change":
                turn = await self.do_what_is_scheduled(due, why)
            case "window_start":
                turn = await self.perform(Steps.start_window, StartWindow(living, due.at), why)
            case "day_end":
                turn = await self.perform(Steps.end_day, EndDay(living, due.at), why)
            case "period_end":
                turn = await self.perform(Steps.end_period, EndPeriod(living, due.at), why)
            case "grant_expiry":
                expiry = ExpireGrant(living, due.grant or "", due.at)
                turn = await self.perform(Steps.expire_grant, expiry, why)
            case _:
                assert_never(due.reason)
        self.period_is_over |= due.reason in ("trial_end", "period_end")
        await self.take_over(turn)

    async def do_what_is_scheduled(self, due: Due, why: str) -> Turn:
        """A period that is over is closed before, in its grace too."""
        change = due.change or ""
        await self.close_what_is_over(
            due.at, lambda: self.subscription.closes_before_change(change, due.at)
        )
        step = DoScheduled(self.subscription, change, due.at)
        return await self.perform(Steps.do_scheduled, step, why)

    async def do_what_is_asked(self, asked: Asked) -> None:
        at = asked.what.at or workflow.now()
        await self.close_what_is_over(at, lambda: self.must_close_before(asked.what, at))
        try:
            turn = await self.perform_what_is_asked(asked.what, at)
        except ApplicationError as refusal:
            asked.answer = refusal
        else:
            await self.take_over(turn)
            asked.answer = turn.answer

    async def perform_what_is_asked(self, what: Request | Arrival, at: datetime) -> Turn:
        match what:
            case Request():
                why = f"{what.command.action} asked by {what.actor}"
                step = CarryOut(self.subscription, what, at)
                return await self.perform(Steps.carry_out, step, why, refusable=True)
            case Arrival():
                charge = ChargeUsage(what, at, self.subscription)
                return await self.perform(Steps.charge_usage, charge, f"usage {what.event}")
            case _:
                assert_never(what)

    def must_close_before(self, what: Request | Arrival, at: datetime) -> bool:
        """A period that is over is closed, in its grace too, before anything is asked of the next one. Usage asks for
        nothing: what a grace is for, it waits for.
        """
        period = self.subscription.period
        if period is None or not self.subscription.is_past_its_period(at):
            return False
        if isinstance(what, Request):
            return lifecycle.closes_before(self.subscription, what.command, at)
        if self.subscription.closes_at(period) <= at:
            return True
        return not workflow.patched("usage-leaves-the-grace")

    async def close_what_is_over(self, at: datetime, is_over: Callable[[], bool]) -> None:
        """In a grace that is longer than a period, there are several to close."""
        while is_over():
            await self.close_period_before(at)
            if is_over() and not workflow.patched("closes-all-that-is-over"):
                return

    async def close_period_before(self, at: datetime) -> None:
        """A period that is over is closed, in its grace too, before anything else is done."""
        due = self.subscription.next_boundary()
        if due is not None:
            await self.do_what_is_due(replace(due, at=min(due.at, at)))

    async def take_over(self, turn: Turn) -> None:
        """Go on as what the step made of us. What it set going outlives the period, and us: it runs beside us."""
        self.subscription = turn.subscription
        for collection in turn.collections:
            await begin_collection(collection)
        for refund in turn.refunds:
            await begin_refund(refund)
        for invoice in turn.voided:
            await tell_collection(invoice)
        for begun in turn.begins:
            await begin_subscription(begun)
        if self.subscription.is_over:
            await self.leave_grants_to_themselves()

    async def begin_a_new_run_after_each_period(self) -> None:
        """As soon as nobody waits for an answer here. What is asked or comes due meanwhile goes first."""
        ending = self.period_is_over or workflow.info().is_continue_as_new_suggested()
        if self.subscription.is_over or not ending:
            return
        due = self.moment_of(self.subscription.next_due())
        await self.rest(due, lambda: bool(self.asked) or workflow.all_handlers_finished())
        if not self.asked and workflow.all_handlers_finished():
            attributes = visibility.of_subscription(self.subscription)
            workflow.continue_as_new(
                self.subscription,
                search_attributes=attributes,
                initial_versioning_behavior=ContinueAsNewVersioningBehavior.AUTO_UPGRADE,
            )

    async def leave_grants_to_themselves(self) -> None:
        """What a plan granted outlives the subscription: each grant watches over its own end."""
        ended = self.subscription
        for timer in ended.grants:
            life = GrantLife(
                ended.environment, timer.grant, ended.billed_to, timer.expires_at, ended.test_clock
            )
            await begin_grant(life)

    def moment_of(self, due: Due | None) -> Moment | None:
        """When to do what is due: in real time, periods are closed at a place of their own in the spread."""
        if due is None:
            return None
        spread = SPREAD * (crc32(self.subscription.id.encode()) % 1000) / 1000
        waits = due.reason == "period_end" and self.subscription.test_clock is None
        return Moment(due.at + spread if waits else due.at, due.phase)

    def show(self) -> None:
        """Tell operators how it stands. An update of attributes costs: only what has changed is sent."""
        workflow.set_current_details(visibility.details_of(self.subscription, self.used))
        attributes = visibility.of_subscription(self.subscription)
        if changed := visibility.changes(self.shown, attributes):
            workflow.upsert_search_attributes(changed)
        self.shown = attributes


@workflow.defn(name="SubscriptionWorkflow", versioning_behavior=VersioningBehavior.PINNED)
class PinnedSubscriptionWorkflow(SubscriptionWorkflow):
    """The same on a worker that is of a build: a run stays on the build that it began on, the next period begins on the
    current one. Temporal takes this from no other worker.
    """

    @workflow.init
    def __init__(self, subscription: Subscription) -> None:
        super().__init__(subscription)

    @workflow.run
    async def run(self, subscription: Subscription) -> Subscription:
        return await super().run(subscription)


async def begin_subscription(subscription: Subscription) -> None:
    """Let another life begin, which goes on by itself."""
    with suppress(WorkflowAlreadyStartedError):
        await workflow.start_child_workflow(
            SubscriptionWorkflow.run,
            subscription,
            id=subscription.id,
            parent_close_policy=ParentClosePolicy.ABANDON,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            search_attributes=visibility.of_subscription(subscription),
            static_summary=f"{subscription.key} · {subscription.plan.key}",
        )
