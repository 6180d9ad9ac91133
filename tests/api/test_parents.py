"""Customers that belong to another, over HTTP: who may, who pays, and whose usage is pooled."""

from collections.abc import Mapping

import httpx
import pytest

from providers.payments.sandbox.remote import SandboxRemote
from tests.api.asking import Asking

JANUARY, MID, FEBRUARY = "2026-01-01T00:00:00Z", "2026-01-15T00:00:00Z", "2026-02-01T00:00:00Z"
PRO = {
    "key": "pro",
    "name": "Pro",
    "currency": "USD",
    "interval": {"unit": "month"},
    "items": [{"key": "base", "kind": "recurring", "price": {"model": "flat", "amount": "20.00"}}],
}


@pytest.fixture
def asking(client: httpx.AsyncClient) -> Asking:
    return Asking(client)


@pytest.fixture
async def family(asking: Asking) -> Asking:
    for customer in ({"key": "group"}, {"key": "north", "parent": "group"}, {"key": "alone"}):
        await asking.post("customers", customer)
    return asking


@pytest.fixture
async def clock(asking: Asking, sandbox: SandboxRemote, worker: None) -> str:
    """A family on a test clock, whose parent can pay."""
    made = (await asking.post("test-clocks", {"name": "a test", "now": JANUARY}))["id"]
    await asking.post("plans", PRO)
    for customer in (
        {"key": "group"},
        {"key": "north", "parent": "group", "billing": "parent"},
        {"key": "south", "parent": "group"},
    ):
        await asking.post("customers", {**customer, "test_clock": made})
    await asking.post("customers/group/payment-methods", {"payment_method": "pm_card_visa"})
    return str(made)


async def test_a_child_shows_its_parent_and_a_parent_lists_its_children(family: Asking) -> None:
    north = await family.get("customers/north")
    assert (north["parent"], north["billing"]) == ("group", "self")
    assert (await family.get("customers/group"))["parent"] is None
    children = (await family.get("customers", parent="group"))["data"]
    assert [child["key"] for child in children] == ["north"]


async def test_who_a_customer_belongs_to_can_change(family: Asking) -> None:
    changed = await family.patch("customers/alone", {"parent": "group", "billing": "parent"})
    assert (changed["parent"], changed["billing"]) == ("group", "parent")
    changed = await family.patch("customers/alone", {"billing": "self"})
    assert (changed["parent"], changed["billing"]) == ("group", "self")
    changed = await family.patch("customers/alone", {"parent": None, "name": "Alone"})
    assert (changed["parent"], changed["billing"], changed["name"]) == (None, "self", "Alone")
    again = await family.patch("customers/alone", {"parent": "group"})
    assert again["parent"] == "group"


@pytest.mark.parametrize(
    ("customer", "change", "status", "reason"),
    [
        ("group", {"parent": "group"}, 409, "group cannot be its own parent"),
        ("alone", {"parent": "north"}, 409, "north has a parent itself"),
        ("group", {"parent": "alone"}, 409, "group has children itself"),
        ("alone", {"parent": "nobody"}, 422, "parent: there is no customer nobody"),
        ("alone", {"billing": "parent"}, 422, "billing: there is no parent to pay"),
    ],
)
async def test_what_cannot_be_is_refused(
    family: Asking, customer: str, change: Mapping[str, object], status: int, reason: str
) -> None:
    before = await family.get(f"customers/{customer}")
    refused = await family.client.patch(f"/v1/customers/{customer}", json=change)
    assert (refused.status_code, refused.json()["detail"]) == (status, reason)
    assert await family.get(f"customers/{customer}") == before
    new = await family.client.post("/v1/customers", json={"key": "new", "parent": "north"})
    assert new.status_code == 409
    assert (await family.client.get("/v1/customers/new")).status_code == 404
    assert await family.refused("customers", {"key": "new", "billing": "uncle"}) == ["billing"]


async def test_a_family_lives_on_one_clock(asking: Asking, clock: str) -> None:
    refused = await asking.client.post("/v1/customers", json={"key": "real", "parent": "group"})
    assert refused.json()["detail"] == "real and group do not live on the same test clock"


async def test_a_parent_finds_and_pays_the_invoices_of_its_children(
    asking: Asking, clock: str
) -> None:
    preview = await asking.post(
        "subscriptions", {"key": "n1", "customer": "north", "plan": "pro", "preview": True}
    )
    assert (preview["payer"], preview["issued"]["invoices"][0]["customer"]) == ("group", "group")
    made = await asking.post("subscriptions", {"key": "n1", "customer": "north", "plan": "pro"})
    assert (made["customer"], made["payer"]) == ("north", "group")
    (invoice,) = (await asking.get("invoices", customer="group"))["data"]
    assert (invoice["subscription"], invoice["customer"]) == ("n1", "group")
    assert (await asking.get("invoices", customer="north"))["data"] == []
    upcoming = await asking.get("subscriptions/n1/upcoming-invoice")
    assert (upcoming["customer"], upcoming["lines"][0]["description"]) == (
        "group",
        "Pro: base (north)",
    )
    await asking.post(f"test-clocks/{clock}/advance", {"to": MID})
    (paid,) = (await asking.get("payments", customer="group"))["data"]
    assert (paid["status"], paid["amount"]) == ("succeeded", "20.00")


async def test_who_pays_for_a_living_subscription_stays(asking: Asking, clock: str) -> None:
    await asking.post("subscriptions", {"key": "n1", "customer": "north", "plan": "pro"})
    await asking.post("subscriptions", {"key": "s1", "customer": "south", "plan": "pro"})
    for customer, change in (
        ("north", {"billing": "self"}),
        ("north", {"parent": None}),
        ("south", {"billing": "parent"}),
    ):
        refused = await asking.client.patch(f"/v1/customers/{customer}", json=change)
        assert refused.status_code == 409, refused.text
        assert "it would change who pays for" in refused.json()["detail"]
    assert (await asking.patch("customers/south", {"parent": None}))["parent"] is None
    await asking.post("subscriptions/n1/cancel", {"effective": "immediately", "unused": "none"})
    assert (await asking.patch("customers/north", {"parent": None}))["parent"] is None
    again = await asking.post("subscriptions", {"key": "n2", "customer": "north", "plan": "pro"})
    assert again["payer"] is None


async def test_a_transfer_to_a_child_is_billed_to_its_parent(asking: Asking, clock: str) -> None:
    await asking.post("subscriptions", {"key": "s1", "customer": "south", "plan": "pro"})
    await asking.post("subscriptions/s1/transfer", {"customer": "north", "key": "n1"})
    moved = await asking.get("subscriptions/n1")
    assert (moved["customer"], moved["payer"]) == ("north", "group")
