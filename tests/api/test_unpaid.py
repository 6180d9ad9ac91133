"""What invoices that are settled by hand do to a subscription, over HTTP."""

import httpx
import pytest
from temporalio.client import Client

from activities.relaying import RelaySteps
from db.session import Database
from db.tenants import Environment
from providers.payments.sandbox.remote import SandboxRemote
from tests.api.test_lives import JANUARY, Shop, plan
from workflows.handles import RunningLives

GATED = plan("gated", "20.00", activation="first_payment")
STRICT = plan(
    "strict",
    "20.00",
    on_past_due="suspend",
    on_uncollectible="pause",
    entitlements=[{"feature": "sso", "type": "boolean"}],
)


@pytest.fixture
async def shop(client: httpx.AsyncClient, sandbox: SandboxRemote, worker: None) -> Shop:
    """Its customer's payments are declined."""
    shop = Shop(client)
    await shop.open()
    customer = await shop.get("customers/acme")
    await sandbox.script(customer["id"], ["declined:insufficient_funds"])
    await shop.post("customers/acme/payment-methods", {"payment_method": "pm_card_visa"})
    await shop.post("features", {"key": "sso", "type": "boolean"})
    await shop.post("plans", GATED)
    await shop.post("plans", STRICT)
    return shop


async def test_a_first_invoice_that_is_settled_by_hand_decides_on_its_subscription(
    shop: Shop,
) -> None:
    for key in ("s1", "s2", "s3", "s4"):
        begun = await shop.subscribe(key=key, plan="gated")
        assert (begun["status"], begun["past_due"]) == ("incomplete", [])
        assert begun["awaits_payment"] == f"invoice:{begun['id']}:{JANUARY}"
    await shop.advance(JANUARY)
    one, two, three, four = [invoice["number"] for invoice in await shop.listed("invoices")]
    assert (await shop.get(f"invoices/{begun['awaits_payment']}"))["number"] == four
    assert (await shop.post(f"invoices/{one}/mark-paid"))["status"] == "paid"
    assert (await shop.post(f"invoices/{two}/void"))["status"] == "void"
    assert (await shop.post(f"invoices/{three}/mark-uncollectible"))["status"] == "void"
    refused = await shop.post("subscriptions/s4/pause", {}, status=409)
    assert refused["detail"] == "s4 is incomplete: its first invoice is to be paid before"
    left = await shop.post("subscriptions/s4/cancel", {"effective": "immediately"})
    assert (left["status"], left["awaits_payment"]) == ("cancelled", None)
    assert (await shop.get(f"invoices/{four}"))["status"] == "void"
    statuses = [each["status"] for each in await shop.listed("subscriptions")]
    assert statuses == ["active", "cancelled", "cancelled", "cancelled"]
    assert await shop.listed("subscriptions?status=incomplete") == []
    entries = await shop.listed("subscriptions/s1/timeline")
    assert [(each["what"], each["actor"]) for each in entries] == [
        ("started", "key:a test"),
        ("note_payment", "weir"),
    ]


async def test_what_is_past_due_is_not_entitled_to_until_it_is_settled(shop: Shop) -> None:
    await shop.subscribe(plan="strict")
    check = {"customer": "acme", "feature": "sso"}
    assert (await shop.post("entitlements/check", check))["allowed"] is True
    await shop.advance(JANUARY)
    suspended = await shop.post("entitlements/check", check)
    assert (suspended["allowed"], suspended["reason"]) == (False, "past_due")
    (invoice,) = await shop.listed("invoices")
    living = await shop.get("subscriptions/s1")
    assert living["past_due"] == [f"invoice:{living['id']}:{JANUARY}"]
    await shop.post(f"invoices/{invoice['number']}/mark-uncollectible")
    assert (await shop.get("subscriptions/s1"))["status"] == "paused"
    await shop.post(f"invoices/{invoice['number']}/mark-paid")
    living = await shop.get("subscriptions/s1")
    assert (living["status"], living["past_due"]) == ("active", [])
    assert (await shop.post("entitlements/check", check))["allowed"] is True


async def test_a_plan_with_a_policy_that_there_is_not_is_refused(shop: Shop) -> None:
    wrong = plan("wrong", "1", activation="later", on_past_due="stop", on_uncollectible="suspend")
    refused = await shop.post("plans", wrong, status=422)
    assert {each["path"] for each in refused["errors"]} == {
        "activation",
        "on_past_due",
        "on_uncollectible",
    }


async def test_in_real_time_the_relay_tells_of_the_first_payment(
    shop: Shop,
    sandbox: SandboxRemote,
    database: Database,
    environment: Environment,
    temporal: Client,
    task_queue: str,
) -> None:
    await shop.post("customers", {"key": "beta"})
    await shop.post("customers/beta/payment-methods", {"payment_method": "pm_card_visa"})
    begun = await shop.subscribe(key="s9", customer="beta", plan="gated")
    (invoice,) = await shop.listed("invoices?customer=beta")
    await temporal.get_workflow_handle(f"collect:{invoice['id']}").result()
    relay = RelaySteps(database, RunningLives(temporal, task_queue))
    await relay.relay_environment(environment.id, grace_seconds=60)
    assert begun["status"] == "incomplete"
    assert (await shop.get("subscriptions/s9"))["status"] == "active"


async def test_a_payment_that_waits_for_a_customer_who_left_is_given_up_at_the_provider(
    shop: Shop, sandbox: SandboxRemote, temporal: Client
) -> None:
    customer = await shop.get("customers/acme")
    await sandbox.script(customer["id"], ["requires_action"])
    await shop.subscribe(plan="gated")
    await shop.advance(JANUARY)
    await shop.post("subscriptions/s1/cancel", {"effective": "immediately"})
    (invoice,) = await shop.listed("invoices")
    ended = await temporal.get_workflow_handle(f"collect:{invoice['id']}").result()
    assert (invoice["status"], ended["status"]) == ("void", "void")
    (payment,) = await shop.listed("payments")
    assert (payment["status"], payment["failure_code"]) == ("failed", "canceled")
