"""The sandbox tells our endpoint what happened, as badly as real life does."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from domain.errors import Corrupt
from providers.payments.sandbox.remote import SandboxRemote
from providers.payments.sandbox.store import Json
from providers.payments.stripe import StripePayments
from tests.providers.attempts import Shopper, shopper
from tests.providers.hook_receiver import HookReceiver, hook_receiver

PAID = ["payment_intent.created", "payment_intent.succeeded"]


@pytest_asyncio.fixture
async def endpoint() -> AsyncIterator[HookReceiver]:
    async with hook_receiver() as receiver:
        yield receiver


@pytest_asyncio.fixture
async def customer(payments: StripePayments) -> Shopper:
    """Made before any webhook is sent, so that only payments are told of."""
    return await shopper(payments)


async def deliveries(remote: SandboxRemote, count: int) -> list[Json]:
    """The log of the last `count`, once nothing is on its way any more."""
    while (hooks := await remote.hooks())["waiting"]:
        pass
    log: list[Json] = hooks["deliveries"]
    return log[-count:]


async def test_every_change_is_told_signed_and_in_order(
    payments: StripePayments, remote: SandboxRemote, endpoint: HookReceiver, customer: Shopper
) -> None:
    await remote.send_hooks(endpoint.url)
    outcome = await payments.charge(customer.attempt(metadata={"environment": "env_7"}))
    told = await endpoint.several(2)
    assert [event.type for event in told] == PAID
    assert {(event.intent, event.environment) for event in told} == {(outcome.intent, "env_7")}


@pytest.mark.parametrize(
    ("outcome", "happening"),
    [
        ("declined:lost_card", "payment_failed"),
        ("processing", "processing"),
        ("requires_action", "requires_action"),
    ],
)
async def test_each_outcome_has_its_event(
    payments: StripePayments,
    remote: SandboxRemote,
    endpoint: HookReceiver,
    customer: Shopper,
    outcome: str,
    happening: str,
) -> None:
    await remote.script(customer.id, [outcome])
    await remote.send_hooks(endpoint.url)
    await payments.charge(customer.attempt())
    assert (await endpoint.several(2))[1].type == f"payment_intent.{happening}"


async def test_what_happens_later_is_told_later(
    payments: StripePayments, remote: SandboxRemote, endpoint: HookReceiver, customer: Shopper
) -> None:
    await remote.script(customer.id, ["processing"])
    attempt = await payments.charge(customer.attempt())
    await remote.send_hooks(endpoint.url)
    await remote.settle(attempt.intent)
    await remote.dispute(attempt.intent)
    settled, disputed = await endpoint.several(2)
    assert (settled.type, settled.intent) == ("payment_intent.succeeded", attempt.intent)
    assert (disputed.type, disputed.intent) == ("charge.dispute.created", attempt.intent)
    assert disputed.object_id != attempt.intent


async def test_doubles(
    payments: StripePayments, remote: SandboxRemote, endpoint: HookReceiver, customer: Shopper
) -> None:
    await remote.send_hooks(endpoint.url, copies=3)
    await payments.charge(customer.attempt())
    told = await endpoint.several(6)
    assert [event.type for event in told] == [PAID[0]] * 3 + [PAID[1]] * 3
    assert len({event.id for event in told}) == 2


async def test_out_of_order(
    payments: StripePayments, remote: SandboxRemote, endpoint: HookReceiver, customer: Shopper
) -> None:
    await remote.send_hooks(endpoint.url, held=True)
    await payments.charge(customer.attempt())
    assert await remote.release_hooks(reverse=True) == 2
    assert [event.type for event in await endpoint.several(2)] == PAID[::-1]
    assert await remote.release_hooks() == 0


async def test_before_the_answer(
    payments: StripePayments, remote: SandboxRemote, endpoint: HookReceiver, customer: Shopper
) -> None:
    await remote.send_hooks(endpoint.url)
    await remote.order_fault("hold", path="/v1/payment_intents")
    charging = asyncio.create_task(payments.charge(customer.attempt()))
    told = (await endpoint.several(2))[1]
    assert told.intent is not None
    assert not charging.done()
    assert (await payments.read(told.intent)).status == "succeeded"
    await remote.clear_faults()
    assert (await charging).intent == told.intent


async def test_an_endpoint_that_fails_is_told_again(
    payments: StripePayments, remote: SandboxRemote, endpoint: HookReceiver, customer: Shopper
) -> None:
    endpoint.statuses = [500, 400]
    await remote.send_hooks(endpoint.url, retry_after=[0, 0])
    await payments.charge(customer.attempt())
    told = await endpoint.several(4)
    assert [event.type for event in told] == PAID * 2
    assert [(d["attempt"], d["status"]) for d in await deliveries(remote, 4)] == [
        (1, 500),
        (1, 400),
        (2, 200),
        (2, 200),
    ]


async def test_there_is_an_end_to_telling(
    payments: StripePayments, remote: SandboxRemote, endpoint: HookReceiver, customer: Shopper
) -> None:
    endpoint.statuses = [500] * 6
    await remote.send_hooks(endpoint.url, retry_after=[0, 0])
    await payments.charge(customer.attempt())
    await endpoint.several(6)
    log = await deliveries(remote, 6)
    assert sorted(delivery["attempt"] for delivery in log) == [1, 1, 2, 2, 3, 3]
    assert {delivery["status"] for delivery in log} == {500}
    assert endpoint.is_empty()


async def test_nobody_is_told_while_webhooks_are_off_but_the_events_stay(
    payments: StripePayments, remote: SandboxRemote, endpoint: HookReceiver, customer: Shopper
) -> None:
    await remote.send_hooks(endpoint.url, enabled=False)
    attempt = await payments.charge(customer.attempt(1))
    await remote.send_hooks(endpoint.url)
    later = await payments.charge(customer.attempt(2))
    assert [event.intent for event in await endpoint.several(2)] == [later.intent] * 2
    events = await payments.events_since(datetime.now(UTC) - timedelta(minutes=5))
    assert [event.type for event in events if event.intent == attempt.intent] == PAID


@pytest.mark.parametrize("settings", [{"copies": 0}, {"secret": ""}, {"shuffle": True}])
async def test_settings_nobody_understands_are_refused(
    remote: SandboxRemote, settings: dict[str, object]
) -> None:
    with pytest.raises(Corrupt, match="detail"):
        await remote.send_hooks("http://127.0.0.1/hooks", **settings)
