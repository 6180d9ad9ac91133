"""A subscription's history told again under another plan, on the usage that each of its invoices knew."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from db.billed_usage import BilledWindow
from db.facts import load_customer, reached_since
from db.foresight import Foresight
from db.history import History, promotions_for
from db.meters import kept_meters
from db.pools import consumer_of
from db.usage import usage_for
from domain.account import Facts
from domain.ahead import Ahead
from domain.calendar import Period
from domain.deciding import Taking
from domain.plans import Plan
from domain.retelling import Retold, retell, under_one_plan
from domain.subscription import Subscription


@dataclass(slots=True)
class Retelling:
    """`windows` are those that it has closed, as they were billed last."""

    looking: Foresight
    history: History
    windows: dict[tuple[str, Period], BilledWindow] = field(default_factory=dict)

    async def told(self, begun: Subscription, plan: Plan, at: datetime) -> Retold:
        """The life that began so, on one plan, up to an instant."""
        past = under_one_plan(self.history.past)
        begins = await self._beginning(begun, plan)
        return await retell(begins, past, at, self.history.last(at), self.after)

    async def after(self, ahead: Ahead, taking: Taking) -> Ahead:
        """The life after a step: with the usage that was known when the real one was billed, and with grants that had
        been given.
        """
        horizon = self.history.horizon(taking.at) or self.looking.horizon
        connection, living, meters = self.looking.connection, ahead.subscription, ahead.facts.meters
        windows = list(self.windows.values())
        late = await reached_since(connection, ahead.facts, living, windows, horizon)
        given = [b for b in ahead.facts.grants if b.grant.granted_at <= taking.at]
        to_come = [b for b in ahead.facts.grants if b.grant.granted_at > taking.at]
        known = replace(ahead, facts=replace(ahead.facts, billed=late, grants=tuple(given)))
        needs = known.needs(taking)
        consumer = await consumer_of(connection, living, horizon)
        usage = await usage_for(connection, consumer, needs, meters, horizon)
        done = known.after(taking, usage)
        for each in done.outcomes[-1].billed:
            self.windows[each.item, each.window] = BilledWindow(each, horizon)
        return replace(done, facts=replace(done.facts, grants=(*done.facts.grants, *to_come)))

    async def _beginning(self, begun: Subscription, plan: Plan) -> Ahead:
        connection = self.looking.connection
        facts = Facts(
            customer=await load_customer(connection, begun.billed_to),
            plans={plan.ref: plan},
            meters={kept.meter.key: kept.meter for kept in await kept_meters(connection)},
            grants=await promotions_for(connection, begun, self.history.issued),
        )
        return Ahead(begun, facts)
