"""The relay: what was written down but never arrived is sent on, and the provider's events are passed on."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Literal, assert_never

from temporalio import activity

from activities.arriving import tell_of_arrivals
from activities.lives import Lives
from activities.steps import GrantLife, Pay, Relay, Steps, TopUp
from db.clocks import find_clock
from db.collections import find_collection
from db.payments import UNDER_WAY, payment_at_provider
from db.provider_events import KeptEvent, event_handled, waiting_events
from db.requests import Asked, answer_request, unanswered_requests
from db.session import Database
from db.subscriptions import state_of
from db.tenants import list_environments
from domain.codec import from_plain
from domain.commands import Request
from domain.errors import Rejected, Unavailable

# Whoever wrote a request down sends it at once: only what they did not get through is ours.
GRACE_SECONDS = 10
AT_ONCE = 100
SIDE_BY_SIDE = 8
IDLE_SECONDS = 1.0


class RelaySteps(Steps):
    def __init__(self, database: Database, lives: Lives) -> None:
        self.database = database
        self.lives = lives

    @activity.defn
    async def relay(self, step: Relay) -> None:
        for _ in range(step.rounds):
            if activity.is_worker_shutdown():
                return  # the next round is another worker's
            if not await self.relay_once():
                await asyncio.sleep(IDLE_SECONDS)

    async def relay_once(self, grace_seconds: int = GRACE_SECONDS) -> int:
        """Send on what waits in every environment; how much that was."""
        async with self.database.registry() as connection:
            environments = [each.id for each in await list_environments(connection)]
        return sum([await self._relay_safely(each, grace_seconds) for each in environments])

    async def _relay_safely(self, environment: str, grace_seconds: int) -> int:
        """What is wrong in one environment holds up no other."""
        try:
            return await self.relay_environment(environment, grace_seconds)
        except Exception:
            activity.logger.exception("nothing is relayed in %s for now", environment)
            return 0

    async def relay_environment(self, environment: str, grace_seconds: int) -> int:
        async with self.database.transaction(environment) as connection:
            requests = await unanswered_requests(connection, grace_seconds, AT_ONCE)
            events = await waiting_events(connection, AT_ONCE)
        await self._send_all(environment, requests)
        for event in events:
            await self._pass_on(environment, event)
        told = await tell_of_arrivals(self.database, self.lives, environment)
        return len(requests) + len(events) + len(told)

    async def _send_all(self, environment: str, requests: Sequence[Asked]) -> None:
        """Those of one subscription one after the other, several subscriptions at once: who does not answer holds up
        few others.
        """
        lines: dict[str, list[Asked]] = {}
        for asked in requests:
            lines.setdefault(asked.subscription or asked.customer, []).append(asked)
        places = asyncio.Semaphore(SIDE_BY_SIDE)

        async def send(line: Sequence[Asked]) -> None:
            async with places:
                for asked in line:
                    await self._send(environment, asked)

        async with asyncio.TaskGroup() as group:
            for line in lines.values():
                group.create_task(send(line))

    async def _send(self, environment: str, asked: Asked) -> None:
        """Once more. What is refused is answered so; where nobody answers, it waits for the next round."""
        try:
            await self._deliver(environment, asked)
        except Rejected as refusal:
            why = {"code": refusal.code, "message": str(refusal)}
            await self._answer(environment, asked, "refused", why)
        except Unavailable as error:
            activity.logger.warning("request %s was not sent: %s", asked.id, error)
        except Exception:  # what is wrong with one holds up no other
            activity.logger.exception("request %s cannot be sent", asked.id)

    async def _deliver(self, environment: str, asked: Asked) -> None:
        match asked.kind:
            case "subscribe":
                await self._subscribe(environment, asked)
            case "command":
                request = from_plain(Request, asked.body)
                await self.lives.request(asked.subscription or "", request)
            case "top_up":
                await self.lives.top_up(from_plain(TopUp, asked.body))
            case "pay":
                await self.lives.pay(from_plain(Pay, asked.body))
            case "grant":
                await self.lives.watch_grant(from_plain(GrantLife, asked.body))
                await self._answer(environment, asked, "done", {})
            case _:
                assert_never(asked.kind)

    async def _subscribe(self, environment: str, asked: Asked) -> None:
        async with self.database.transaction(environment) as connection:
            subscription = await state_of(connection, asked.subscription or "")
            clock = subscription.test_clock
            now = None if clock is None else (await find_clock(connection, clock)).now
        await self.lives.subscribe(subscription, now)
        await self._answer(environment, asked, "done", {})

    async def _pass_on(self, environment: str, event: KeptEvent) -> None:
        """Tell the collection whose payment it is, where that is still under way."""
        name = event.metadata.get("idempotency_key")
        async with self.database.transaction(environment) as connection:
            payment = await payment_at_provider(connection, event.intent, name)
            waits = payment is not None and payment.status in UNDER_WAY
            collection = (
                await find_collection(connection, payment.invoice)
                if payment is not None and waits and payment.kind == "payment"
                else None
            )
        try:
            if collection is not None:
                await self.lives.changed(collection)
        except Unavailable as error:
            activity.logger.warning("event %s was not passed on: %s", event.id, error)
            return
        async with self.database.transaction(environment) as connection:
            await event_handled(connection, event.id)

    async def _answer(
        self,
        environment: str,
        asked: Asked,
        status: Literal["done", "refused"],
        answer: Mapping[str, object],
    ) -> None:
        async with self.database.transaction(environment) as connection:
            await answer_request(connection, asked.id, status, answer)
