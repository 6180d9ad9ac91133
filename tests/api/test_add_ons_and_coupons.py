"""Recurring add-ons and coupons of living subscriptions over HTTP, led by a real worker."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from providers.payments.sandbox.remote import SandboxRemote
from tests.api.test_lives import FEBRUARY, Shop

SUPPORT = {"key": "support", "price": {"model": "flat", "amount": "31.00"}}
MIDDLE = "2026-01-16T12:00:00Z"  # of January, to the second


@pytest.fixture
async def shop(client: httpx.AsyncClient, sandbox: SandboxRemote, worker: None) -> Shop:
    shop = Shop(client)
    await shop.open()
    return shop


def added(key: str, since: str, quantity: str = "1") -> dict[str, object]:
    price = SUPPORT["price"]
    return {
        "key": key,
        "since": since,
        "charged": "in_advance",
        "quantity": quantity,
        "price": price,
    }


async def test_an_add_on_is_shown_billed_and_explained(shop: Shop) -> None:
    await shop.subscribe()
    await shop.advance(MIDDLE)
    preview = await shop.post("subscriptions/s1/add-ons", {**SUPPORT, "preview": True})
    assert preview["add_ons"] == [added("support", MIDDLE)]
    assert (await shop.get("subscriptions/s1"))["add_ons"] == []
    await shop.post("subscriptions/s1/add-ons", SUPPORT)
    await shop.post("subscriptions/s1/set-quantity", {"item": "support", "quantity": "2"})
    assert (await shop.get("subscriptions/s1"))["add_ons"] == [added("support", MIDDLE, "2")]
    upcoming = await shop.get("subscriptions/s1/upcoming-invoice")
    await shop.advance(FEBRUARY)
    invoice = (await shop.listed("invoices"))[-1]
    told = [(line["item"], line["kind"], line["amount"]) for line in invoice["lines"]]
    assert told == [
        ("base", "recurring", "20.00"),
        ("support", "recurring", "31.00"),
        ("support", "proration", "15.50"),
    ]
    assert (upcoming["total"], invoice["total"]) == ("66.50", "66.50")
    part = await shop.get(f"invoices/{invoice['number']}/lines/3/explain")
    assert (part["agrees"], part["share"]["fraction"], part["rated"]) == (True, "1/2", "31")
    assert part["item_as_sold"]["price"] == SUPPORT["price"]


async def test_what_a_removed_add_on_gives_back_is_explained(shop: Shop) -> None:
    await shop.subscribe()
    await shop.advance(FEBRUARY, due="before")
    await shop.post("subscriptions/s1/add-ons", SUPPORT)
    await shop.advance("2026-02-15T00:00:00Z")
    left = await shop.post("subscriptions/s1/remove-add-on", {"key": "support"})
    assert left["add_ons"] == []
    await shop.advance("2026-03-01T00:00:00Z")
    invoice = (await shop.listed("invoices"))[-1]
    told = [(line["quantity"], line["amount"]) for line in invoice["lines"]]
    assert told == [("1", "20.00"), ("-1", "-15.50")]
    back = await shop.get(f"invoices/{invoice['number']}/lines/2/explain")
    assert (back["agrees"], back["share"]["fraction"]) == (True, "-1/2")
    assert back["item_as_sold"]["key"] == "support"


async def test_an_add_on_that_comes_with_a_period_is_explained(shop: Shop) -> None:
    await shop.subscribe()
    await shop.post("subscriptions/s1/add-ons", {**SUPPORT, "effective": "period_end"})
    await shop.advance(FEBRUARY)
    invoice = (await shop.listed("invoices"))[-1]
    line = await shop.get(f"invoices/{invoice['number']}/lines/2/explain")
    assert (line["item"], line["agrees"], line["item_as_sold"]["key"]) == (
        "support",
        True,
        "support",
    )


@pytest.mark.parametrize(("body", "path"), [
    ({"key": "support"}, "amount"),
    ({**SUPPORT, "amount": "5"}, "amount"),
    ({"key": "support", "price": {"model": "flat"}}, "price.amount"),
    ({"key": "support", "price": {"model": "percentage", "rate": "5"}}, "price.model"),
    ({**SUPPORT, "quantity": "-1"}, "quantity"),
])  # fmt: skip
async def test_an_add_on_with_a_fault(shop: Shop, body: dict[str, object], path: str) -> None:
    await shop.subscribe()
    refused = await shop.post("subscriptions/s1/add-ons", body, status=422)
    assert [fault["path"] for fault in refused["errors"]] == [path]


async def test_coupons_come_and_go(shop: Shop) -> None:
    half = {"key": "half", "percent_off": "50", "duration": "forever"}
    id = (await shop.post("coupons", half))["id"]
    await shop.subscribe()
    preview = await shop.post("subscriptions/s1/add-coupon", {"coupon": id, "preview": True})
    assert [each["coupon"] for each in preview["coupons"]] == ["half"]
    await shop.post("subscriptions/s1/add-coupon", {"coupon": "half"})
    await shop.advance(FEBRUARY)
    await shop.post("subscriptions/s1/remove-coupon", {"coupon": id})
    await shop.advance("2026-03-01T00:00:00Z")
    assert [each["total"] for each in await shop.listed("invoices")] == ["20.00", "10.00", "20.00"]


async def test_a_coupon_shows_its_limits(shop: Shop) -> None:
    limits = {
        "max_redemptions": 3,
        "max_redemptions_per_customer": 1,
        "redeem_by": FEBRUARY,
        "expires_at": FEBRUARY,
    }
    made = await shop.post("coupons", {"key": "few", "percent_off": "50", **limits})
    assert {name: made[name] for name in limits} == limits


async def test_who_is_refused_leaves_nothing_behind(shop: Shop) -> None:
    await shop.post("coupons", {"key": "one", "percent_off": "50", "max_redemptions": 1})
    await shop.subscribe(coupons=["one"])
    wanted = {"key": "s2", "customer": "acme", "plan": "pro", "coupons": ["one"]}
    for preview in (True, False):
        refused = await shop.post("subscriptions", {**wanted, "preview": preview}, status=409)
        assert refused["detail"] == "the coupon one has been redeemed once: it is used up"
    assert [each["key"] for each in await shop.listed("subscriptions")] == ["s1"]
    await shop.subscribe(key="s2")
    await shop.post("subscriptions/s2/add-coupon", {"coupon": "one"}, status=409)
    assert (await shop.get("subscriptions/s2"))["coupons"] == []


async def test_a_repeat_redeems_once(shop: Shop) -> None:
    await shop.post("coupons", {"key": "two", "percent_off": "50", "max_redemptions": 2})
    body = {"key": "s1", "customer": "acme", "plan": "pro", "coupons": ["two"]}
    for _ in range(3):
        answer = await shop.client.post(
            "/v1/subscriptions", json=body, headers={"Idempotency-Key": "again"}
        )
        assert answer.status_code == 201
    await shop.subscribe(key="s2", coupons=["two"])
    await shop.post("subscriptions", {**body, "key": "s3"}, status=409)


async def test_races_never_exceed_a_limit(shop: Shop) -> None:
    """Of eight that ask for it at once, at the beginning and later, exactly three get a coupon for three."""
    few = {"key": "few", "percent_off": "50", "duration": "forever", "max_redemptions": 3}
    await shop.post("coupons", few)
    for number in range(3):
        await shop.subscribe(key=f"living-{number}")

    async def subscribe(number: int) -> httpx.Response:
        body = {"key": f"s{number}", "customer": "acme", "plan": "pro", "coupons": ["few"]}
        return await shop.client.post("/v1/subscriptions", json=body)

    async def add(number: int) -> httpx.Response:
        path = f"/v1/subscriptions/living-{number}/add-coupon"
        return await shop.client.post(path, json={"coupon": "few"})

    asked: list[Any] = [subscribe(number) for number in range(5)]
    asked += [add(number) for number in range(3)]
    answers = await asyncio.gather(*asked)
    found = Counter(answer.status_code // 100 for answer in answers)
    assert found == {2: 3, 4: 5}
    having = [each for each in await shop.listed("subscriptions") if each["coupons"]]
    assert len(having) == 3


async def test_races_of_subscribes_grant_exactly_what_there_is(shop: Shop) -> None:
    few = {"key": "few", "percent_off": "50", "duration": "forever", "max_redemptions": 3}
    await shop.post("coupons", few)

    async def subscribe(number: int) -> int:
        body = {"key": f"s{number}", "customer": "acme", "plan": "pro", "coupons": ["few"]}
        return (await shop.client.post("/v1/subscriptions", json=body)).status_code

    answers = await asyncio.gather(*(subscribe(number) for number in range(8)))
    assert Counter(answers) == {201: 3, 409: 5}
    assert len(await shop.listed("subscriptions")) == 3
