"""Outbound webhooks at work: facts are passed on to endpoints, and each endpoint has a lane of its own.

A lane sends what is due to its endpoint, a few at a time, until nothing is. So who answers slowly, or never, holds up
nobody else. Lanes belong to the process, not to one turn of the activity: what is under way outlives it. Every delivery that
a lane takes is leased: where the process dies before it has noted what came of an attempt, it is attempted again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity

from activities.steps import DeliverWebhooks, Steps
from db.outbox import announce
from db.session import Database, write_json
from db.tenants import Environment, list_environments
from db.webhook_deliveries import (
    Due,
    claim,
    endpoints_with_due,
    environments_to_tell,
    fan_out,
    note_attempt,
)
from db.webhook_endpoints import (
    EndpointRow,
    disable_endpoint,
    find_endpoint,
    lock_endpoint,
    note_failing,
    secrets_of,
)
from domain.errors import NotFound
from domain.webhooks.addresses import PrivateAddresses, may_be_private
from domain.webhooks.attempts import Attempt, Disabling, judged
from domain.webhooks.notification import told
from domain.webhooks.topics import DISABLED
from providers.webhooks.sending import Message, WebhookSender

IDLE_SECONDS = 0.5
FACTS_AT_ONCE = 500
AT_ONCE = 8  # to one endpoint; to one that fails, one
MOST_LANES = 100
CONNECTIONS = 6  # of those of the database, however many lanes there are
LEASE = timedelta(seconds=30)  # longer than any attempt, from taking it to noting what came of it


@dataclass(frozen=True, slots=True)
class _Batch:
    """What to send to an endpoint now. `is_failing`: its last attempt before these was no success."""

    url: str = ""
    is_failing: bool = False
    secrets: Sequence[str] = field(default=(), repr=False)
    due: Sequence[Due] = ()


class WebhookSteps(Steps):
    def __init__(
        self,
        database: Database,
        sender: WebhookSender,
        private_addresses: PrivateAddresses = "refused",
    ) -> None:
        self.database = database
        self.sender = sender
        self.private_addresses = private_addresses
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._connections = asyncio.Semaphore(CONNECTIONS)
        self._is_ending = False

    @activity.defn
    async def deliver_webhooks(self, step: DeliverWebhooks) -> None:
        for _ in range(step.rounds):
            if activity.is_worker_shutdown():
                await self.end()
                return  # the next round is another worker's
            await self.look_around()
            await asyncio.sleep(IDLE_SECONDS)

    async def look_around(self) -> None:
        """Pass on new facts in every environment that has some, and open lanes to the endpoints that something is due for."""
        async with self.database.registry() as connection:
            busy = await environments_to_tell(connection)
            environments = await list_environments(connection)
        for environment in (each for each in environments if each.id in busy):
            try:
                await self.look_at(environment)
            except Exception:  # what is wrong in one environment holds up no other
                activity.logger.exception("no webhooks leave %s for now", environment.id)

    async def look_at(self, environment: Environment) -> None:
        more = True
        while more:
            async with self.database.transaction(environment.id) as connection:
                passed_on = await fan_out(connection, environment.id, FACTS_AT_ONCE)
                more = passed_on == FACTS_AT_ONCE
                ready = [] if more else await endpoints_with_due(connection)
        for endpoint in ready:
            self._open_lane(environment, endpoint)

    async def settle(self) -> None:
        """Wait until every lane has nothing more to send."""
        while self._lanes:
            await asyncio.wait(self._lanes.values())

    async def end(self) -> None:
        """Let attempts that are under way come to their end, and begin no more."""
        self._is_ending = True
        await self.settle()

    def _open_lane(self, environment: Environment, endpoint: str) -> None:
        if endpoint in self._lanes or self._is_ending or len(self._lanes) >= MOST_LANES:
            return
        lane = asyncio.create_task(self._lane(environment, endpoint))
        self._lanes[endpoint] = lane
        lane.add_done_callback(lambda _: self._lanes.pop(endpoint, None))

    async def _lane(self, environment: Environment, endpoint: str) -> None:
        try:
            while not self._is_ending:
                batch = await self._claim(environment, endpoint)
                if not batch.due:
                    return
                await asyncio.gather(
                    *(self._deliver(environment, endpoint, batch, due) for due in batch.due)
                )
        except Exception:
            activity.logger.exception("the webhooks of %s are held up", endpoint)

    async def _claim(self, environment: Environment, endpoint: str) -> _Batch:
        async with self._connections, self.database.transaction(environment.id) as connection:
            try:
                row = await find_endpoint(connection, endpoint)
            except NotFound:  # it was deleted
                return _Batch()
            if row.disabled_at is not None:
                return _Batch()
            is_failing = row.failing_since is not None
            due = await claim(connection, endpoint, 1 if is_failing else AT_ONCE, LEASE)
            return _Batch(row.url, is_failing, await secrets_of(connection, endpoint), due)

    async def _deliver(
        self, environment: Environment, endpoint: str, batch: _Batch, due: Due
    ) -> None:
        """Sent first and noted then: a crash in between sends it again, under the same id."""
        message = Message(
            id=due.notification.id,
            url=batch.url,
            body=write_json(told(due.notification, environment.mode)),
            secrets=batch.secrets,
            may_be_private=may_be_private(environment.mode, self.private_addresses),
        )
        try:
            attempt = await self.sender.send(message)
            async with self._connections, self.database.transaction(environment.id) as connection:
                if attempt.has_arrived and not batch.is_failing:  # nothing new of the endpoint
                    await note_attempt(connection, due.id, attempt, judged(0, attempt, None))
                else:
                    await _judge(connection, environment.id, endpoint, due, attempt)
        except Exception:  # it is due again when its lease ends
            activity.logger.exception("what came of %s is not noted", due.id)


async def _judge(
    connection: AsyncConnection, environment: str, endpoint: str, due: Due, attempt: Attempt
) -> None:
    """Note an attempt, and what it says of its endpoint."""
    try:
        row = await lock_endpoint(connection, endpoint)
    except NotFound:  # it was deleted meanwhile
        return
    verdict = judged(due.attempts, attempt, row.failing_since)
    await note_attempt(connection, due.id, attempt, verdict)
    if verdict.failing_since != row.failing_since:
        await note_failing(connection, endpoint, verdict.failing_since)
    if verdict.disabling is not None and await disable_endpoint(
        connection, endpoint, verdict.disabling
    ):
        body = _why(row, verdict.disabling)
        await announce(connection, environment, DISABLED, endpoint, attempt.at, body)


def _why(endpoint: EndpointRow, disabling: Disabling) -> dict[str, object]:
    """Without the URL, which may carry a secret and is told to other endpoints."""
    return {"reason": disabling, "description": endpoint.description}
