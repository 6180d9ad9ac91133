"""What may be asked of a living subscription beyond its plan and quantities, over HTTP, led by a real worker."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db.session import Database
from db.tenants import Environment
from providers.payments.sandbox.remote import SandboxRemote
from tests.api.bad_input import rows
from tests.api.test_lives import FEBRUARY, JANUARY, Shop, plan

MARCH = "2026-03-01T00:00:00Z"
FORTNIGHT = {"unit": "day", "count": 14}


@pytest.fixture
async def shop(client: httpx.AsyncClient, sandbox: SandboxRemote, worker: None) -> Shop:
    shop = Shop(client)
    await shop.open()
    await shop.post("customers/acme/payment-methods", {"payment_method": "pm_card_visa"})
    return shop


async def ask(shop: Shop, path: str, **body: object) -> Any:
    return await shop.post(f"subscriptions/s1/{path}", body)


def totals(told: Mapping[str, Any]) -> list[str]:
    return [invoice["total"] for invoice in told["issued"]["invoices"]]


async def test_what_is_to_come_is_listed_and_withdrawn(shop: Shop) -> None:
    await shop.subscribe()
    await ask(shop, "change-plan", plan="scale", effective="period_end", quantities={"seats": "2"})
    await ask(
        shop, "pause", effective=MARCH, until="2026-03-10T00:00:00Z", id="spring", reason="holidays"
    )
    told = await ask(shop, "cancel", effective="2026-05-05T00:00:00Z", id="end", unused="none")
    assert told["schedule"] == [
        {"id": "next_plan", "at": None, "periods": 1, "reason": None, "change": {
            "action": "change_plan", "plan": "scale", "version": 1, "effective": "period_end", "quantities": {"seats": "2"}}},
        {"id": "spring", "at": MARCH, "periods": None, "reason": "holidays", "change": {
            "action": "pause", "until": "2026-03-10T00:00:00Z"}},
        {"id": "end", "at": "2026-05-05T00:00:00Z", "periods": None, "reason": None, "change": {
            "action": "cancel", "effective": "immediately", "unused": "none"}},
    ]  # fmt: skip
    taken = await shop.post("subscriptions/s1/pause", {"effective": MARCH, "id": "end"}, status=409)
    assert taken["detail"] == "s1 has a change end to come already"
    for change in ("next_plan", "end"):
        told = await ask(shop, "withdraw", change=change)
    assert [planned["id"] for planned in told["schedule"]] == ["spring"]
    gone = await shop.post("subscriptions/s1/withdraw", {"change": "end"}, status=404)
    assert gone["detail"] == "s1 has no change end to come"
    await shop.advance("2026-03-15T00:00:00Z")
    entries = await shop.listed("subscriptions/s1/timeline")
    done = [(entry["at"], entry["what"]) for entry in entries if entry["at"] >= MARCH]
    assert done == [(MARCH, "pause"), (MARCH, "period_ended"), ("2026-03-10T00:00:00Z", "resume")]
    assert {entry["reason"] for entry in entries if entry["at"] >= MARCH} == {"holidays", None}


async def test_the_timeline_tells_who_asked_why_and_what_each_step_came_to(shop: Shop) -> None:
    await shop.subscribe(reason="signed at the fair")
    await shop.advance("2026-01-11T00:00:00Z")
    await ask(shop, "cancel", effective="immediately", reason="too dear")
    begun, ended = await shop.listed("subscriptions/s1/timeline")
    assert (begun["actor"], begun["reason"]) == ("key:a test", "signed at the fair")
    assert (ended["actor"], ended["reason"]) == ("key:a test", "too dear")
    assert (begun["invoiced"], begun["credited"]) == ({"amount": "20.00", "currency": "USD"}, None)
    assert (ended["invoiced"], ended["credited"]) == (None, {"amount": "13.55", "currency": "USD"})


async def test_what_the_rules_refuse_when_its_time_has_come_is_told(shop: Shop) -> None:
    await shop.subscribe()
    await ask(shop, "resume", effective="2026-01-20T00:00:00Z")
    await ask(shop, "set-quantity", item="seats", quantity="3", effective="period_end")
    await ask(shop, "change-plan", plan="scale", effective="period_end")
    await shop.advance(FEBRUARY)
    entries = await shop.listed("subscriptions/s1/timeline")
    refused = [(entry["what"], entry["refused"]) for entry in entries if entry["refused"]]
    assert refused == [("resume", "s1 is not paused")]
    subscription = await shop.get("subscriptions/s1")
    assert (subscription["plan"], subscription["quantities"]) == ("scale", {"seats": "3"})
    assert subscription["schedule"] == []


async def test_a_ramp_of_phases_is_a_schedule(shop: Shop) -> None:
    phases = [
        {"plan": "pro", "periods": 1},
        {"plan": "scale", "quantities": {"seats": "1"}, "periods": 1, "overrides": {
            "items": {"seats": {"price": {"unit_amount": "5"}}}}},
        {"plan": "pro"},
    ]  # fmt: skip
    wanted = {"key": "s1", "customer": "acme", "phases": phases}
    await shop.post("subscriptions", wanted)
    await shop.advance(MARCH)
    assert [invoice["total"] for invoice in await shop.listed("invoices")] == ["20.00", "55.00", "30.00"]  # fmt: skip


@pytest.mark.parametrize(("body", "paths"), [
    ({"plan": "pro", "phases": [{"plan": "pro"}]}, ["plan"]),
    ({}, ["plan"]),
    ({"phases": [{"plan": "pro"}, {"plan": "scale"}]}, ["phases.0.periods"]),
    ({"phases": [{"plan": "pro", "periods": 2}], "ends_at": MARCH}, ["ends_at"]),
    ({"phases": []}, ["phases"]),
    ({"plan": "pro", "starts_at": "1926-01-01T00:00:00Z"}, ["starts_at"]),
])  # fmt: skip
async def test_a_beginning_that_makes_no_sense_is_refused(
    shop: Shop, database: Database, environment: Environment, body: Mapping[str, object], paths: list[str]
) -> None:  # fmt: skip
    before = await rows(database, environment)
    wanted = {"key": "s1", "customer": "acme", **body}
    problem = await shop.post("subscriptions", wanted, status=422)
    assert [error["path"] for error in problem["errors"]] == paths
    assert await rows(database, environment) == before


@pytest.mark.parametrize(("path", "body", "at"), [
    ("cancel", {"effective": "soon"}, "effective"),
    ("cancel", {"effective": "2026-02-30T00:00:00Z"}, "effective"),
    ("cancel", {"effective": JANUARY}, "effective"),
    ("cancel", {"effective": "period_end", "id": "mine"}, "id"),
    ("pause", {"until": JANUARY}, "until"),
    ("pause", {"effective": MARCH, "until": FEBRUARY}, "until"),
    ("set-quantity", {"item": "desks", "quantity": "1", "effective": MARCH}, "item"),
    ("add-ons", {"key": "k"}, "amount"),
    ("add-ons", {"key": "k", "amount": "1", "price": {"model": "flat", "amount": "1"}}, "amount"),
    ("add-ons", {"key": "k", "price": {"model": "flat"}}, "price.amount"),
    ("add-ons", {"key": "k", "price": {"model": "flat", "amount": "1"}, "description": "d"}, "description"),
    ("set-trial-end", {}, "trial_end"),
    ("transfer", {"key": "s2"}, "customer"),
])  # fmt: skip
async def test_a_change_that_is_not_valid_names_what_is_wrong(
    shop: Shop, path: str, body: Mapping[str, object], at: str
) -> None:
    await shop.subscribe()
    problem = await shop.post(f"subscriptions/s1/{path}", body, status=422)
    assert [error["path"] for error in problem["errors"]] == [at]
    assert (await shop.get("subscriptions/s1"))["schedule"] == []


async def test_a_trial_is_given_moved_and_ended(shop: Shop) -> None:
    await shop.post("plans", plan("trial", "9.00", trial=FORTNIGHT))
    told = await shop.subscribe(plan="trial")
    assert (told["status"], told["trial_end"]) == ("trialing", "2026-01-15T00:00:00Z")
    told = await ask(shop, "set-trial-end", trial_end="2026-01-20T00:00:00Z")
    assert told["trial_end"] == "2026-01-20T00:00:00Z"
    told = await ask(shop, "set-trial-end", trial_end=None)
    assert (told["status"], totals(told)) == ("active", ["9.00"])
    none = await shop.post(
        "subscriptions", {"customer": "acme", "plan": "trial", "trial_end": None}
    )
    assert (none["status"], totals(none)) == ("active", [])


async def test_a_trial_that_ends_with_nothing_to_pay_with_waits(shop: Shop) -> None:
    patient = plan("patient", "9.00", trial=FORTNIGHT, trial_without_payment_method="pause")
    made = await shop.post("plans", patient)
    assert made["trial_without_payment_method"] == "pause"
    await shop.post("customers", {"key": "poor", "test_clock": shop.clock})
    await shop.subscribe(customer="poor", plan="patient")
    await shop.advance("2026-01-20T00:00:00Z")
    assert (await shop.get("subscriptions/s1"))["status"] == "paused"
    await shop.post("customers/poor/payment-methods", {"payment_method": "pm_card_visa"})
    told = await ask(shop, "resume")
    assert (told["status"], totals(told)) == ("active", ["7.55"])


async def test_a_transfer_begins_a_life_of_the_other_customer(
    shop: Shop, database: Database, environment: Environment
) -> None:
    await shop.post("customers", {"key": "globex", "test_clock": shop.clock})
    await shop.post("customers", {"key": "elsewhere"})
    await shop.subscribe()
    await shop.advance("2026-01-11T00:00:00Z")
    other = await shop.post(
        "subscriptions/s1/transfer", {"customer": "elsewhere", "key": "s2"}, status=409
    )
    assert other["detail"] == "elsewhere lives by another clock than s1"
    told = await ask(shop, "transfer", customer="globex", key="s2")
    assert (told["status"], [note["total"] for note in told["issued"]["credit_notes"]]) == ("cancelled", ["13.55"])  # fmt: skip
    new = await shop.get("subscriptions/s2")
    assert (told["transferred_to"], new["transferred_from"]) == (new["id"], told["id"])
    here, there = ({"id": each["id"], "key": each["key"], "customer": each["customer"]} for each in (told, new))  # fmt: skip
    async with database.transaction(environment.id) as connection:
        announced = text("SELECT subject, body FROM outbox WHERE topic = 'subscription.transferred' ORDER BY seq")  # fmt: skip
        found = (await connection.execute(announced)).all()
    assert [tuple(row) for row in found] == [
        (here["id"], {"key": "s1", "customer": "acme", "transferred_to": there}),
        (there["id"], {"key": "s2", "customer": "globex", "transferred_from": here}),
    ]
    await shop.advance(FEBRUARY)
    invoices = await shop.listed("invoices?customer=globex")
    assert [(each["subscription"], each["total"]) for each in invoices] == [("s2", "13.55"), ("s2", "20.00")]  # fmt: skip


async def test_the_same_request_twice_is_done_once(shop: Shop) -> None:
    await shop.subscribe()
    headers = {"Idempotency-Key": "once"}
    body = {"effective": MARCH}
    first, again = [
        await shop.client.post("/v1/subscriptions/s1/cancel", json=body, headers=headers)
        for _ in range(2)
    ]
    assert first.json() == again.json()
    assert len((await shop.get("subscriptions/s1"))["schedule"]) == 1


async def test_two_that_race_are_carried_out_one_after_the_other(shop: Shop) -> None:
    """Both ask for the plan that the other one leaves: whoever comes second sees the first."""
    await shop.subscribe()
    await shop.advance("2026-01-11T00:00:00Z")
    answers = await asyncio.gather(
        *(
            shop.client.post("/v1/subscriptions/s1/change-plan", json={"plan": "scale"})
            for _ in range(2)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    (refused,) = [answer.json() for answer in answers if answer.status_code == 409]
    assert refused["detail"] == "s1 is on scale already"
    assert len(await shop.listed("invoices")) == 2
