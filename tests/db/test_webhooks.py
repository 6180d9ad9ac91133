"""Facts on their way to a real receiver: at least once, in the order of a schedule, whoever crashes or is slow."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from activities.webhooks import AT_ONCE, WebhookSteps
from cli.stack.child import free_port
from db.ids import new_id
from db.outbox import announce
from db.session import Database
from db.tenants import Environment, list_environments, open_environment
from db.webhook_deliveries import attempt_again, environments_to_tell
from db.webhook_endpoints import (
    add_endpoint,
    delete_endpoint,
    disable_endpoint,
    enable_endpoint,
    set_secret,
)
from domain.webhooks.addresses import PrivateAddresses
from domain.webhooks.attempts import Attempt
from domain.webhooks.signing import secret_of
from providers.webhooks.sending import Message, WebhookSender
from tests.webhook_receiver import SECRET, Receiver, receiving

AT = datetime(2026, 1, 1, tzinfo=UTC)
Row = tuple[Any, ...]


@dataclass(slots=True)
class Post:
    """The webhooks of one environment, with no time to wait: `later` is when everything that waits is due."""

    database: Database
    environment: Environment
    steps: WebhookSteps

    async def endpoint(self, url: str, *topics: str, secret: str = SECRET) -> str:
        own_id = new_id("whe")
        async with self.database.transaction(self.environment.id) as connection:
            wanted = topics or ("*",)
            await add_endpoint(connection, self.environment.id, own_id, url, wanted, None)
            await set_secret(connection, self.environment.id, own_id, new_id("whs"), secret)
        return own_id

    async def happens(self, topic: str, **body: object) -> None:
        async with self.database.transaction(self.environment.id) as connection:
            await announce(connection, self.environment.id, topic, "inv_1", AT, body)

    async def round(self) -> None:
        await self.steps.look_at(self.environment)
        await self.steps.settle()

    async def later(self) -> None:
        await self.rows("UPDATE webhook_deliveries SET next_attempt_at = now()"
                        " WHERE status = 'pending' RETURNING id")  # fmt: skip
        await self.round()

    async def rows(self, statement: str) -> list[Row]:
        async with self.database.transaction(self.environment.id) as connection:
            return [tuple(row) for row in await connection.execute(text(statement))]

    async def deliveries(self) -> list[Row]:
        return await self.rows(
            "SELECT topic, status, attempts, response_status FROM webhook_deliveries d"
            " JOIN outbox o ON o.id = d.notification_id ORDER BY o.seq, d.endpoint_id"
        )

    async def endpoints(self) -> list[Row]:
        return await self.rows(
            "SELECT disabled_because, failing_since IS NULL FROM webhook_endpoints ORDER BY id"
        )


@pytest.fixture
async def sender() -> AsyncIterator[WebhookSender]:
    async with WebhookSender() as sender:
        yield sender


@pytest.fixture
async def post(database: Database, environment: Environment, sender: WebhookSender) -> Post:
    return Post(database, environment, WebhookSteps(database, sender, "test"))


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_each_endpoint_is_told_of_what_it_wants(post: Post, receiver: Receiver) -> None:
    async with receiving() as other:
        await post.endpoint(receiver.url)
        await post.endpoint(other.url, "invoice.*", "alert.triggered")
        await post.happens("invoice.issued", total="19.20", lines=2)
        await post.happens("hold.expired")
        await post.happens("alert.triggered")
        await post.round()
        await post.round()
        assert sorted(receiver.topics) == ["alert.triggered", "hold.expired", "invoice.issued"]
        assert sorted(other.topics) == ["alert.triggered", "invoice.issued"]
    heard = next(each for each in receiver.heard if each.told["type"] == "invoice.issued")
    assert heard.told == {
        "id": heard.id,
        "type": "invoice.issued",
        "at": "2026-01-01T00:00:00Z",
        "environment": "test",
        "data": {"id": "inv_1", "total": "19.20", "lines": 2},
    }
    assert await post.deliveries() == [
        (topic, "delivered", 1, 200)
        for topic in ("invoice.issued", *["invoice.issued", "hold.expired", "alert.triggered"], "alert.triggered")
    ]  # fmt: skip


async def test_what_failed_is_told_again_under_the_same_id(post: Post, receiver: Receiver) -> None:
    await post.endpoint(receiver.url)
    await post.happens("invoice.issued")
    receiver.answers = [500]
    await post.round()
    assert await post.deliveries() == [("invoice.issued", "pending", 1, 500)]
    ((waits,),) = await post.rows(
        "SELECT next_attempt_at - last_attempt_at FROM webhook_deliveries"
    )
    assert waits.total_seconds() == 5
    assert await post.endpoints() == [(None, False)]
    await post.later()
    assert await post.deliveries() == [("invoice.issued", "delivered", 2, 200)]
    assert await post.endpoints() == [(None, True)]
    first, second = receiver.heard
    assert (first.id, first.told) == (second.id, second.told)


async def test_what_is_not_due_waits(post: Post, receiver: Receiver) -> None:
    await post.endpoint(receiver.url)
    await post.happens("invoice.issued")
    receiver.answers = [500]
    await post.round()
    await post.round()
    assert len(receiver.heard) == 1


async def test_after_the_schedule_it_has_failed_until_somebody_retries(
    post: Post, receiver: Receiver
) -> None:
    endpoint = await post.endpoint(receiver.url)
    await post.happens("invoice.issued")
    receiver.answers = [503] * 11
    await post.round()
    for _ in range(10):
        await post.later()
    assert await post.deliveries() == [("invoice.issued", "failed", 10, 503)]
    ((delivery,),) = await post.rows("SELECT id FROM webhook_deliveries")
    for status in ("failed", "delivered", "delivered"):
        async with post.database.transaction(post.environment.id) as connection:
            await attempt_again(connection, endpoint, delivery)
        await post.round()
        assert (await post.deliveries())[0][1] == status
    assert {each.id for each in receiver.heard} == {receiver.heard[0].id}
    assert len(receiver.heard) == 13


async def test_a_crash_between_sending_and_noting_sends_again(
    post: Post, receiver: Receiver, sender: WebhookSender
) -> None:
    """The receiver has it, and knows it again by its id. Before the lease ends nobody else takes it."""

    class Dies(WebhookSender):
        async def send(self, message: Message) -> Attempt:
            await sender.send(message)
            raise MemoryError("killed")

    await post.endpoint(receiver.url)
    await post.happens("invoice.issued")
    async with Dies() as dying:
        crashing = WebhookSteps(post.database, dying, "test")
        await crashing.look_at(post.environment)
        await crashing.settle()
    assert await post.deliveries() == [("invoice.issued", "pending", 0, None)]
    await post.round()
    assert len(receiver.heard) == 1
    await post.later()
    assert await post.deliveries() == [("invoice.issued", "delivered", 1, 200)]
    first, second = receiver.heard
    assert (first.id, first.told) == (second.id, second.told)


async def test_who_is_slow_holds_up_nobody_else(post: Post, receiver: Receiver) -> None:
    async with receiving() as slow:
        slow.hold()
        await post.endpoint(slow.url, "invoice.issued")
        await post.endpoint(receiver.url, "invoice.*")
        for _ in range(AT_ONCE + 2):
            await post.happens("invoice.issued")
        await post.steps.look_at(post.environment)
        for _ in range(AT_ONCE):
            await slow.next()
        for _ in range(AT_ONCE + 2):
            await receiver.next()
        await post.happens("invoice.paid")
        while receiver.topics[-1] != "invoice.paid":
            await post.steps.look_at(post.environment)
        assert len(slow.heard) == AT_ONCE
        slow.let_go()
        await post.steps.settle()
        assert len(slow.heard) == AT_ONCE + 2


async def test_who_is_gone_is_disabled_and_the_others_are_told(
    post: Post, receiver: Receiver
) -> None:
    async with receiving() as gone:
        endpoint = await post.endpoint(gone.url, "invoice.*")
        await post.endpoint(receiver.url, "webhook_endpoint.disabled")
        gone.answers = [410]
        await post.happens("invoice.issued")
        await post.round()
        await post.happens("invoice.paid")
        await post.round()
        assert gone.topics == ["invoice.issued"]
        assert await post.endpoints() == [("gone", False), (None, True)]
        (heard,) = receiver.heard
        assert heard.told["data"] == {"id": endpoint, "reason": "gone", "description": None}
        async with post.database.transaction(post.environment.id) as connection:
            await enable_endpoint(connection, endpoint)
        await post.happens("invoice.voided")
        await post.round()
        assert gone.topics == ["invoice.issued", "invoice.voided"]
    assert await post.endpoints() == [(None, True), (None, True)]


async def test_who_fails_for_five_days_is_disabled(post: Post, receiver: Receiver) -> None:
    away = f"http://127.0.0.1:{free_port()}/"
    endpoint = await post.endpoint(away)
    await post.endpoint(receiver.url, "webhook_endpoint.*")
    await post.happens("invoice.issued")
    await post.round()
    assert await post.endpoints() == [(None, False), (None, True)]
    await post.rows("UPDATE webhook_endpoints SET failing_since = failing_since - interval '5 days'"
                    " WHERE failing_since IS NOT NULL RETURNING id")  # fmt: skip
    await post.later()
    await post.round()
    assert await post.endpoints() == [("failing", False), (None, True)]
    assert receiver.heard[0].told["data"]["id"] == endpoint
    assert await post.deliveries() == [
        ("invoice.issued", "pending", 2, None),
        ("webhook_endpoint.disabled", "delivered", 1, 200),
    ]


async def test_what_waits_for_a_disabled_endpoint_goes_on_when_it_is_enabled(
    post: Post, receiver: Receiver
) -> None:
    endpoint = await post.endpoint(receiver.url)
    receiver.answers = [500]
    await post.happens("invoice.issued")
    await post.round()
    async with post.database.transaction(post.environment.id) as connection:
        assert await disable_endpoint(connection, endpoint, "asked")
    await post.happens("invoice.paid")
    await post.later()
    assert len(receiver.heard) == 1
    async with post.database.transaction(post.environment.id) as connection:
        await enable_endpoint(connection, endpoint)
    await post.round()
    assert receiver.topics == ["invoice.issued", "invoice.issued"]


async def test_a_deleted_endpoint_is_told_nothing_more(post: Post, receiver: Receiver) -> None:
    """Not even what was under way."""
    endpoint = await post.endpoint(receiver.url)
    receiver.answers = [500]
    await post.happens("invoice.issued")
    receiver.hold()
    await post.steps.look_at(post.environment)
    await receiver.next()
    async with post.database.transaction(post.environment.id) as connection:
        await delete_endpoint(connection, endpoint)
    receiver.let_go()
    await post.steps.settle()
    await post.later()
    assert len(receiver.heard) == 1
    assert await post.rows("SELECT id FROM webhook_secrets") == []


async def test_a_secret_that_was_replaced_signs_for_a_day(post: Post, receiver: Receiver) -> None:
    """The receiver knows the old one; after a day it finds no signature of that one any more."""
    endpoint = await post.endpoint(receiver.url)
    async with post.database.transaction(post.environment.id) as connection:
        await set_secret(connection, post.environment.id, endpoint, "whs_new", secret_of(b"n" * 32))
    await post.happens("invoice.issued")
    await post.round()
    assert receiver.heard[0].headers["webhook-signature"].count("v1,") == 2
    await post.rows("UPDATE webhook_secrets SET valid_until = valid_until - interval '1 day'"
                    " WHERE valid_until IS NOT NULL RETURNING id")  # fmt: skip
    await post.happens("invoice.paid")
    await post.round()
    assert receiver.topics == ["invoice.issued"]
    assert (await post.deliveries())[1] == ("invoice.paid", "pending", 1, 500)


@pytest.mark.parametrize(("private", "arrives"), [("test", False), ("allowed", True)])
async def test_live_facts_do_not_go_to_private_addresses(
    post: Post,
    receiver: Receiver,
    sender: WebhookSender,
    private: PrivateAddresses,
    arrives: bool,
) -> None:
    async with post.database.registry() as connection:
        live = await open_environment(connection, post.environment.tenant_id, "live")
    own = Post(post.database, live, WebhookSteps(post.database, sender, private))
    await own.endpoint(receiver.url)
    await own.happens("invoice.issued")
    await own.round()
    assert bool(receiver.heard) is arrives
    ((error,),) = await own.rows("SELECT error FROM webhook_deliveries")
    assert error == (None if arrives else "its host is at a private address")


async def test_only_environments_with_something_to_tell_are_looked_at(
    post: Post, receiver: Receiver
) -> None:
    async def is_looked_at() -> bool:
        async with post.database.registry() as connection:
            found = await environments_to_tell(connection)
            assert await list_environments(connection)  # it is the registry's still
        return post.environment.id in found

    endpoint = await post.endpoint(receiver.url)
    assert not await is_looked_at()
    await post.happens("invoice.issued")
    assert await is_looked_at()
    receiver.answers = [500]
    await post.round()
    assert not await is_looked_at()
    await post.rows("UPDATE webhook_deliveries SET next_attempt_at = now() RETURNING id")
    assert await is_looked_at()
    async with post.database.transaction(post.environment.id) as connection:
        await disable_endpoint(connection, endpoint, "asked")
    assert not await is_looked_at()


async def test_two_workers_tell_it_once(
    post: Post, receiver: Receiver, sender: WebhookSender
) -> None:
    other = WebhookSteps(post.database, sender, "test")
    await post.endpoint(receiver.url)
    for _ in range(10):
        await post.happens("invoice.issued")
    await post.steps.look_at(post.environment)
    await other.look_at(post.environment)
    await post.steps.settle()
    await other.settle()
    assert len({each.id for each in receiver.heard}) == len(receiver.heard) == 10
