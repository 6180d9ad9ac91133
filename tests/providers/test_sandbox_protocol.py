"""The sandbox on the wire: idempotency, parameters, lists and errors as Stripe has them, seen by Stripe's client."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
import stripe

from domain.errors import Unavailable
from providers.payments.sandbox.app import create_sandbox
from providers.payments.sandbox.remote import SandboxRemote
from providers.payments.sandbox.serve import serving
from providers.payments.stripe import StripePayments
from tests.providers.attempts import SANDBOX_KEY, intents_of, raw_client, shopper

DAY = 24 * 60 * 60


def form(address: str, path: str, fields: Mapping[str, str], **headers: str) -> httpx.Response:
    """A plain call, as a shell would make it."""
    return httpx.post(
        f"{address}/v1/{path}",
        data=dict(fields),
        headers={"Authorization": f"Bearer {SANDBOX_KEY}", **headers},
        verify=False,
    )


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def test_a_key_gives_the_same_answer_again(sandbox: str) -> None:
    first = form(sandbox, "customers", {"name": "Acme", "email": "a@b.c"}, **keyed("again"))
    second = form(sandbox, "customers", {"email": "a@b.c", "name": "Acme"}, **keyed("again"))
    assert second.json() == first.json()
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["original-request"] == first.headers["request-id"]
    assert second.headers["request-id"] != first.headers["request-id"]


def test_without_a_key_there_are_two(sandbox: str) -> None:
    first, second = (form(sandbox, "customers", {"name": "Acme"}) for _ in range(2))
    assert first.json()["id"] != second.json()["id"]


@pytest.mark.parametrize(
    ("path", "fields"),
    [("customers", {"name": "Other"}), ("refunds", {"name": "Acme"})],
    ids=["other parameters", "another endpoint"],
)
def test_a_key_belongs_to_one_request(sandbox: str, path: str, fields: dict[str, str]) -> None:
    form(sandbox, "customers", {"name": "Acme"}, **keyed(f"one {path}"))
    clash = form(sandbox, path, fields, **keyed(f"one {path}"))
    assert (clash.status_code, clash.json()["error"]["type"]) == (400, "idempotency_error")


def test_a_refused_parameter_keeps_nothing(sandbox: str) -> None:
    refused = form(sandbox, "customers", {"nam": "Acme"}, **keyed("typo"))
    assert refused.json()["error"]["code"] == "parameter_unknown"
    assert form(sandbox, "customers", {"name": "Acme"}, **keyed("typo")).status_code == 200


async def test_a_decline_is_kept(sandbox: str, payments: StripePayments) -> None:
    customer = await shopper(payments, "pm_card_chargeCustomerFail")
    intents = raw_client(sandbox).v1.payment_intents
    answers = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            await intents.create_async(
                {
                    "amount": 100,
                    "currency": "usd",
                    "customer": customer.id,
                    "payment_method": "pm_card_chargeCustomerFail",
                    "confirm": True,
                },
                {"idempotency_key": f"decline:{customer.key}"},
            )
        answers.append(declined.value)
    assert answers[0].json_body == answers[1].json_body
    assert (answers[0].http_status, answers[0].code) == (402, "card_declined")
    assert len(await intents_of(sandbox, customer.id)) == 1


def test_a_key_may_be_no_longer_than_stripes(sandbox: str) -> None:
    assert form(sandbox, "customers", {}, **keyed("k" * 255)).status_code == 200
    assert form(sandbox, "customers", {}, **keyed("k" * 256)).status_code == 400


async def test_a_key_is_forgotten_after_a_day() -> None:
    now = [1_000_000]
    async with serving(create_sandbox(clock=lambda: now[0])) as address:
        customers = raw_client(address).v1.customers

        async def create() -> str:
            return (await customers.create_async({}, {"idempotency_key": "daily"})).id

        first = await create()
        now[0] += DAY - 1
        assert await create() == first
        now[0] += 1
        assert await create() != first


@pytest.mark.parametrize("key", ["x", "sk_live_1", "pk_test_1"])
def test_only_a_test_key_opens_the_door(sandbox: str, key: str) -> None:
    response = httpx.get(f"{sandbox}/v1/events", headers={"Authorization": f"Bearer {key}"})
    assert response.status_code == 401
    assert "Invalid API Key" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"currency": "usd"}, "amount", None),
        ({"amount": "0", "currency": "usd"}, "amount", None),
        ({"amount": "12.5", "currency": "usd"}, "amount", "parameter_invalid_integer"),
        ({"amount": "1"}, "currency", "parameter_missing"),
        ({"amount": "1", "currency": "USD"}, "currency", None),
        ({"amount": "1", "currency": "usd", "customer": "cus_x"}, "customer", "resource_missing"),
        ({"amount": "1", "currency": "usd", "confirm": "yes"}, "confirm", None),
        ({"amount": "1", "currency": "usd", "off_session": "true"}, "off_session", None),
        ({"amount": "1", "currency": "usd", "tip": "1"}, "tip", "parameter_unknown"),
        ({"amount": "1", "currency": "usd", "metadata": "x"}, "metadata", None),
        ({"amount": "1", "currency": "usd", "metadata[a]": "x" * 501}, "metadata[a]", None),
        ({"amount": "1", "currency": "usd", "a[b": "1"}, "a[b", None),
        ({"amount[x]": "1", "currency": "usd"}, "amount", None),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(
    sandbox: str, fields: dict[str, str], param: str, code: str | None
) -> None:
    response = form(sandbox, "payment_intents", fields)
    error = response.json()["error"]
    assert 400 <= response.status_code < 500
    assert (error["type"], error["param"], error.get("code")) == (
        "invalid_request_error",
        param,
        code,
    )


@pytest.mark.parametrize("path", ["charges", "customers/cus_1/sources", "", "customers/"])
def test_what_is_not_there_is_not_pretended(sandbox: str, path: str) -> None:
    response = form(sandbox, path, {})
    assert response.status_code == 404
    assert response.json()["error"]["type"] == "invalid_request_error"


async def test_lists_have_pages(sandbox: str, payments: StripePayments) -> None:
    customer = await shopper(payments)
    made = [(await payments.charge(customer.attempt(n))).intent for n in range(5)]
    intents = raw_client(sandbox).v1.payment_intents
    page = await intents.list_async({"customer": customer.id, "limit": 2})
    assert [intent.id for intent in page.data] == made[:2:-1]
    assert page.has_more
    assert [intent.id async for intent in page.auto_paging_iter()] == made[::-1]
    late = await intents.list_async(
        {"customer": customer.id, "created": {"gte": page.data[0].created + 1000}}
    )
    assert late.data == []


async def test_an_intent_can_be_made_now_and_confirmed_later(
    sandbox: str, payments: StripePayments
) -> None:
    customer = await shopper(payments)
    intents = raw_client(sandbox).v1.payment_intents
    intent = await intents.create_async({"amount": 100, "currency": "usd", "customer": customer.id})
    assert intent.status == "requires_payment_method"
    with pytest.raises(stripe.InvalidRequestError, match="status of requires_payment_method"):
        await intents.confirm_async(intent.id)
    intent = await intents.confirm_async(
        intent.id, {"payment_method": "pm_card_authenticationRequired"}
    )
    assert intent.status == "requires_action"


async def test_a_method_is_one_customers(sandbox: str, payments: StripePayments) -> None:
    owner, other = await shopper(payments), await shopper(payments)
    client = raw_client(sandbox).v1
    method = (await client.customers.retrieve_async(owner.id)).invoice_settings
    assert method is not None
    name = str(method.default_payment_method)
    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        await client.payment_methods.attach_async(name, {"customer": other.id})
    with pytest.raises(stripe.InvalidRequestError, match="does not belong"):
        await client.payment_intents.create_async(
            {
                "amount": 100,
                "currency": "usd",
                "customer": other.id,
                "payment_method": name,
                "confirm": True,
            }
        )


async def test_the_journal_outlives_the_sandbox(tmp_path: Path) -> None:
    journal = tmp_path / "data" / "sandbox.jsonl"
    async with (
        serving(create_sandbox(journal=journal)) as address,
        StripePayments(SANDBOX_KEY, address=address) as payments,
        SandboxRemote(address) as remote,
    ):
        customer = await shopper(payments)
        await remote.script(customer.id, ["declined:lost_card", "succeeded"])
        declined = await payments.charge(customer.attempt(1))
    journal.write_text(journal.read_text() + '["payment_intents", "pi_torn", {"id": "pi_t')
    async with (
        serving(create_sandbox(journal=journal)) as address,
        StripePayments(SANDBOX_KEY, address=address) as payments,
    ):
        assert await payments.charge(customer.attempt(1)) == declined
        paid = await payments.charge(customer.attempt(2))
        assert paid.status == "succeeded"
        assert {intent.id for intent in await intents_of(address, customer.id)} == {
            declined.intent,
            paid.intent,
        }


async def test_a_port_that_is_taken_is_said_in_one_line(sandbox: str) -> None:
    port = int(sandbox.rpartition(":")[2])
    with pytest.raises(Unavailable, match=f"cannot have port {port}"):
        async with serving(create_sandbox(), port):
            pass


async def test_a_slow_provider_is_only_slow(
    sandbox: str, payments: StripePayments, remote: SandboxRemote
) -> None:
    customer = await shopper(payments)
    for when in ("before", "after"):
        await remote.order_fault("delay", milliseconds=1, when=when, path="/v1/payment_intents")
    outcomes = await asyncio.gather(*(payments.charge(customer.attempt(n)) for n in (1, 2)))
    assert [outcome.status for outcome in outcomes] == ["succeeded", "succeeded"]
