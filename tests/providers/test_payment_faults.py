"""Whatever goes wrong on the way: an attempt is one intent, and an outage is never a decline."""

import asyncio
from dataclasses import replace

import httpx
import pytest

from domain.errors import Unavailable
from domain.money import Money
from providers.payments.port import AccessRefused, PaymentOutcome
from providers.payments.sandbox.remote import SandboxRemote
from providers.payments.stripe import StripePayments
from tests.providers.attempts import SANDBOX_KEY, Shopper, intents_of, shopper

INTENTS = "/v1/payment_intents"


async def charged_once(payments: StripePayments, sandbox: str, customer: Shopper) -> PaymentOutcome:
    """Charge again after a fault: the money arrives, and there is no second intent."""
    outcome = await payments.charge(customer.attempt())
    assert outcome.status == "succeeded"
    assert [intent.id for intent in await intents_of(sandbox, customer.id)] == [outcome.intent]
    return outcome


@pytest.mark.parametrize("committed", [True, False])
async def test_an_answer_lost_on_the_way_is_asked_for_again(
    payments: StripePayments, remote: SandboxRemote, sandbox: str, committed: bool
) -> None:
    customer = await shopper(payments)
    await remote.order_fault("drop_response", path=INTENTS, committed=committed)
    with pytest.raises(Unavailable):
        await payments.charge(customer.attempt())
    assert len(await intents_of(sandbox, customer.id)) == committed
    await charged_once(payments, sandbox, customer)


async def test_a_time_out_leaves_the_outcome_unknown_until_it_is_looked_up(
    payments: StripePayments, remote: SandboxRemote, sandbox: str
) -> None:
    customer = await shopper(payments)
    attempt = customer.attempt()
    await remote.order_fault("hold", path=INTENTS)
    impatient = StripePayments(SANDBOX_KEY, address=sandbox, timeout=httpx.Timeout(0.2), retries=0)
    async with impatient:
        with pytest.raises(Unavailable):
            await impatient.charge(attempt)
    found = await payments.find(customer.id, attempt.idempotency_key, attempt.at)
    assert found == await charged_once(payments, sandbox, customer)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_an_outage_is_not_a_decline_and_uses_up_no_attempt(
    payments: StripePayments, remote: SandboxRemote, sandbox: str, status: int
) -> None:
    customer = await shopper(payments)
    await remote.script(customer.id, ["succeeded", "declined:generic_decline"])
    await remote.order_fault("refuse", path=INTENTS, status=status, times=3)
    for _ in range(3):
        with pytest.raises(Unavailable) as outage:
            await payments.charge(customer.attempt())
        assert outage.value.code == "unavailable"
    await charged_once(payments, sandbox, customer)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_was_revoked_is_told_apart_from_an_outage(
    payments: StripePayments, remote: SandboxRemote, sandbox: str, status: int
) -> None:
    customer = await shopper(payments)
    await remote.order_fault("refuse", method="GET", path=INTENTS, status=status)
    with pytest.raises(AccessRefused) as refused:
        await payments.charge(customer.attempt())
    assert refused.value.code == "payment_access_refused"
    await charged_once(payments, sandbox, customer)


async def test_the_lookup_must_succeed_before_anything_is_charged(
    payments: StripePayments, remote: SandboxRemote, sandbox: str
) -> None:
    customer = await shopper(payments)
    await remote.order_fault("refuse", method="GET", path=INTENTS, status=503)
    with pytest.raises(Unavailable):
        await payments.charge(customer.attempt())
    assert await intents_of(sandbox, customer.id) == []


async def test_a_saved_failure_that_left_a_payment_behind_is_found_out(
    payments: StripePayments, remote: SandboxRemote, sandbox: str
) -> None:
    customer = await shopper(payments)
    await remote.order_fault("save_error", path=INTENTS, committed=True)
    with pytest.raises(Unavailable):
        await payments.charge(customer.attempt())
    await charged_once(payments, sandbox, customer)


async def test_a_saved_failure_that_left_nothing_behind_gives_way_to_the_next_key(
    payments: StripePayments, remote: SandboxRemote, sandbox: str
) -> None:
    customer = await shopper(payments)
    await remote.order_fault("save_error", path=INTENTS)
    with pytest.raises(Unavailable):
        await payments.charge(customer.attempt())
    outcome = await charged_once(payments, sandbox, customer)
    assert await payments.charge(customer.attempt()) == outcome


async def test_keys_come_to_an_end(payments: StripePayments, remote: SandboxRemote) -> None:
    customer = await shopper(payments)
    await remote.order_fault("save_error", path=INTENTS, times=100)
    for _ in range(3):  # each try finds one more key spoilt
        with pytest.raises(Unavailable):
            await payments.charge(customer.attempt())
    with pytest.raises(Unavailable, match="every key of"):
        await payments.charge(customer.attempt())


async def test_a_pruned_key_is_not_a_new_charge(
    payments: StripePayments, remote: SandboxRemote, sandbox: str
) -> None:
    customer = await shopper(payments)
    first = await payments.charge(customer.attempt())
    assert await remote.prune_keys() > 0
    assert await charged_once(payments, sandbox, customer) == first


async def test_a_pruned_key_is_not_a_second_refund(
    payments: StripePayments, remote: SandboxRemote
) -> None:
    customer = await shopper(payments)
    paid = await payments.charge(customer.attempt())
    name = f"refund:{customer.key}"
    refund = await payments.refund(paid.intent, Money(500, "USD"), idempotency_key=name)
    await remote.prune_keys()
    assert await payments.refund(paid.intent, Money(500, "USD"), idempotency_key=name) == refund


async def test_fifty_tries_at_once_are_one_payment(payments: StripePayments, sandbox: str) -> None:
    customer = await shopper(payments)
    outcomes = await asyncio.gather(*(payments.charge(customer.attempt()) for _ in range(50)))
    assert set(outcomes) == {await charged_once(payments, sandbox, customer)}


async def test_a_try_that_meets_another_one_at_work_comes_back_later(
    payments: StripePayments, remote: SandboxRemote, sandbox: str
) -> None:
    customer = await shopper(payments)
    await remote.order_fault("hold", path=INTENTS, when="before")
    first = asyncio.create_task(payments.charge(customer.attempt()))
    while not await remote.held_calls():
        pass
    for _ in range(3):
        with pytest.raises(Unavailable, match="in-progress request"):
            await payments.charge(customer.attempt())
    await remote.clear_faults()
    assert await first == await charged_once(payments, sandbox, customer)


async def test_many_payments_lie_between_two_tries(
    payments: StripePayments, sandbox: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers.payments.stripe.PAGE", 3)
    customer = await shopper(payments)
    first = await payments.charge(customer.attempt(0))
    for number in range(1, 8):
        await payments.charge(customer.attempt(number))
    assert await payments.charge(customer.attempt(0)) == first
    assert len(await intents_of(sandbox, customer.id)) == 8


async def test_a_first_try_spares_the_lookup_and_is_kept_single_by_its_key(
    payments: StripePayments, remote: SandboxRemote, sandbox: str
) -> None:
    customer = await shopper(payments)
    first_try = replace(customer.attempt(method="pm_card_visa"), first_try=True)
    await remote.order_fault("refuse", method="GET", path="/v1/", status=503)
    outcome = await payments.charge(first_try)
    await remote.clear_faults()
    assert await payments.charge(first_try) == outcome
    assert outcome == await charged_once(payments, sandbox, customer)


async def test_nobody_listens_at_the_address() -> None:
    async with StripePayments(SANDBOX_KEY, address="http://127.0.0.1:9", retries=0) as payments:
        with pytest.raises(Unavailable, match="ConnectError"):
            await payments.read("pi_1")
