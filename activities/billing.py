"""The steps of a subscription's life: each measures, decides by the rules of `domain.lifecycle`, and records, once
under its business name. Whoever repeats a step gets what it brought the first time.
"""

from collections.abc import Callable, Mapping
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
    EndDay,
    EndPeriod,
    ExpireGrant,
    SendRefund,
    Steps,
    Turn,
)
from db import timeline
from db.credits import end_grant, find_grant
from db.facts import measure, with_money
from db.locks import lock_customer
from db.outbox import announce
from db.requests import answer_request
from db.session import Database
from db.subscriptions import state_of
from domain import arrivals, ledger, lifecycle
from domain.account import BilledUsage, Facts, Outcome
from domain.codec import from_plain, to_plain
from domain.commands import Request
from domain.dunning import Collection
from domain.errors import Corrupt, Rejected
from domain.reading import written
from domain.subscription import Subscription

Decision = Callable[[Facts, Subscription, datetime], Outcome]


@dataclass(frozen=True, slots=True)
class Taking:
    """A step of one subscription's life, due or asked for. `name` is its own for ever."""

    name: str
    what: str
    subscription: Subscription
    at: datetime
    request: Request | None = None


@dataclass(frozen=True, slots=True)
class Brought:
    """What a step brought, kept for whoever repeats it."""

    collections: tuple[Collection, ...] = ()
    refunds: tuple[SendRefund, ...] = ()
    answer: Mapping[str, object] = field(default_factory=dict)


class BillingSteps(Steps):
    def __init__(self, database: Database) -> None:
        self.database = database

    @activity.defn
    async def begin(self, step: Begin) -> Turn:
        living, at = step.subscription, step.at
        if living.status == "scheduled":
            return await self._take(
                Taking("start", "started", living, at), "start", lifecycle.begin
            )
        ending = Taking("trial_end", "trial_ended", living, at)
        return await self._take(ending, "trial_end", lifecycle.begin)

    @activity.defn
    async def end_period(self, step: EndPeriod) -> Turn:
        living = step.subscription
        if living.period is None:
            raise Corrupt(f"{living.id} has no period to end")
        name = f"period:{written(living.period.start)}"
        ending = Taking(name, "period_ended", living, step.at)
        return await self._take(ending, "period_end", lifecycle.end_period)

    @activity.defn
    async def end_day(self, step: EndDay) -> Turn:
        ending = Taking(f"day:{written(step.at)}", "day_ended", step.subscription, step.at)
        return await self._take(ending, "advance_usage", arrivals.day_ended)

    @activity.defn
    async def charge_usage(self, step: ChargeUsage) -> Turn:
        arrival = step.arrival
        living = step.subscription or await self._known(arrival)

        def decide(facts: Facts, subscription: Subscription, at: datetime) -> Outcome:
            return arrivals.usage_arrived(facts, subscription, at, arrival.event)

        name = f"usage:{arrival.transaction}"
        charging = Taking(name, "usage_charged", living, step.at)
        kind = arrivals.kind_of_arrival(living)
        return await self._take(charging, kind, decide, until=arrival.transaction + 1)

    @activity.defn
    async def carry_out(self, step: CarryOut) -> Turn:
        living, request = step.subscription, step.request
        name, command = f"request:{request.id}", request.command

        def decide(facts: Facts, subscription: Subscription, at: datetime) -> Outcome:
            return lifecycle.carry_out(facts, subscription, request, at)

        asked = Taking(name, command.action, living, step.at, request)
        try:
            return await self._take(asked, command, decide)
        except Rejected as refusal:
            why = {"code": refusal.code, "message": str(refusal)}
            async with self.database.transaction(living.environment) as connection:
                await answer_request(connection, request.id, "refused", why)
            raise

    @activity.defn
    async def expire_grant(self, step: ExpireGrant) -> Turn:
        living, grant, at = step.subscription, step.grant, step.at
        expiring = Taking(f"expire:{grant}", "grant_expired", living, at)
        async with self.database.transaction(living.environment) as connection:
            await lock_customer(connection, living.customer)
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

    async def _take(
        self,
        taking: Taking,
        kind: lifecycle.Step,
        decide: Decision,
        until: int | None = None,
    ) -> Turn:
        """Measure what was used, then decide and record in one transaction that has the customer's money alone."""
        living = taking.subscription
        async with self.database.transaction(living.environment) as connection:
            if turn := await _taken_before(connection, taking):
                return turn
        measured = await measure(self.database, living, kind, taking.at, until)
        async with self.database.transaction(living.environment) as connection:
            await lock_customer(connection, living.customer)
            if turn := await _taken_before(connection, taking):
                return turn
            facts = await with_money(connection, measured.facts, living)
            outcome = decide(facts, living, taking.at)
            if outcome == Outcome(living):
                return Turn(living)  # nothing to write down: to repeat it is to do nothing again
            return await _record(connection, taking, outcome, measured.cut_off, facts.billed)


async def _taken_before(connection: AsyncConnection, taking: Taking) -> Turn | None:
    """What the step brought, where it was taken already: with the subscription as it is by now. Raises `Corrupt`
    where it was not, and the books know another state than the one to decide on.
    """
    living = taking.subscription
    current = await state_of(connection, living.id)
    entry = await timeline.recorded(connection, living.id, taking.name)
    if entry is not None:
        brought = from_plain(Brought, entry.brought)
        return Turn(current, brought.collections, brought.refunds, brought.answer)
    if current != living:
        raise Corrupt(f"the books know another state of {living.id} than its workflow does")
    return None


async def _record(
    connection: AsyncConnection,
    taking: Taking,
    outcome: Outcome,
    cut_off: int = 0,
    looked_at: tuple[BilledUsage, ...] = (),
) -> Turn:
    turn = await record_outcome(connection, outcome, taking.at, cut_off, looked_at)
    subscription, request = turn.subscription, taking.request
    entry = timeline.Entry(
        name=taking.name,
        what=taking.what,
        at=taking.at,
        actor=request.actor if request else "weir",
        brought=to_plain(Brought(turn.collections, turn.refunds, turn.answer)),
        reason=request.reason if request else None,
        body=to_plain(request.command) if request else {},
    )
    await timeline.record(connection, subscription.environment, subscription.id, entry)
    if request is not None:
        await answer_request(connection, request.id, "done", turn.answer)
    told = {"key": subscription.key, "status": subscription.status, "plan": subscription.plan.key}
    topic = f"subscription.{taking.what}"
    await announce(connection, subscription.environment, topic, subscription.id, taking.at, told)
    return turn
