"""Steps on paper: the declared steps, decided by the real rules on facts in memory, with an answer of the payment provider
for each attempt in turn. What was asked of them is kept.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from typing import cast

from temporalio import activity

from activities.steps import (
    AdvanceClock,
    AttemptPayment,
    Begin,
    CarryOut,
    ChargeUsage,
    DoScheduled,
    EndDay,
    EndPeriod,
    ExpireGrant,
    GrantLife,
    LookUpPayment,
    Moment,
    Pay,
    SendRefund,
    StartWindow,
    Steps,
    ToppedUp,
    TopUp,
    Turn,
)
from domain import arrivals, lifecycle
from domain.account import Facts, IssuedLine, Outcome
from domain.catalog import read_plan
from domain.customers import Customer
from domain.dunning import (
    Answer,
    AttemptStatus,
    Collection,
    answered,
    begin_collection,
    closed,
    is_wanted,
    taken_back,
)
from domain.money import Money
from domain.pricing.usage import Quantity
from domain.subscription import Subscription
from tests.makings import CALLS_METER

ACME = Customer("cus_acme", "acme")
FLAT = {
    "key": "base",
    "kind": "recurring",
    "charged": "in_advance",
    "price": {"model": "flat", "amount": "20.00"},
}
PRO = {
    "key": "pro",
    "currency": "USD",
    "interval": {"unit": "month", "count": 1},
    "items": [FLAT],
}
AS_USED = {
    **PRO,
    "items": [
        FLAT,
        {
            "key": "calls",
            "kind": "usage",
            "meter": "calls",
            "charged": "in_advance",
            "price": {"model": "per_unit", "unit_amount": "1"},
        },
    ],
}
GATED = {**PRO, "key": "gated", "activation": "first_payment"}
SUSPENDS_WITH_GRACE = {
    **PRO,
    "on_past_due": "suspend",
    "invoice_grace": {"unit": "day", "count": 3},
}
TRIAL = {**PRO, "key": "trial", "trial": {"unit": "day", "count": 14}}


def answer_of(told: str, at: datetime) -> Answer:
    """Of `succeeded`, `declined:code` and the like."""
    status, _, code = told.partition(":")
    status = "failed" if status == "declined" else status
    return Answer(cast(AttemptStatus, status), at, code or None)


class PaperSteps(Steps):
    """`answers` are the provider's, one an attempt, the last repeats; `word` is what it says when it is asked again,
    `let_go` when it is to give a payment up; `failure_code` is its last.
    A step in `failing` raises its errors, one a try; one in `held` sets `begun` and is over when it is let go. With
    `books`, it is known what was billed before: all of it was paid, and usage that arrives is charged.
    """

    def __init__(
        self, plan: object = PRO, answers: Sequence[str] = ("succeeded",), *, books: bool = False
    ) -> None:
        read = read_plan(plan)
        self.books = books
        self.used = 1
        self.facts = Facts(ACME, {read.ref: read}, {"calls": CALLS_METER})
        self.taken: list[tuple[str, datetime]] = []
        self.attempts: list[AttemptPayment] = []
        self.answers = list(answers)
        self.failing: dict[str, list[Exception]] = {}
        self.bonus_until: datetime | None = None
        self.word = "succeeded"
        self.let_go = "declined:canceled"
        self.failure_code: str | None = None
        self.charged: list[int] = []
        self.over: dict[str, Subscription] = {}
        self.last_period: int | None = None
        self.collections: dict[str, Collection] = {}
        self.begun = asyncio.Event()
        self.held: dict[str, asyncio.Event] = {}

    def new_subscription(
        self, id: str, at: datetime, test_clock: str | None = None
    ) -> Subscription:
        """Of the only plan, beginning at `at`."""
        (plan,) = self.facts.plans.values()
        customer = replace(ACME, test_clock=test_clock)
        return lifecycle.new_subscription(
            id=id, key=id, customer=customer, plan=plan, at=at, quantities={}, environment="env_1"
        )

    @activity.defn
    async def begin(self, step: Begin) -> Turn:
        if over := self.over.get(step.subscription.id):
            return Turn(over)  # what the books know of it
        return await self._turn(
            "begin", step.at, lifecycle.begin(self.facts, step.subscription, step.at)
        )

    @activity.defn
    async def end_period(self, step: EndPeriod) -> Turn:
        ending = step.subscription
        if ending.period_index == self.last_period:
            ending = replace(ending, cancels_at_period_end=True)
        facts = self._with_usage(ending, "period_end", step.at)
        return await self._turn("end_period", step.at, lifecycle.end_period(facts, ending, step.at))

    @activity.defn
    async def start_window(self, step: StartWindow) -> Turn:
        facts = self._with_usage(step.subscription, "window_start", step.at)
        outcome = arrivals.window_opened(facts, step.subscription, step.at)
        return await self._turn("start_window", step.at, outcome)

    @activity.defn
    async def end_day(self, step: EndDay) -> Turn:
        facts = self._with_usage(step.subscription, "day_end", step.at)
        outcome = arrivals.day_ended(facts, step.subscription, step.at)
        return await self._turn("end_day", step.at, outcome)

    @activity.defn
    async def charge_usage(self, step: ChargeUsage) -> Turn:
        living = step.subscription or self.over[step.arrival.subscription]
        if step.arrival.transaction in self.charged:
            return Turn(living)
        self.charged.append(step.arrival.transaction)
        outcome = Outcome(living)
        if self.books:
            facts = self._with_usage(living, arrivals.kind_of_arrival(living), step.at)
            outcome = arrivals.usage_arrived(facts, living, step.at, step.arrival.event)
        return await self._turn("charge_usage", step.at, outcome)

    @activity.defn
    async def carry_out(self, step: CarryOut) -> Turn:
        asked = step.request.command
        facts = self._with_usage(step.subscription, asked, step.at)
        outcome = lifecycle.carry_out(facts, step.subscription, step.request, step.at)
        turn = await self._turn(step.request.command.action, step.at, outcome)
        return replace(turn, answer={"invoices": len(turn.collections)})

    @activity.defn
    async def do_scheduled(self, step: DoScheduled) -> Turn:
        change = step.subscription.scheduled_change(step.change).change
        facts = self._with_usage(step.subscription, change, step.at)
        outcome = lifecycle.change_due(facts, step.subscription, step.change, step.at)
        return await self._turn("do_scheduled", step.at, outcome)

    @activity.defn
    async def expire_grant(self, step: ExpireGrant) -> Turn:
        watching = lifecycle.grant_expired(step.subscription, step.grant)
        return await self._turn("expire_grant", step.at, Outcome(watching))

    @activity.defn
    async def end_grant(self, step: GrantLife) -> None:
        await self._note("end_grant", step.expires_at)

    @activity.defn
    async def top_up(self, step: TopUp) -> ToppedUp:
        await self._note("top_up", step.at)
        owed = Money(int(step.order.amount * 100), "USD")
        collection = Collection(
            f"inv_{step.request}",
            step.customer,
            owed,
            step.at,
            next_attempt_at=step.at,
            purpose="top_up",
            test_clock=step.test_clock,
            is_automatic=step.is_automatic,
        )

        def ends(grant: str, at: datetime | None) -> GrantLife | None:
            life = (f"{grant}_{step.request}", step.customer)
            return None if at is None else GrantLife("env_1", *life, at, step.test_clock)

        return ToppedUp(
            collection, ends("crg", step.order.expires_at), ends("bonus", self.bonus_until)
        )

    @activity.defn
    async def attempt_payment(self, step: AttemptPayment) -> Collection:
        await self._note("attempt_payment", step.at, step)
        answer = self.answers[min(len(self.attempts), len(self.answers)) - 1]
        return self._after(step.collection, answer_of(answer, step.at))

    @activity.defn
    async def look_up_payment(self, step: LookUpPayment) -> Collection:
        await self._note("look_up_payment", step.at)
        known = self.collections.get(step.collection.invoice)
        if known is not None and known.status == "void":
            return known
        answer = answer_of(self.word, step.at)
        if answer.status != "failed" and not is_wanted(step.collection, answer.status, step.at):
            answer = taken_back(step.collection, answer_of(self.let_go, step.at))
        if answer.status == "requires_action" and step.collection.awaiting == "customer":
            return step.collection  # it is no news
        return self._after(step.collection, answer)

    @activity.defn
    async def send_refund(self, step: SendRefund) -> None:
        await self._note("send_refund", step.at)

    @activity.defn
    async def advance_clock(self, step: AdvanceClock) -> None:
        await self._note("advance_clock", step.to.at)

    @activity.defn
    async def attach_payment_method(self, step: Pay) -> str | None:
        await self._note("attach_payment_method", step.at)
        return step.payment_method

    @activity.defn
    async def attempt_unpaid(self, step: Pay) -> tuple[Collection, ...]:
        await self._note("attempt_unpaid", step.at)
        return ()

    def next_moment(self, subscription: Subscription) -> tuple[str, Moment] | None:
        """Whose turn is next on a clock, and when, as rows would tell."""
        moments = [
            (Moment(*each.due), f"collect:{each.invoice}")
            for each in self.collections.values()
            if each.due is not None
        ]
        if due := subscription.next_due():
            moments.append((Moment(due.at, due.phase), subscription.id))
        moment, workflow = min(moments, default=(None, ""))
        return None if moment is None else (workflow, moment)

    def _with_usage(self, subscription: Subscription, step: lifecycle.Step, at: datetime) -> Facts:
        """As much of each thing that is asked for as was `used`: one, unless a test says so."""
        needs = lifecycle.needs(subscription, step, self.facts, at)
        return replace(self.facts, usage={need: Quantity(Fraction(self.used)) for need in needs})

    async def _turn(self, name: str, at: datetime, outcome: Outcome) -> Turn:
        await self._note(name, at)
        after = outcome.subscription
        if after.is_over:
            self.over[after.id] = after
        collections = tuple(
            begin_collection(invoice, f"inv_{invoice.name}", "env_1", after.test_clock)
            for invoice in outcome.invoices
            if invoice.amount_due.minor
        )
        self.collections.update({each.invoice: each for each in collections})
        if self.books:
            self._keep(outcome)
        refunds = tuple(
            SendRefund("env_1", refund.name, at, after.test_clock) for refund in outcome.refunds
        )
        voided = tuple(f"inv_{name}" for name in outcome.voids)
        self.collections.update({name: closed(self.collections[name], "void") for name in voided})
        return Turn(after, collections, refunds, begins=outcome.begins, voided=voided)

    def _keep(self, outcome: Outcome) -> None:
        """What was charged in advance, and which windows of usage were billed."""
        advance = tuple(
            IssuedLine(invoice.name, line, invoice.amount_due)
            for invoice in outcome.invoices
            for line in invoice.lines
            if line.charged == "in_advance"
        )
        again = {(each.item, each.window) for each in outcome.billed}
        before = (each for each in self.facts.billed if (each.item, each.window) not in again)
        self.facts = replace(
            self.facts,
            advance=(*self.facts.advance, *advance),
            billed=(*before, *outcome.billed),
        )

    def _after(self, collection: Collection, answer: Answer) -> Collection:
        self.failure_code = answer.failure_code
        after = answered(collection, answer)
        self.collections[after.invoice] = after
        return after

    async def _note(self, name: str, at: datetime, attempt: AttemptPayment | None = None) -> None:
        if self.failing.get(name):
            raise self.failing[name].pop(0)
        self.taken.append((name, at))
        if attempt is not None:
            self.attempts.append(attempt)
        if name in self.held:
            self.begun.set()
            await self.held[name].wait()
