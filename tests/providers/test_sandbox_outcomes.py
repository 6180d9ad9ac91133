"""The sandbox answers attempts as it is told: by script, later by command."""

import pytest

from domain.errors import BillingError, Corrupt
from domain.money import Money
from providers.payments.port import PaymentOutcome
from providers.payments.sandbox.remote import SandboxRemote
from providers.payments.stripe import StripePayments
from tests.providers.attempts import Shopper, raw_client, shopper

USD = "USD"


async def told(payments: StripePayments, customer: Shopper, attempts: int) -> list[str]:
    """How each attempt ended, as scenario files write it."""
    outcomes = [await payments.charge(customer.attempt(n)) for n in range(1, attempts + 1)]
    return [f"declined:{o.failure_code}" if o.failure_code else o.status for o in outcomes]


async def test_outcomes_come_in_turn_and_the_last_repeats(
    payments: StripePayments, remote: SandboxRemote
) -> None:
    customer = await shopper(payments)
    script = ["succeeded", "declined:insufficient_funds", "requires_action", "processing"]
    await remote.script(customer.id, script)
    assert await told(payments, customer, 6) == [*script, "processing", "processing"]


@pytest.mark.parametrize("key", ["acme-17", "team/acme@example.com", "a b?c#d%20"])
async def test_a_script_may_be_there_before_its_customer(
    payments: StripePayments, remote: SandboxRemote, key: str
) -> None:
    await remote.script(key, ["declined:lost_card", "succeeded"])
    name = await payments.create_customer(key, name=None, email=None, idempotency_key=f"c:{key}")
    await payments.attach_payment_method(name, "pm_card_visa", idempotency_key=f"m:{key}")
    assert await told(payments, Shopper(name), 2) == ["declined:lost_card", "succeeded"]


async def test_a_new_method_goes_on_in_the_script(
    payments: StripePayments, remote: SandboxRemote
) -> None:
    customer = await shopper(payments)
    await remote.script(customer.id, ["declined:stolen_card", "succeeded"])
    assert (await payments.charge(customer.attempt(1))).status == "failed"
    await payments.attach_payment_method(customer.id, "pm_card_amex", idempotency_key="amex")
    assert (await payments.charge(customer.attempt(2))).status == "succeeded"


async def test_a_try_again_uses_up_no_turn(payments: StripePayments, remote: SandboxRemote) -> None:
    customer = await shopper(payments)
    await remote.script(customer.id, ["declined:do_not_honor", "succeeded"])
    for _ in range(3):
        outcome = await payments.charge(customer.attempt(1))
        assert outcome.failure_code == "do_not_honor"
    assert (await payments.charge(customer.attempt(2))).status == "succeeded"


@pytest.mark.parametrize(
    ("outcome", "wire_code"),
    [
        ("declined:insufficient_funds", "card_declined"),
        ("declined:highest_risk_level", "card_declined"),
        ("declined:expired_card", "expired_card"),
        ("declined:authentication_required", "authentication_required"),
    ],
)
async def test_a_decline_looks_like_stripes(
    payments: StripePayments, remote: SandboxRemote, sandbox: str, outcome: str, wire_code: str
) -> None:
    customer = await shopper(payments)
    await remote.script(customer.id, [outcome])
    failed = await payments.charge(customer.attempt())
    assert f"declined:{failed.failure_code}" == outcome
    intent = await raw_client(sandbox).v1.payment_intents.retrieve_async(failed.intent)
    assert intent.status == "requires_payment_method"
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.code == wire_code


@pytest.mark.parametrize(
    ("ending", "status", "code", "received"),
    [
        ("succeeded", "succeeded", None, 1920),
        ("declined:debit_not_authorized", "failed", "debit_not_authorized", 0),
    ],
)
@pytest.mark.parametrize("waiting", ["processing", "requires_action"])
async def test_what_waits_ends_as_it_is_told(
    payments: StripePayments,
    remote: SandboxRemote,
    waiting: str,
    ending: str,
    status: str,
    code: str | None,
    received: int,
) -> None:
    customer = await shopper(payments)
    await remote.script(customer.id, [waiting])
    open_attempt = await payments.charge(customer.attempt())
    assert open_attempt.status == waiting
    finish = remote.settle if waiting == "processing" else remote.authenticate
    await finish(open_attempt.intent, ending)
    ended = await payments.read(open_attempt.intent)
    assert (ended.status, ended.failure_code) == (status, code)
    assert ended.received == Money(received, USD)
    assert await payments.charge(customer.attempt()) == ended
    with pytest.raises(Corrupt, match="payment_intent_unexpected_state"):
        await finish(open_attempt.intent)


async def test_a_bank_debit_takes_its_time(payments: StripePayments) -> None:
    customer = await shopper(payments, "pm_usBankAccount_processing")
    assert (await payments.charge(customer.attempt())).status == "processing"


async def cancelled(
    payments: StripePayments, remote: SandboxRemote, outcome: str
) -> tuple[PaymentOutcome, PaymentOutcome]:
    """The attempt before and after it was given up."""
    customer = await shopper(payments)
    await remote.script(customer.id, [outcome])
    attempt = await payments.charge(customer.attempt())
    return attempt, await payments.cancel(attempt.intent)


async def test_what_waits_for_the_customer_can_be_given_up(
    payments: StripePayments, remote: SandboxRemote
) -> None:
    before, after = await cancelled(payments, remote, "requires_action")
    assert (after.status, after.failure_code) == ("failed", "canceled")
    with pytest.raises(Corrupt):
        await remote.authenticate(before.intent)


async def test_what_the_bank_works_on_cannot_be_given_up(
    payments: StripePayments, remote: SandboxRemote
) -> None:
    before, after = await cancelled(payments, remote, "processing")
    assert after == before


async def test_money_that_has_not_arrived_cannot_be_refunded(
    payments: StripePayments, remote: SandboxRemote
) -> None:
    customer = await shopper(payments)
    await remote.script(customer.id, ["processing"])
    attempt = await payments.charge(customer.attempt())
    with pytest.raises(BillingError, match="status of processing"):
        await payments.refund(attempt.intent, Money(1, USD), idempotency_key="too-early")


@pytest.mark.parametrize(
    ("outcomes", "says"),
    [
        ([], "from 1 to 1000 entries"),
        (["paid"], "outcomes.0"),
        (["succeeded", "declined"], "outcomes.1"),
        (["declined:"], "declined:CODE"),
        (["declined:Not a code"], "declined:CODE"),
    ],
)
async def test_a_script_nobody_understands_is_refused(
    remote: SandboxRemote, outcomes: list[str], says: str
) -> None:
    with pytest.raises(Corrupt, match=says):
        await remote.script("acme", outcomes)


@pytest.mark.parametrize(
    ("fault", "details"),
    [
        ("explode", {}),
        ("refuse", {}),
        ("refuse", {"status": 200}),
        ("delay", {"milliseconds": -1}),
        ("drop_response", {"times": 0}),
        ("drop_response", {"path": "/elsewhere"}),
        ("hold", {"until": "tomorrow"}),
    ],
)
async def test_a_fault_nobody_understands_is_refused(
    remote: SandboxRemote, fault: str, details: dict[str, object]
) -> None:
    with pytest.raises(Corrupt, match="detail"):
        await remote.order_fault(fault, **details)


async def test_strings_of_things_that_are_not_there(remote: SandboxRemote) -> None:
    with pytest.raises(Corrupt, match="No such payment_intent"):
        await remote.settle("pi_nothing")
