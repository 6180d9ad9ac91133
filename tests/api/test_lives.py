"""Subscriptions, their money and their test clocks over HTTP, led by a real worker."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from providers.payments.sandbox.remote import SandboxRemote
from tests.api.conftest import Work

JANUARY, FEBRUARY = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
MONTHLY = {"interval": {"unit": "month"}, "currency": "USD"}


def plan(key: str, amount: str, **more: object) -> Mapping[str, object]:
    price = {"model": "flat", "amount": amount}
    base = {"key": "base", "kind": "recurring", "price": price}
    per_seat = {"model": "per_unit", "unit_amount": "10"}
    seats = {"key": "seats", "kind": "recurring", "quantity": "0", "price": per_seat}
    return {"key": key, **MONTHLY, "items": [base, seats], **more}


class Shop:
    """A seller with two plans, a customer on a test clock, and the client that asks for things."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.clock = ""

    async def open(self) -> None:
        clock = await self.post("test-clocks", {"name": "a test", "now": JANUARY})
        self.clock = clock["id"]
        await self.post("plans", plan("pro", "20.00"))
        await self.post("plans", plan("scale", "50.00"))
        await self.post("customers", {"key": "acme", "test_clock": self.clock})

    async def post(self, path: str, body: object = None, status: int | None = None) -> Any:
        response = await self.client.post(f"/v1/{path}", json=body)
        assert response.status_code == status or (status is None and response.is_success), (
            response.text
        )
        return response.json()

    async def get(self, path: str) -> Any:
        response = await self.client.get(f"/v1/{path}")
        assert response.is_success, response.text
        return response.json()

    async def listed(self, path: str) -> Any:
        return (await self.get(path))["data"]

    async def subscribe(self, **more: object) -> Any:
        return await self.post(
            "subscriptions", {"key": "s1", "customer": "acme", "plan": "pro", **more}
        )

    async def advance(self, to: str, due: str = "through") -> Any:
        return await self.post(f"test-clocks/{self.clock}/advance", {"to": to, "due": due})


@pytest.fixture
async def shop(client: httpx.AsyncClient, sandbox: SandboxRemote, worker: None) -> Shop:
    shop = Shop(client)
    await shop.open()
    await shop.post("customers/acme/payment-methods", {"payment_method": "pm_card_visa"})
    return shop


async def test_a_subscription_lives_month_by_month(shop: Shop) -> None:
    subscribed = await shop.subscribe(quantities={"seats": "2"})
    assert (subscribed["status"], subscribed["request_status"]) == ("active", "done")
    assert subscribed["current_period"] == [JANUARY, FEBRUARY]
    clock = await shop.advance("2026-02-15T00:00:00Z")
    assert (clock["status"], clock["now"]) == ("ready", "2026-02-15T00:00:00Z")
    first, second = await shop.listed("invoices?subscription=s1&status=paid")
    assert (first["number"], first["issued_at"], first["total"]) == ("INV-000001", JANUARY, "40.00")
    assert (second["issued_at"], second["amount_paid"]) == (FEBRUARY, "40.00")
    assert (await shop.get(f"invoices/{second['number']}")) == second
    assert (await shop.get(f"invoices/{second['id']}")) == second
    payments = await shop.listed("payments?customer=acme")
    assert [(p["at"], p["status"], p["invoice"]) for p in payments] == [
        (JANUARY, "succeeded", first["number"]),
        (FEBRUARY, "succeeded", second["number"]),
    ]
    whats = [entry["what"] for entry in await shop.listed("subscriptions/s1/timeline")]
    assert whats == ["started", "period_ended"]


async def test_what_is_asked_of_a_subscription_is_done_and_told(shop: Shop) -> None:
    await shop.subscribe()
    await shop.advance("2026-01-11T00:00:00Z")
    changed = await shop.post(
        "subscriptions/s1/change-plan", {"plan": "scale", "reason": "they grew"}
    )
    assert (changed["plan"], changed["request_status"]) == ("scale", "done")
    assert [invoice["subtotal"] for invoice in changed["issued"]["invoices"]] == ["20.32"]
    quantity = await shop.post("subscriptions/s1/set-quantity", {"item": "seats", "quantity": 3})
    assert quantity["quantities"] == {"seats": "3"}
    cancelled = await shop.post("subscriptions/s1/cancel", {"effective": "immediately"})
    assert (cancelled["status"], cancelled["current_period"]) == ("cancelled", None)
    assert [note["total"] for note in cancelled["issued"]["credit_notes"]] != []
    entries = await shop.listed("subscriptions/s1/timeline")
    assert [entry["what"] for entry in entries] == [
        "started",
        "change_plan",
        "set_quantity",
        "cancel",
    ]
    assert entries[1]["request"] == {
        "plan": "scale",
        "version": 1,
        "effective": "immediately",
        "action": "change_plan",
    }
    assert (entries[1]["actor"], entries[1]["reason"]) == ("key:a test", "they grew")
    notes = await shop.listed("credit-notes?customer=acme")
    assert notes == cancelled["issued"]["credit_notes"]
    assert (await shop.get(f"credit-notes/{notes[0]['number']}")) == notes[0]


async def test_what_the_rules_forbid_is_refused_with_the_reason(shop: Shop) -> None:
    await shop.subscribe()
    refused = await shop.post("subscriptions/s1/resume", {}, status=409)
    assert (refused["title"], refused["detail"]) == ("Conflict", "s1 is not paused")
    unknown = await shop.post(
        "subscriptions/s1/set-quantity", {"item": "desks", "quantity": "1"}, status=422
    )
    assert unknown["errors"] == [{"path": "item", "message": "pro has no recurring item desks"}]
    await shop.post("subscriptions/s1/cancel", {"effective": "immediately"})
    over = await shop.post("subscriptions/s1/pause", {}, status=409)
    assert over["detail"] == "s1 is cancelled"
    taken = await shop.post(
        "subscriptions", {"key": "s1", "customer": "acme", "plan": "pro"}, status=409
    )
    assert taken["detail"] == "there is a subscription s1 already"


async def test_a_preview_answers_what_would_be_issued_and_does_nothing(shop: Shop) -> None:
    wanted = {"customer": "acme", "plan": "pro", "preview": True}
    begun = await shop.post("subscriptions", wanted)
    assert (begun["preview"], begun["status"], begun["request"]) == (True, "active", None)
    assert [invoice["total"] for invoice in begun["issued"]["invoices"]] == ["20.00"]
    assert await shop.listed("subscriptions") == []
    await shop.subscribe()
    await shop.advance("2026-01-11T00:00:00Z")
    change = {"plan": "scale", "preview": True}
    changed = await shop.post("subscriptions/s1/change-plan", change)
    assert [i["subtotal"] for i in changed["issued"]["invoices"]] == ["20.32"]
    assert (await shop.get("subscriptions/s1"))["plan"] == "pro"
    done = await shop.post("subscriptions/s1/change-plan", {**change, "preview": False})
    lines = [invoice["lines"] for invoice in changed["issued"]["invoices"]]
    assert [invoice["lines"] for invoice in done["issued"]["invoices"]] == lines
    refused = await shop.post("subscriptions/s1/resume", {"preview": True}, status=409)
    assert refused["detail"] == "s1 is not paused"


async def test_the_upcoming_invoice_is_the_one_that_comes(shop: Shop) -> None:
    await shop.subscribe()
    await shop.advance("2026-01-11T00:00:00Z")
    await shop.post("subscriptions/s1/add-ons", {"key": "setup", "amount": "7"})
    upcoming = await shop.get("subscriptions/s1/upcoming-invoice")
    await shop.advance(FEBRUARY)
    issued = (await shop.listed("invoices"))[1]
    of_both = ("lines", "total", "issued_at", "amount_due")
    assert {name: upcoming[name] for name in of_both} == {name: issued[name] for name in of_both}
    assert (upcoming["number"], upcoming["total"]) == (None, "27.00")


async def test_a_repeated_request_is_done_once(shop: Shop) -> None:
    named = {"Idempotency-Key": "once"}
    body = {"key": "s1", "customer": "acme", "plan": "pro"}
    first = await shop.client.post("/v1/subscriptions", json=body, headers=named)
    again = await shop.client.post("/v1/subscriptions", json=body, headers=named)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert len(await shop.listed("invoices")) == 1


async def test_a_top_up_is_paid_then_granted_and_a_decline_grants_nothing(
    shop: Shop, sandbox: SandboxRemote
) -> None:
    customer = await shop.get("customers/acme")
    await sandbox.script(customer["id"], ["succeeded", "declined:insufficient_funds"])
    top_up = {"key": "t1", "amount": "50.00", "currency": "USD"}
    paid = await shop.post("customers/acme/top-ups", top_up)
    assert (paid["status"], paid["grant"]["remaining"]) == ("paid", "50.00")
    declined = await shop.post("customers/acme/top-ups", {"key": "t2", "amount": "5.00"})
    assert (declined["status"], declined["grant"]) == ("void", None)
    assert (paid["failure_code"], declined["failure_code"]) == (None, "insufficient_funds")
    taken = await shop.post("customers/acme/top-ups", top_up, status=409)
    assert taken["detail"] == "there is a grant t1 already"
    balance = await shop.get("customers/acme/balance")
    assert balance == {
        "at": JANUARY,
        "customer": "acme",
        "currency": "USD",
        "promotional": "0.00",
        "prepaid": "50.00",
        "credit_notes": "0.00",
        "grants": {"t1": "50.00"},
        "units": {},
        "known_at": None,
    }


async def test_grants_begin_burn_and_end(shop: Shop) -> None:
    grant = {
        "key": "g1",
        "customer": "acme",
        "amount": "30.00",
        "currency": "USD",
        "kind": "prepaid",
        "expires_at": "2026-01-20T00:00:00Z",
    }
    given = await shop.post("credit-grants", grant)
    assert (given["remaining"], given["granted_at"]) == ("30.00", JANUARY)
    assert (await shop.post("credit-grants", grant, status=409))["detail"].startswith("there is")
    subscribed = await shop.subscribe()
    assert (await shop.listed("invoices"))[0]["prepaid_credits"] == "20.00"
    assert (await shop.get("customers/acme/balance"))["prepaid"] == "10.00"
    before = await shop.get(f"customers/acme/balance?at={JANUARY.replace('01-01', '01-20')}")
    assert before["prepaid"] == "10.00"
    await shop.advance("2026-01-25T00:00:00Z")
    assert (await shop.get("customers/acme/balance"))["prepaid"] == "0.00"
    assert (await shop.get("credit-grants/g1"))["ended_at"] == "2026-01-20T00:00:00Z"
    ledger = await shop.listed("customers/acme/ledger")
    assert [(entry["type"], entry["amount"]) for entry in ledger] == [
        ("grant", "30.00"),
        ("burn", "20.00"),
        ("expire", "10.00"),
    ]
    assert subscribed["currency"] == "USD"


async def test_a_grant_is_voided_once(shop: Shop) -> None:
    grant = {"customer": "acme", "amount": "5", "currency": "USD", "kind": "promotional"}
    given = await shop.post("credit-grants", grant)
    voided = await shop.post(f"credit-grants/{given['id']}/void")
    again = await shop.post(f"credit-grants/{given['id']}/void")
    assert (voided["remaining"], voided["ended_at"]) == ("0.00", JANUARY)
    assert again == voided
    assert [e["type"] for e in await shop.listed("customers/acme/ledger")] == ["grant", "void"]


async def test_a_declined_invoice_is_paid_with_a_new_method(
    shop: Shop, sandbox: SandboxRemote
) -> None:
    customer = await shop.get("customers/acme")
    await sandbox.script(customer["id"], ["declined:stolen_card", "succeeded"])
    await shop.subscribe()
    await shop.advance(JANUARY)
    assert (await shop.listed("invoices"))[0]["status"] == "past_due"
    method = {"payment_method": "pm_card_mastercard"}
    paid = await shop.post("customers/acme/payment-methods", method)
    assert [invoice["status"] for invoice in paid["invoices"]] == ["paid"]
    assert (await shop.get("customers/acme"))["payment_method"] == paid["payment_method"]


async def test_a_check_counts_what_was_used_in_the_period(shop: Shop) -> None:
    meter = {"key": "tokens", "event_name": "tokens", "aggregation": "sum", "value": "units"}
    await shop.post("meters", meter)
    await shop.post("features", {"key": "tokens", "type": "metered", "meter": "tokens"})
    await shop.post("features", {"key": "sso", "type": "boolean"})
    limit = {"feature": "tokens", "type": "metered", "limit": "100"}
    await shop.post("plans", plan("limited", "1", entitlements=[limit]))
    await shop.subscribe(plan="limited")
    event = {
        "id": "e1",
        "event_name": "tokens",
        "customer": "acme",
        "time": JANUARY,
        "properties": {"units": "90"},
    }
    await shop.post("events", event)
    allowed = await shop.post(
        "entitlements/check", {"customer": "acme", "feature": "tokens", "quantity": "10"}
    )
    refused = await shop.post(
        "entitlements/check", {"customer": "acme", "feature": "tokens", "quantity": "11"}
    )
    sso = await shop.post("entitlements/check", {"customer": "acme", "feature": "sso"})
    assert allowed == {
        "allowed": True,
        "limit": "100",
        "used": "90",
        "remaining": "10",
        "resets_at": FEBRUARY,
        "reason": None,
    }
    assert (refused["allowed"], refused["reason"]) == (False, "limit_reached")
    assert (sso["allowed"], sso["reason"]) == (False, "not_entitled")
    assert [
        (e["feature"], e["allowed"]) for e in await shop.listed("customers/acme/entitlements")
    ] == [
        ("tokens", True),
        ("sso", False),
    ]


async def test_a_clock_goes_forward_only(shop: Shop) -> None:
    await shop.advance(FEBRUARY, "before")
    response = await shop.client.post(f"/v1/test-clocks/{shop.clock}/advance", json={"to": JANUARY})
    assert response.json()["errors"][0]["path"] == "to"


async def test_an_invoice_is_settled_by_hand(shop: Shop, sandbox: SandboxRemote) -> None:
    customer = await shop.get("customers/acme")
    await sandbox.script(customer["id"], ["declined:insufficient_funds"])
    for key in ("s1", "s2", "s3"):
        await shop.subscribe(key=key)
    await shop.advance(JANUARY)
    one, two, three = [invoice["number"] for invoice in await shop.listed("invoices")]
    assert (await shop.post(f"invoices/{one}/void"))["status"] == "void"
    assert (await shop.post(f"invoices/{two}/mark-paid"))["status"] == "paid"
    assert (await shop.post(f"invoices/{three}/mark-uncollectible"))["status"] == "uncollectible"
    again = await shop.post(f"invoices/{one}/void")
    assert (again["status"], again["amount_paid"]) == ("void", "0.00")
    refused = await shop.post(f"invoices/{one}/mark-paid", status=409)
    assert refused["detail"] == f"{one} is void"
    assert (await shop.post(f"invoices/{two}/pay", status=409))["detail"] == f"{two} is paid"
    await sandbox.script(customer["id"], ["succeeded"])
    paid = await shop.post(f"invoices/{three}/pay")
    assert [invoice["status"] for invoice in paid["invoices"]] == ["paid"]
    await shop.advance("2026-01-31T00:00:00Z")
    attempts = await shop.listed("payments")
    assert [attempt["status"] for attempt in attempts] == ["failed"] * 3 + ["succeeded"]


async def test_an_invoice_that_credits_have_paid_is_not_voided(
    shop: Shop, sandbox: SandboxRemote
) -> None:
    customer = await shop.get("customers/acme")
    await sandbox.script(customer["id"], ["declined:insufficient_funds"])
    credit = {"customer": "acme", "amount": "5", "currency": "USD", "kind": "prepaid"}
    await shop.post("credit-grants", credit)
    await shop.subscribe()
    await shop.advance(JANUARY)
    refused = await shop.post("invoices/INV-000001/void", status=409)
    assert refused["detail"] == "credits have paid of INV-000001: it cannot be voided"


async def test_what_nobody_can_do_yet_is_written_down_and_done_later(
    app: FastAPI, client: httpx.AsyncClient, work: Work
) -> None:
    app.state.connections = replace(app.state.connections, patience=0.5)
    shop = Shop(client)
    await shop.open()
    named, body = {"Idempotency-Key": "k1"}, {"key": "s1", "customer": "acme", "plan": "pro"}
    asked = await client.post("/v1/subscriptions", json=body, headers=named)
    assert (asked.status_code, asked.headers["retry-after"]) == (202, "1")
    assert (asked.json()["request_status"], asked.json()["status"]) == ("asked", "scheduled")
    paid = await client.post("/v1/customers/acme/pay", json={})
    assert (paid.status_code, paid.json()["status"]) == (202, "asked")
    app.state.connections = replace(app.state.connections, patience=20)
    async with work():
        done = await client.post("/v1/subscriptions", json=body, headers=named)
    assert (done.status_code, done.json()["status"]) == (201, "active")
    assert done.json()["request"] == asked.json()["request"]
