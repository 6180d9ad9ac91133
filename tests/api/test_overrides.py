"""Prices of one subscription's own, over HTTP, led by a real worker; and versions of plans that are named."""

from typing import Any

import httpx
import pytest

from providers.payments.sandbox.remote import SandboxRemote
from tests.api.test_lives import FEBRUARY, MONTHLY, Shop, plan

MEASURED = {"key": "tokens", "event_name": "llm", "aggregation": "sum", "value": "tokens"}
PER_TOKEN = {"model": "per_unit", "unit_amount": "0.01"}
TOKENS = {"key": "tokens", "kind": "usage", "meter": "tokens", "price": PER_TOKEN}
CHEAPER = {"items": {"base": {"price": {"amount": 15}}}}
AS_TOLD = {"items": {"base": {"price": {"amount": "15"}}}}
MIDDLE = "2026-01-16T12:00:00Z"  # of January, to the second


@pytest.fixture
async def shop(client: httpx.AsyncClient, sandbox: SandboxRemote, worker: None) -> Shop:
    shop = Shop(client)
    await shop.open()
    return shop


def totals(answered: Any) -> list[str]:
    return [invoice["total"] for invoice in answered["issued"]["invoices"]]


async def test_a_subscription_has_prices_of_its_own(shop: Shop) -> None:
    wanted = {"customer": "acme", "plan": "pro", "overrides": CHEAPER}
    preview = await shop.post("subscriptions", {**wanted, "preview": True})
    assert (totals(preview), preview["overrides"]) == (["15.00"], AS_TOLD)
    await shop.post("subscriptions", {**wanted, "key": "s1"})
    shown = await shop.get("subscriptions/s1")
    assert (shown["plan"], shown["plan_version"], shown["based_on_version"]) == ("pro", 2, 1)
    assert shown["overrides"] == AS_TOLD
    assert [each["overrides"] for each in await shop.listed("subscriptions")] == [AS_TOLD]
    other = await shop.post("subscriptions", {"customer": "acme", "plan": "pro"})
    assert (other["plan_version"], other["overrides"]) == (1, None)
    assert [each["total"] for each in await shop.listed("invoices")] == ["15.00", "20.00"]


async def test_an_own_version_is_not_for_sale(shop: Shop) -> None:
    subscribed = await shop.subscribe(overrides=CHEAPER)
    assert (await shop.get("plans/pro"))["version"] == 1
    assert [each["version"] for each in await shop.listed("plans/pro/versions")] == [1]
    assert {each["key"]: each["version"] for each in await shop.listed("plans")}["pro"] == 1
    own = await shop.get("plans/pro?version=2")
    assert (own["subscription"], own["based_on_version"]) == (subscribed["id"], 1)
    assert (own["overrides"], own["items"][0]["price"]["amount"]) == (AS_TOLD, "15")
    wanted = {"customer": "acme", "plan": "pro", "version": 2}
    refused = await shop.post("subscriptions", wanted, status=409)
    assert refused["detail"] == "version 2 of pro is the own one of a subscription"
    newer = await shop.client.patch("/v1/plans/pro", json={"name": "Pro!"})
    assert newer.json()["version"] == 3
    assert [each["version"] for each in await shop.listed("plans/pro/versions")] == [1, 3]


async def test_overrides_are_changed_and_taken_away(shop: Shop) -> None:
    await shop.subscribe()
    await shop.advance(MIDDLE)
    asked = {"overrides": CHEAPER, "reason": "a loyal customer"}
    preview = await shop.post("subscriptions/s1/overrides", {**asked, "preview": True})
    changed = await shop.post("subscriptions/s1/overrides", asked)
    # Half a month of 20.00 back, half a month of 15.00 charged.
    assert totals(preview) == totals(changed) == ["-2.50"]
    assert preview["overrides"] == changed["overrides"] == AS_TOLD
    dearer = {"overrides": {"minimum_commitment": "100"}, "effective": "period_end"}
    later = await shop.post("subscriptions/s1/overrides", dearer)
    assert (later["overrides"], later["next_plan"], later["next_plan_version"]) == (AS_TOLD, "pro", 3)  # fmt: skip
    await shop.advance(FEBRUARY)
    assert (await shop.get("subscriptions/s1"))["overrides"] == {"minimum_commitment": "100"}
    taken = await shop.post("subscriptions/s1/overrides", {"overrides": None})
    assert (taken["overrides"], taken["plan_version"], taken["based_on_version"]) == (None, 1, 1)
    again = await shop.post("subscriptions/s1/overrides", {"overrides": None}, status=409)
    assert again["detail"] == "s1 is on pro already"
    entry = (await shop.listed("subscriptions/s1/timeline"))[1]
    assert (entry["what"], entry["reason"]) == ("change_plan", "a loyal customer")
    assert entry["request"] == {
        "action": "change_plan",
        "plan": "pro",
        "version": 2,
        "effective": "immediately",
    }


async def test_a_change_of_plan_brings_its_own_overrides_or_none(shop: Shop) -> None:
    await shop.subscribe(overrides=CHEAPER)
    to = {"plan": "scale", "overrides": {"items": {"base": {"price": {"amount": "40"}}}}}
    moved = await shop.post("subscriptions/s1/change-plan", to)
    assert (moved["plan"], moved["plan_version"]) == ("scale", 2)
    assert totals(moved) == ["25.00"]  # the whole month: 15.00 back, 40.00 charged
    back = await shop.post("subscriptions/s1/change-plan", {"plan": "pro"})
    assert (back["plan_version"], back["overrides"]) == (1, None)


async def test_a_version_may_be_named(shop: Shop) -> None:
    await shop.client.patch("/v1/plans/pro", json={"items": plan("pro", "30.00")["items"]})
    old = await shop.subscribe(version=1)
    newest = await shop.post("subscriptions", {"customer": "acme", "plan": "pro"})
    assert (old["plan_version"], newest["plan_version"]) == (1, 2)
    assert [each["total"] for each in await shop.listed("invoices")] == ["20.00", "30.00"]
    moved = await shop.post("subscriptions/s1/change-plan", {"plan": "pro", "version": 2})
    assert (moved["plan_version"], totals(moved)) == (2, ["10.00"])
    nowhere = {"plan": "pro", "version": 9}
    refused = await shop.post("subscriptions/s1/change-plan", nowhere, status=404)
    assert refused["detail"] == "there is no plan pro of version 9"


async def test_usage_is_priced_as_the_overrides_say_late_usage_too(shop: Shop) -> None:
    await shop.post("meters", MEASURED)
    await shop.post("plans", {"key": "metered", **MONTHLY, "items": [TOKENS]})
    own = {"items": {"tokens": {"included": "100", "price": {"unit_amount": "0.005"}}}}
    await shop.subscribe(plan="metered", overrides=own)
    await shop.advance("2026-01-02T00:00:00Z")
    await shop.post("events", event("e1", "2026-01-01T12:00:00Z", "1100"))
    await shop.advance(FEBRUARY)
    await shop.post("subscriptions/s1/overrides", {"overrides": None})
    await shop.post("events", event("e2", "2026-01-01T12:00:00Z", "200"))
    await shop.advance("2026-03-01T00:00:00Z")
    lines = [
        (line["kind"], line["amount"])
        for invoice in await shop.listed("invoices")
        for line in invoice["lines"]
    ]
    assert lines == [("usage", "5.00"), ("late_usage", "1.00")]


@pytest.mark.parametrize(
    ("overrides", "path", "message"),
    [
        ({"items": {"desks": {"included": "1"}}}, "items.desks", "pro has no such item"),
        ({"items": {"base": {"price": {"amount": 12.5}}}}, "items.base.price.amount", "the number 12.5 may have lost digits: send it as a string"),
        ({"items": {"base": {"quantity": "2"}}}, "items.base.quantity", "cannot be overridden: only price, included, minimum_commitment, commitment_overage_factor can"),
        ({"items": {"base": {"price": {"model": "graduated", "tiers": [{"up_to": None}, {"up_to": "1"}]}}}}, "items.base.price.tiers.0.up_to", None),
        ({"interval": {"unit": "year"}}, "interval", None),
    ],
)  # fmt: skip
async def test_wrong_overrides_are_refused_with_their_path_and_nothing_is_kept(
    shop: Shop, overrides: object, path: str, message: str | None
) -> None:
    wanted = {"customer": "acme", "plan": "pro", "overrides": overrides}
    refused = await shop.post("subscriptions", wanted, status=422)
    first = refused["errors"][0]
    assert (first["path"], message or first["message"]) == (f"overrides.{path}", first["message"])
    assert await shop.listed("subscriptions") == []
    assert (await shop.client.get("/v1/plans/pro?version=2")).status_code == 404


async def test_a_repeated_request_makes_one_version(shop: Shop) -> None:
    await shop.subscribe()
    named = {"Idempotency-Key": "once"}
    path, body = "/v1/subscriptions/s1/overrides", {"overrides": CHEAPER}
    first = await shop.client.post(path, json=body, headers=named)
    again = await shop.client.post(path, json=body, headers=named)
    assert again.json() == first.json()
    assert (await shop.client.get("/v1/plans/pro?version=3")).status_code == 404


async def test_what_is_refused_leaves_no_version_behind(shop: Shop) -> None:
    await shop.subscribe()
    taken = {"key": "s1", "customer": "acme", "plan": "pro", "overrides": CHEAPER}
    refused = await shop.post("subscriptions", taken, status=409)
    assert refused["detail"] == "there is a subscription s1 already"
    wrong = {**taken, "key": "s2", "quantities": {"desks": "1"}}
    await shop.post("subscriptions", wrong, status=422)
    await shop.post("subscriptions/s1/cancel", {"effective": "immediately"})
    await shop.post("subscriptions/s1/overrides", {"overrides": CHEAPER}, status=409)
    to = {"plan": "pro", "overrides": CHEAPER}
    await shop.post("subscriptions/s1/change-plan", to, status=409)
    assert (await shop.client.get("/v1/plans/pro?version=2")).status_code == 404


def event(id: str, time: str, tokens: str) -> dict[str, object]:
    whose = {"customer": "acme", "event_name": "llm", "properties": {"tokens": tokens}}
    return {"id": id, "time": time, **whose}


async def test_overrides_undo_no_change_that_is_to_come(shop: Shop) -> None:
    await shop.subscribe()
    await shop.post("subscriptions/s1/change-plan", {"plan": "scale", "effective": "period_end"})
    refused = await shop.post("subscriptions/s1/overrides", {"overrides": CHEAPER}, status=409)
    assert "goes to version 1 of scale at the period's end" in refused["detail"]
    assert (await shop.get("subscriptions/s1"))["next_plan"] == "scale"
