"""The usage pump at work: one shard of the environments, round after round."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zlib import crc32

from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.apart import apart, in_parts
from activities.steps import PumpUsage, Steps, UsageSnapshot
from activities.watching import watch
from db.allowance_upkeep import due_allowances
from db.allowances import Asked
from db.claims import Claimed, expire_claims, expiring, uncounted
from db.entitling import refresh
from db.locks import lock_customer
from db.pools import consumer_of
from db.running import note_tried, payers_waiting, rate_payers
from db.running_facts import Payer
from db.session import Database
from db.subscriptions import state_of
from db.tenants import list_environments
from db.usage_horizon import cut_off
from db.usage_pump import EVENTS_A_STEP, pump_step
from db.usage_signals import Waiting, told, waiting
from db.usage_totals import totals_of
from db.wallets import repost, wallets_behind
from domain.decimals import plain

SIGNAL_WINDOW = timedelta(days=31)
SIGNAL = "usage"
IDLE_SECONDS = 0.3
STEPS_A_ROUND = 5  # a second or two: the next round goes on, and wallets wait for no backlog
TOLD_A_ROUND = 10  # a snapshot can wait, and wallets wait for this
WATCHING_SHARE = (
    0.25  # of the time that all before it took: wallets wait for whoever watches them, too
)
ALLOWANCES_A_ROUND = 50
WALLETS_A_ROUND = 200
PAYERS_AT_ONCE = 50

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
        self,
        database: Database,
        temporal: Client,
        signal_window: timedelta = SIGNAL_WINDOW,
        events_a_step: int = EVENTS_A_STEP,
    ) -> None:
        self.database = database
        self.temporal = temporal
        self.signal_window = signal_window
        self.events_a_step = events_a_step

    @activity.defn
    async def pump_usage(self, step: PumpUsage) -> None:
        """Follow the usage log: add to rollups, move the watermark, tell subscriptions what they used."""
        for _ in range(step.rounds):
            if activity.is_worker_shutdown():
                return  # the next round is another worker's
            if not await self.pump_shard(step.shard, step.shards):
                await asyncio.sleep(IDLE_SECONDS)

    async def pump_shard(self, shard: int, shards: int) -> int:
        """One round, in which each environment has its turn; how many events were read. What is wrong in one holds up no
        other.
        """
        events = 0
        for environment in await self._environments(shard, shards):
            with apart(f"the usage of {environment} is not rolled up"):
                events += await self.pump_environment(environment)
        return events

    async def pump_environment(self, environment: str) -> int:
        """Roll up what is complete, or as much of it as a round may, bring wallets up to date with that, have them watched,
        then tell those who wait.
        """
        begun = time.monotonic()
        events = await self._roll_up(environment)
        await self.bring_up_to_date(environment)
        share = WATCHING_SHARE * (time.monotonic() - begun)
        await watch(self.database, environment, timedelta(seconds=share))
        await self.tell_those_who_wait(environment)
        return events

    async def _roll_up(self, environment: str) -> int:
        events = 0
        for _ in range(STEPS_A_ROUND):
            step = await pump_step(self.database, environment, self.events_a_step)
            events += step.events
            if not step.more:
                break
        return events

    async def bring_up_to_date(self, environment: str) -> None:
        """Wallets and allowances: of credit that has begun or ended meanwhile, of holds that have expired, of what runs up,
        and of what holds were settled with.
        """
        async with self.database.transaction(environment) as connection:
            behind = await wallets_behind(connection, WALLETS_A_ROUND)
            over = await expiring(connection, WALLETS_A_ROUND)
        for customer, currency in behind:
            with apart(f"the wallet of {customer} is not brought up to date"):
                await self._repost(environment, customer, currency)
        for claimed in over:
            with apart(f"the holds of {claimed.customer} do not expire"):
                await self._expire(environment, claimed)
        async with self.database.transaction(environment) as connection:
            settled = await uncounted(connection, WALLETS_A_ROUND)
            payers = await payers_waiting(connection, WALLETS_A_ROUND)
            await note_tried(connection, payers)  # last: holds wait for these wallets meanwhile
        for first in range(0, len(payers), PAYERS_AT_ONCE):
            await self._rate(environment, payers[first : first + PAYERS_AT_ONCE])
        await self._refresh(environment, [Asked(*each) for each in settled])
        due = await due_allowances(self.database, environment, ALLOWANCES_A_ROUND)
        await self._refresh(environment, due)

    async def _repost(self, environment: str, customer: str, currency: str) -> None:
        async with self.database.transaction(environment) as connection:
            await lock_customer(connection, customer)
            await repost(connection, environment, customer, currency)

    async def _expire(self, environment: str, claimed: Claimed) -> None:
        async with self.database.transaction(environment) as connection:
            await expire_claims(connection, environment, claimed)

    async def _rate(self, environment: str, payers: Sequence[Payer]) -> None:
        await in_parts(
            payers,
            lambda those: rate_payers(self.database, environment, those),
            lambda payer: f"what runs up for {payer.customer} is not rated",
        )

    async def _refresh(self, environment: str, asked: Sequence[Asked]) -> None:
        await in_parts(
            asked,
            lambda those: refresh(self.database, environment, those),
            lambda each: (
                f"what {each.customer} may use of {each.feature} is not brought up to date"
            ),
        )

    async def tell_those_who_wait(self, environment: str) -> None:
        async with self.database.transaction(environment) as connection:
            subscriptions = await waiting(connection, self.signal_window, TOLD_A_ROUND)
        for subscription in subscriptions:
            with apart(f"{subscription.subscription} is not told what it used"):
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
            consumer = await consumer_of(connection, subscription, await cut_off(connection))
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
