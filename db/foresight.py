"""One look at the books, for whoever asks what would come: nothing of it is written."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from db.billed_usage import billed_windows
from db.facts import facts_of, with_money
from db.pools import consumer_of
from db.session import Database
from db.usage import usage_for
from db.usage_horizon import cut_off, wait_for_horizon
from domain import lifecycle
from domain.ahead import Ahead, next_until
from domain.deciding import Taking
from domain.plans import Plan
from domain.redeeming import redeeming_ahead
from domain.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Foresight:
    """What the books say in one transaction, with the events before a horizon of the usage log."""

    connection: AsyncConnection
    horizon: int

    async def of(
        self, subscription: Subscription, step: lifecycle.Step, unwritten: Sequence[Plan] = ()
    ) -> Ahead:
        """A life as it stands before `step`; `unwritten` are plans that only a preview knows."""
        connection = self.connection
        windows = await billed_windows(connection, subscription.id)
        facts = await facts_of(connection, subscription, step, windows, self.horizon, unwritten)
        coupons = redeeming_ahead(subscription, step)
        return Ahead(subscription, await with_money(connection, facts, subscription, coupons))

    async def after(self, ahead: Ahead, taking: Taking) -> Ahead:
        """The life after a step, with the usage that this must know."""
        consumer = await consumer_of(self.connection, ahead.subscription, self.horizon)
        needs = ahead.needs(taking)
        usage = await usage_for(self.connection, consumer, needs, ahead.facts.meters, self.horizon)
        return ahead.after(taking, usage)

    async def until(self, ahead: Ahead, at: datetime) -> Ahead:
        """The life after all that is done before something is asked at an instant."""
        while taking := next_until(ahead.subscription, at):
            ahead = await self.after(ahead, taking)
        return ahead


@asynccontextmanager
async def looking_ahead(database: Database, environment: str) -> AsyncIterator[Foresight]:
    """Everything that was acknowledged before this call is seen."""
    await wait_for_horizon(database)
    async with database.transaction(environment, "REPEATABLE READ") as connection:
        yield Foresight(connection, await cut_off(connection))
