"""The steps of a subscription's life: each measures, decides by the rules of `domain.lifecycle`, and records, once
under its business name. Whoever repeats a step gets what it brought the first time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity

from activities.recording import record_outcome
from activities.steps import (
    Arrival,
    Begin,
    CarryOut,
    ChargeUsage,
    DoScheduled,
    EndDay,
    EndPeriod,
    ExpireGrant,
    SendRefund,
    StartWindow,
    Steps,
    Turn,
)
from db import timeline
from db.billed_usage import billed_windows
from db.credits import end_grant, find_grant
from db.decisions import keep_decision
from db.facts import measure, with_money
from db.locks import lock_customer
from db.outbox import announce
from db.redemptions import lock_coupons, redeem
from db.requests import answer_request
from db.session import Database
from db.subscriptions import state_of
from db.usage_arrivals import decided_up_to
from domain import ledger, lifecycle
from domain.account import Outcome
from domain.codec import from_plain, to_plain
from domain.commands import Request, ScheduledChange
from domain.deciding import (
    Asked,
    Begins,
    ChangeDue,
    DayEnds,
    PeriodEnds,
    Taking,
    UsageArrives,
    WindowStarts,
    decide,
    kind_of,
    name_of,
    told_as,
)
from domain.dunning import Collection
from domain.errors import Corrupt, Rejected, Unavailable
from domain.redeeming import redeeming
from domain.subscription import Subscription

MOST_LOOKS = 10


@dataclass(frozen=True, slots=True)
class Named:
    """A step under the name that is its own for ever, and what the timeline tells of it."""

    name: str
    what: str
    subscription: Subscription
    at: datetime
    request: Request | None = None
    scheduled: ScheduledChange | None = None


@dataclass(frozen=True, slots=True)
class Brought:
    """What a step brought, kept for whoever repeats it."""

    collections: tuple[Collection, ...] = ()
    refunds: tuple[SendRefund, ...] = ()
    answer: Mapping[str, object] = field(default_factory=dict)
    begins: tuple[Subscription, ...] = ()
    voided: tuple[str, ...] = ()


class BillingSteps(Steps):
    def __init__(self, database: Database) -> None:
        self.database = database

    @activity.defn
    async def begin(self, step: Begin) -> Turn:
        return await self._take(Taking(Begins(), step.subscription, step.at))

    @activity.defn
    async def end_period(self, step: EndPeriod) -> Turn:
        return await self._take(Taking(PeriodEnds(), step.subscription, step.at))

    @activity.defn
    async def start_window(self, step: StartWindow) -> Turn:
        return await self._take(Taking(WindowStarts(), step.subscription, step.at))

    @activity.defn
    async def end_day(self, step: EndDay) -> Turn:
        return await self._take(Taking(DayEnds(), step.subscription, step.at))

    @activity.defn
    async def charge_usage(self, step: ChargeUsage) -> Turn:
        arrival = step.arrival
        living = step.subscription or await self._known(arrival)
        arrived = UsageArrives(arrival.transaction, arrival.event)
        return await self._take(Taking(arrived, living, step.at), arrival.transaction)

    @activity.defn
    async def carry_out(self, step: CarryOut) -> Turn:
        living, request = step.subscription, step.request
        try:
            return await self._take(Taking(Asked(request), living, step.at))
        except Rejected as refusal:
            why = {"code": refusal.code, "message": str(refusal)}
            async with self.database.transaction(living.environment) as connection:
                await answer_request(connection, request.id, "refused", why)
            raise

    @activity.defn
    async def do_scheduled(self, step: DoScheduled) -> Turn:
        return await self._take(Taking(ChangeDue(step.change), step.subscription, step.at))

    @activity.defn
    async def expire_grant(self, step: ExpireGrant) -> Turn:
        living, grant, at = step.subscription, step.grant, step.at
        expiring = Named(f"expire:{grant}", "grant_expired", living, at)
        async with self.database.transaction(living.environment) as connection:
            await lock_customer(connection, living.billed_to)
            if turn := await _taken_before(connection, expiring):
                return turn
            left = (await find_grant(connection, grant)).balance
            expired = ledger.expired(left.grant, left.remaining, at)
            await end_grant(connection, grant, at)
            watching = lifecycle.grant_expired(living, grant)
            return await _record(connection, expiring, Outcome(watching, transactions=expired))

    async def _known(self, arrival: Arrival) -> Subscription:
        async with self.database.transaction(arrival.environment) as connection:
            return await state_of(connection, arrival.subscription)

    async def _take(self, taking: Taking, transaction: int | None = None) -> Turn:
        """Measure what was used, up to a transaction of the usage log or now, then decide and record. Where another step
        of the same life has billed usage meanwhile, look again.
        """
        for _ in range(MOST_LOOKS):
            if turn := await self._taken(taking, transaction):
                return turn
        raise Unavailable(f"the usage of {taking.subscription.id} is being billed by others")

    async def _taken(self, taking: Taking, transaction: int | None) -> Turn | None:
        """What it brings, decided and recorded in one transaction that has the money of who pays alone; None where what
        was measured is not so any more.
        """
        living, step = taking.subscription, _named(taking)
        async with self.database.transaction(living.environment) as connection:
            if turn := await _taken_before(connection, step):
                return turn
            until = None
            if transaction is not None:
                # What was decided up to a later horizon is not taken back by looking less far.
                until = max(transaction + 1, await decided_up_to(connection, living.id))
        measured = await measure(self.database, living, kind_of(taking), taking.at, until)
        async with self.database.transaction(living.environment) as connection:
            await lock_customer(connection, living.billed_to)
            coupons = redeeming(living, kind_of(taking))
            await lock_coupons(connection, coupons)
            if turn := await _taken_before(connection, step):
                return turn
            if await billed_windows(connection, living.id) != measured.windows:
                return None
            facts = await with_money(connection, measured.facts, living, coupons)
            outcome = decide(taking, facts)
            if outcome == Outcome(living):
                return Turn(living)  # nothing to write down: to repeat it is to do nothing again
            if outcome.invoices or outcome.credit_notes:
                decision = await keep_decision(
                    connection, living.environment, taking, facts, measured.cut_off
                )
            else:
                decision = None
            return await _record(connection, step, outcome, measured.cut_off, decision)


def _named(taking: Taking) -> Named:
    living, cause = taking.subscription, taking.cause
    request = cause.request if isinstance(cause, Asked) else None
    scheduled = living.scheduled_change(cause.change) if isinstance(cause, ChangeDue) else None
    return Named(name_of(taking), told_as(taking), living, taking.at, request, scheduled)


async def _taken_before(connection: AsyncConnection, step: Named) -> Turn | None:
    """What the step brought, where it was taken already: with the subscription as it is by now. Raises `Corrupt`
    where it was not, and the books know another state than the one to decide on.
    """
    living = step.subscription
    current = await state_of(connection, living.id)
    entry = await timeline.recorded(connection, living.id, step.name)
    if entry is not None:
        brought = from_plain(Brought, entry.brought)
        return Turn(
            current,
            brought.collections,
            brought.refunds,
            brought.answer,
            brought.begins,
            brought.voided,
        )
    if current != living:
        raise Corrupt(f"the books know another state of {living.id} than its workflow does")
    return None


async def _record(
    connection: AsyncConnection,
    step: Named,
    outcome: Outcome,
    cut_off: int = 0,
    decision: str | None = None,
) -> Turn:
    turn = await record_outcome(connection, outcome, step.at, cut_off, decision)
    subscription, request = turn.subscription, step.request
    await redeem(connection, subscription, outcome.redeemed, step.name, step.at)
    asked = request or step.scheduled
    entry = timeline.Entry(
        name=step.name,
        what=step.what,
        at=step.at,
        actor=asked.actor if asked else "weir",
        brought=to_plain(
            Brought(turn.collections, turn.refunds, turn.answer, turn.begins, turn.voided)
        ),
        reason=asked.reason if asked else None,
        body=_body(request, step.scheduled),
    )
    await timeline.record(connection, subscription.environment, subscription.id, entry)
    if request is not None:
        await answer_request(connection, request.id, "done", turn.answer)
    told = {"key": subscription.key, "status": subscription.status, "plan": subscription.plan.key}
    topic = f"subscription.{step.what}"
    await announce(connection, subscription.environment, topic, subscription.id, step.at, told)
    return turn


def _body(request: Request | None, scheduled: ScheduledChange | None) -> Mapping[str, object]:
    """What was asked, as the timeline keeps it."""
    if request is not None:
        return dict(to_plain(request.command))
    return {} if scheduled is None else dict(to_plain(scheduled.change))
