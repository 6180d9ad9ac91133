"""What every payment provider must do. Stripe itself takes part when STRIPE_API_KEY holds a test key."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from domain.errors import Conflict, Corrupt, Declined, NotFound
from domain.money import Money
from providers.payments.port import AccessRefused, NotChargeable, PaymentProvider
from providers.payments.stripe import StripePayments
from tests.providers.attempts import SANDBOX_KEY, Shopper, shopper

USD = "USD"


@pytest.fixture(params=["sandbox", "stripe"])
def place(request: pytest.FixtureRequest) -> tuple[str | None, str]:
    """Where the provider is, and the key to it."""
    if request.param == "sandbox":
        return request.getfixturevalue("sandbox"), SANDBOX_KEY
    key = os.environ.get("STRIPE_API_KEY", "")
    if not key.startswith("sk_test_"):
        pytest.skip("STRIPE_API_KEY holds no test key of Stripe")
    return None, key


@pytest_asyncio.fixture
async def provider(place: tuple[str | None, str]) -> AsyncIterator[PaymentProvider]:
    address, key = place
    async with StripePayments(key, address=address) as payments:
        yield payments


async def test_money_arrives(provider: PaymentProvider) -> None:
    customer = await shopper(provider)
    outcome = await provider.charge(customer.attempt(amount=Money(1920, USD)))
    assert (outcome.status, outcome.failure_code) == ("succeeded", None)
    assert outcome.received == Money(1920, USD)
    assert await provider.read(outcome.intent) == outcome


async def test_an_attempt_is_one_payment_however_often_it_is_made(
    provider: PaymentProvider,
) -> None:
    customer = await shopper(provider)
    outcomes = await asyncio.gather(*(provider.charge(customer.attempt()) for _ in range(3)))
    assert {await provider.charge(customer.attempt()), *outcomes} == {outcomes[0]}


async def test_an_attempt_in_other_words_is_the_same_payment(provider: PaymentProvider) -> None:
    """Books that were restored from a backup ask again, for an invoice under another id and at another time."""
    customer = await shopper(provider)
    first = await provider.charge(
        replace(customer.attempt(metadata={"invoice": "1"}), first_try=True)
    )
    again = customer.attempt(metadata={"invoice": "2"}, at=datetime.now(UTC))
    again = replace(again, first_try=True, since=datetime.now(UTC) - timedelta(hours=1))
    assert await provider.charge(again) == first
    with pytest.raises(Corrupt, match=r"asks for 19\.21 USD"):
        await provider.charge(replace(again, amount=Money(1921, USD)))


async def test_another_attempt_is_another_payment(provider: PaymentProvider) -> None:
    customer = await shopper(provider)
    first = await provider.charge(customer.attempt(1))
    second = await provider.charge(customer.attempt(2))
    assert first.intent != second.intent


async def test_a_decline_is_an_answer_and_stays_one(provider: PaymentProvider) -> None:
    customer = await shopper(provider, "pm_card_chargeCustomerFail")
    outcome = await provider.charge(customer.attempt())
    assert (outcome.status, outcome.failure_code) == ("failed", "generic_decline")
    assert outcome.received == Money(0, USD)
    assert await provider.charge(customer.attempt()) == outcome
    assert await provider.read(outcome.intent) == outcome


async def test_a_card_that_asks_for_its_holder_declines_while_they_are_away(
    provider: PaymentProvider,
) -> None:
    customer = await shopper(provider, "pm_card_authenticationRequired")
    outcome = await provider.charge(customer.attempt())
    assert (outcome.status, outcome.failure_code) == ("failed", "authentication_required")


async def test_nothing_to_charge_with_is_a_failed_attempt(provider: PaymentProvider) -> None:
    customer = await shopper(provider, method=None)
    outcome = await provider.charge(customer.attempt())
    assert (outcome.status, outcome.failure_code) == ("failed", "no_payment_method")
    assert outcome.intent == ""


async def test_the_named_method_is_charged_rather_than_the_default_one(
    provider: PaymentProvider,
) -> None:
    customer = await shopper(provider, "pm_card_chargeCustomerFail")
    outcome = await provider.charge(customer.attempt(method="pm_card_visa"))
    assert outcome.status == "succeeded"


async def test_a_method_that_is_gone_is_a_failed_attempt(provider: PaymentProvider) -> None:
    customer = await shopper(provider)
    outcome = await provider.charge(customer.attempt(method="pm_1GoneGoneGoneGoneGone"))
    assert (outcome.status, outcome.failure_code) == ("failed", "no_payment_method")


async def test_a_new_method_becomes_the_default(provider: PaymentProvider) -> None:
    customer = await shopper(provider, "pm_card_chargeCustomerFail")
    method = await provider.attach_payment_method(
        customer.id, "pm_card_visa", idempotency_key=f"again:{customer.key}"
    )
    assert method.startswith("pm_")
    assert (await provider.charge(customer.attempt())).status == "succeeded"


async def test_an_attempt_is_found_by_its_name(provider: PaymentProvider) -> None:
    customer = await shopper(provider)
    attempt = customer.attempt(7)
    assert await provider.find(customer.id, attempt.idempotency_key, attempt.at) is None
    outcome = await provider.charge(attempt)
    assert await provider.find(customer.id, attempt.idempotency_key, attempt.at) == outcome
    assert await provider.find(customer.id, customer.attempt(8).idempotency_key, attempt.at) is None


async def test_an_attempt_of_a_clock_that_is_ahead_is_found_too(provider: PaymentProvider) -> None:
    customer = await shopper(provider)
    attempt = customer.attempt(at=datetime.now(UTC) + timedelta(days=400))
    outcome = await provider.charge(attempt)
    assert await provider.find(customer.id, attempt.idempotency_key, attempt.at) == outcome


async def test_one_name_for_two_amounts_is_our_mistake(provider: PaymentProvider) -> None:
    customer = await shopper(provider)
    await provider.charge(customer.attempt(amount=Money(1000, USD)))
    with pytest.raises(Corrupt, match=r"asks for 20\.00 USD, but pi_"):
        await provider.charge(customer.attempt(amount=Money(2000, USD)))


@pytest.mark.parametrize(
    "amount",
    [
        pytest.param(Money(123456, "USD"), id="two decimals"),
        pytest.param(Money(500, "JPY"), id="none"),
        pytest.param(Money(12340, "KWD"), id="three, in steps of ten"),
    ],
)
async def test_amounts_arrive_in_minor_units(provider: PaymentProvider, amount: Money) -> None:
    customer = await shopper(provider)
    outcome = await provider.charge(customer.attempt(amount=amount))
    assert outcome.received == amount


@pytest.mark.parametrize("minor", [0, -1])
async def test_nothing_and_less_cannot_be_charged(provider: PaymentProvider, minor: int) -> None:
    customer = await shopper(provider)
    with pytest.raises(NotChargeable):
        await provider.charge(customer.attempt(amount=Money(minor, USD)))


async def test_a_failed_attempt_can_be_given_up(provider: PaymentProvider) -> None:
    customer = await shopper(provider, "pm_card_chargeCustomerFail")
    failed = await provider.charge(customer.attempt())
    given_up = await provider.cancel(failed.intent)
    assert (given_up.status, given_up.failure_code) == ("failed", "canceled")
    assert await provider.cancel(failed.intent) == given_up


async def test_giving_up_too_late_tells_that_the_money_arrived(provider: PaymentProvider) -> None:
    customer = await shopper(provider)
    paid = await provider.charge(customer.attempt())
    assert await provider.cancel(paid.intent) == paid


async def test_a_refund_is_made_once(provider: PaymentProvider) -> None:
    customer = await shopper(provider)
    paid = await provider.charge(customer.attempt(amount=Money(1000, USD)))
    name = f"refund:{customer.key}"
    refund = await provider.refund(paid.intent, Money(400, USD), idempotency_key=name)
    assert (refund.status, refund.amount) == ("succeeded", Money(400, USD))
    assert await provider.refund(paid.intent, Money(400, USD), idempotency_key=name) == refund


async def test_no_more_is_refunded_than_was_paid(provider: PaymentProvider) -> None:
    customer = await shopper(provider)
    paid = await provider.charge(customer.attempt(amount=Money(1000, USD)))
    await provider.refund(paid.intent, Money(700, USD), idempotency_key=f"1:{customer.key}")
    with pytest.raises(Conflict):
        await provider.refund(paid.intent, Money(301, USD), idempotency_key=f"2:{customer.key}")
    await provider.refund(paid.intent, Money(300, USD), idempotency_key=f"3:{customer.key}")
    with pytest.raises(Conflict):
        await provider.refund(paid.intent, Money(1, USD), idempotency_key=f"4:{customer.key}")


async def test_what_happened_can_be_read_again(provider: PaymentProvider) -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)
    customer = await shopper(provider)
    about = {"environment": "env_1", "invoice": "INV-1"}
    paid = await provider.charge(customer.attempt(metadata=about))
    events = [e for e in await provider.events_since(since) if e.intent == paid.intent]
    succeeded = next(e for e in events if e.type == "payment_intent.succeeded")
    assert (succeeded.object_id, succeeded.environment) == (paid.intent, "env_1")
    assert succeeded.metadata["invoice"] == "INV-1"


async def test_a_wrong_key_is_for_operators_to_see(place: tuple[str | None, str]) -> None:
    address, _ = place
    async with StripePayments("sk_live_stolen", address=address) as stranger:
        with pytest.raises(AccessRefused) as refused:
            await stranger.read("pi_1")
    assert refused.value.code == "payment_access_refused"


async def test_a_customer_nobody_knows_is_our_mistake(provider: PaymentProvider) -> None:
    with pytest.raises(Corrupt):
        await provider.charge(Shopper("cus_nobody").attempt())


async def test_a_method_nobody_knows_is_the_users_mistake(provider: PaymentProvider) -> None:
    customer = await shopper(provider, method=None)
    with pytest.raises(NotFound):
        await provider.attach_payment_method(
            customer.id, "pm_nothing", idempotency_key=f"bad:{customer.key}"
        )


async def test_a_card_its_issuer_refuses_cannot_be_attached(provider: PaymentProvider) -> None:
    customer = await shopper(provider, method=None)
    with pytest.raises(Declined, match="insufficient_funds"):
        await provider.attach_payment_method(
            customer.id,
            "pm_card_visa_chargeDeclinedInsufficientFunds",
            idempotency_key=f"bad:{customer.key}",
        )
