"""The usage pump at work: one shard of the environments, round after round."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zlib import crc32

from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.signs_of_life import signs_of_life
from activities.steps import PumpUsage, Steps, UsageSnapshot
from db.session import Database
from db.subscriptions import state_of
from db.tenants import list_environments
from db.usage_measures import Consumer
from db.usage_pump import pump_step
from db.usage_signals import Waiting, told, waiting
from db.usage_totals import totals_of
from domain.decimals import plain
from domain.errors import Unavailable

SIGNAL_WINDOW = timedelta(hours=1)
SIGNAL = "usage"
IDLE_SECONDS = 0.3
TOLD_A_ROUND = 200

# Temporal is away, or asks for less: the subscription is told later.
_LATER = {
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.CANCELLED,
}


class UsageSteps(Steps):
    """`temporal` must speak the wire's data converter. Each subscription is told at most once in `signal_window`."""

    def __init__(
        self, database: Database, temporal: Client, signal_window: timedelta = SIGNAL_WINDOW
    ) -> None:
        self.database = database
        self.temporal = temporal
        self.signal_window = signal_window

    @activity.defn
    async def pump_usage(self, step: PumpUsage) -> None:
        """Follow the usage log: add to rollups, move the watermark, tell subscriptions what they used."""
        async with signs_of_life():
            for _ in range(step.rounds):
                if activity.is_worker_shutdown():
                    return  # the next round is another worker's
                if not await self.pump_shard(step.shard, step.shards):
                    await asyncio.sleep(IDLE_SECONDS)

    async def pump_shard(self, shard: int, shards: int) -> int:
        """One round; how many events were read. What is wrong in one environment holds up no other."""
        events = 0
        for environment in await self._environments(shard, shards):
            try:
                events += await self.pump_environment(environment)
            except Unavailable:
                raise
            except Exception:
                activity.logger.exception("the usage of %s is not rolled up", environment)
        return events

    async def pump_environment(self, environment: str) -> int:
        """Roll up what is complete, then tell those who wait."""
        events = 0
        more = True
        while more:
            step = await pump_step(self.database, environment)
            events, more = events + step.events, step.more
        await self.tell_those_who_wait(environment)
        return events

    async def tell_those_who_wait(self, environment: str) -> None:
        async with self.database.transaction(environment) as connection:
            subscriptions = await waiting(connection, self.signal_window, TOLD_A_ROUND)
        for subscription in subscriptions:
            if not await self._tell(environment, subscription):
                return

    async def _tell(self, environment: str, who: Waiting) -> bool:
        """Send one snapshot; False where Temporal should be left alone for now. Told first and noted then: a crash in
        between tells twice, and the second time changes nothing.
        """
        snapshot = await self._snapshot(environment, who.subscription)
        if snapshot is not None and not await self._send(who.subscription, snapshot):
            return False
        async with self.database.transaction(environment) as connection:
            await told(connection, who, 0 if snapshot is None else snapshot.watermark)
        return True

    async def _snapshot(self, environment: str, subscription_id: str) -> UsageSnapshot | None:
        """What was used in the current period; None where there is none."""
        async with self.database.transaction(environment, "REPEATABLE READ") as connection:
            subscription = await state_of(connection, subscription_id)
            if subscription.period is None:
                return None
            consumer = Consumer(subscription.customer, subscription.id, subscription.timezone)
            totals = await totals_of(connection, consumer, subscription.period)
        return UsageSnapshot(
            watermark=totals.watermark,
            at=datetime.now(UTC),
            totals={meter: plain(quantity) for meter, quantity in totals.quantities.items()},
            events=totals.events,
        )

    async def _send(self, subscription: str, snapshot: UsageSnapshot) -> bool:
        try:
            await self.temporal.get_workflow_handle(subscription).signal(SIGNAL, snapshot)
        except RPCError as error:
            if error.status in _LATER:
                activity.logger.warning("usage signals wait: %s", error)
                return False
            if error.status is not RPCStatusCode.NOT_FOUND:  # no such life (any more) is no fault
                activity.logger.warning("usage signal to %s refused: %s", subscription, error)
        return True

    async def _environments(self, shard: int, shards: int) -> Sequence[str]:
        async with self.database.registry() as connection:
            found = await list_environments(connection)
        return [each.id for each in found if crc32(each.id.encode()) % shards == shard]
