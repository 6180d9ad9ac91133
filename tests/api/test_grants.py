"""Grants over HTTP: what plans and top-ups bring, what cannot be taken back, and which line was paid by which."""

from typing import Any

import httpx
import pytest

from providers.payments.sandbox.remote import SandboxRemote
from tests.api.bad_input import send, shop
from tests.api.test_balances import made, on_a_clock
from tests.api.test_lives import FEBRUARY, JANUARY, MONTHLY, Shop

__all__ = ["shop"]

MONTH = {"unit": "month"}


@pytest.mark.parametrize(
    ("member", "value", "path"),
    [
        ("credits", '[{"key": "c", "amount": "5", "rollover": {"maximum": "1", "minimum": "2"}}]', "credits.0.rollover.maximum"),
        ("credits", '[{"key": "c", "amount": "5", "every_period": false, "rollover": {}}]', "credits.0.rollover"),
        ("credits", '[{"key": "c", "amount": "5", "rollover": {"maximum": 1.5}}]', "credits.0.rollover.maximum"),
        ("credits", '[{"key": "c", "amount": "5", "rollover": {"maximum": "99999999999999999999"}}]', "credits.0.rollover.maximum"),
        ("credits", '[{"key": "c", "amount": "5", "on_plan_change": "drop"}]', "credits.0.on_plan_change"),
        ("top_up_bonuses", '[{"from": "5", "percent": "100.5"}]', "top_up_bonuses.0.percent"),
        ("top_up_bonuses", '[{"from": "5", "percent": "5"}, {"from": "5.0", "amount": "1"}]', "top_up_bonuses.1.from"),
        ("top_up_bonuses", '[{"from": "5", "amount": "1", "expires_after": {"unit": "day", "count": -1}}]', "top_up_bonuses.0.expires_after.count"),
    ],
)  # fmt: skip
async def test_what_a_plan_cannot_give_is_refused_by_its_path(
    shop: httpx.AsyncClient, member: str, value: str, path: str
) -> None:
    body = (
        f'{{"key": "p", "currency": "USD", "interval": {{"unit": "month"}}, "{member}": {value}}}'
    )
    refused = await send(shop, "plans", body)
    assert refused.status_code == 422
    assert [fault["path"] for fault in refused.json()["errors"]] == [path]


async def test_what_is_worth_nothing_is_not_voided(client: httpx.AsyncClient) -> None:
    advance = await on_a_clock(client)
    grant = {"customer": "acme", "kind": "prepaid", "currency": "USD", "amount": "5"}
    await made(client, "credit-grants", {**grant, "key": "g1", "effective_at": "2026-01-20T00:00:00Z"})  # fmt: skip
    voided = await made(client, "credit-grants/g1/void")
    assert (voided["remaining"], voided["ended_at"]) == ("0.00", JANUARY)
    await made(client, advance, {"to": "2026-01-02T00:00:00Z"})
    assert await made(client, "credit-grants/g1/void") == voided
    trace = (await client.get("/v1/credit-grants/g1/movements")).json()["data"]
    assert [(each["type"], each["remaining"]) for each in trace] == [("grant", "5.00"), ("void", "0.00")]  # fmt: skip
    assert (await client.get("/v1/credit-grants/g2/movements")).status_code == 404


async def test_what_a_grant_paid_is_told_by_the_grant_and_by_the_invoice(
    client: httpx.AsyncClient, sandbox: SandboxRemote, worker: None
) -> None:
    seller = Shop(client)
    await seller.open()
    await seller.post("customers/acme/payment-methods", {"payment_method": "pm_card_visa"})
    flat = {"kind": "recurring", "charged": "in_arrears"}
    of = [("a", "6.00"), ("b", "3.00"), ("c", "1.00")]
    items = [{"key": key, **flat, "price": {"model": "flat", "amount": cost}} for key, cost in of]
    credit = {"key": "monthly", "amount": "4.00", "expires_after": MONTH, "rollover": {}}
    scope = {"items": ["a", "b"]}
    bonus = {"from": "2", "percent": "50", "expires_after": MONTH}
    document = {**MONTHLY, "items": items, "credits": [{**credit, "scope": scope}]}
    await seller.post("plans", {"key": "arrears", **document, "top_up_bonuses": [bonus]})
    await seller.subscribe(plan="arrears")

    asked = {"key": "t1", "amount": "3.00", "currency": "USD"}
    told = await seller.post("customers/acme/top-ups", {**asked, "preview": True}, status=200)
    promised = {"key": "t1:bonus", "amount": "1.50", "currency": "USD", "expires_at": FEBRUARY}
    assert told["bonus"] == {"grant": None, **promised}
    bought = await seller.post("customers/acme/top-ups", asked)
    assert bought["bonus"] == {"grant": bought["bonus"]["grant"], **promised}
    granted = await seller.get("credit-grants/t1:bonus")
    assert (granted["id"], granted["kind"]) == (bought["bonus"]["grant"], "promotional")

    await seller.advance("2026-01-31T00:00:00Z")
    welcome = {"key": "welcome", "customer": "acme", "amount": "0.50", "kind": "promotional"}
    await seller.post("credit-grants", {**welcome, "currency": "USD", "priority": 1})
    await seller.advance(FEBRUARY)
    closing = (await seller.listed("invoices?subscription=s1"))[-1]
    applied = await seller.get(f"invoices/{closing['number']}/credits")
    assert [(each["key"], each["amount"], lines(each)) for each in applied["data"]] == [
        ("welcome", "0.50", {1: "0.30", 2: "0.15", 3: "0.05"}),
        ("monthly", "4.00", {1: "2.67", 2: "1.33"}),
        ("t1:bonus", "1.50", {1: "0.83", 2: "0.41", 3: "0.26"}),
        ("t1", "3.00", {1: "1.65", 2: "0.83", 3: "0.52"}),
    ]
    for each in applied["data"]:
        (*_, last) = await seller.listed(f"credit-grants/{each['grant']}/movements")
        assert (last["type"], last["invoice"], lines(last)) == ("burn", closing["number"], lines(each))  # fmt: skip
    refused = await seller.post("credit-grants/t1/void", status=409)
    assert refused["detail"] == "nothing is left of t1"

    await seller.advance("2026-03-01T00:00:00Z")
    grants = [each for each in await seller.listed("credit-grants") if each["key"] == "monthly"]
    movements = await seller.listed(f"credit-grants/{grants[1]['id']}/movements?limit=1")
    assert [(each["type"], each["remaining"]) for each in movements] == [("grant", "4.00")]
    refused = await seller.post("credit-grants/t1:bonus/void", status=409)
    assert refused["detail"] == "t1:bonus has expired: nothing is left of it"


def lines(paid: dict[str, Any]) -> dict[int, str]:
    return {each["line"]: each["amount"] for each in paid["lines"]}
