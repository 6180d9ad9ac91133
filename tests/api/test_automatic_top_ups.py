"""Automatic top-ups over HTTP, and one that is really bought."""

from collections.abc import Mapping

import httpx
import pytest
from fastapi import FastAPI

from activities.relaying import RelaySteps
from activities.watching import watch
from db.tenants import Environment
from tests.api.conftest import Desk

RULES = "/v1/customers/acme/automatic-top-ups"
RULE = {"currency": "USD", "threshold": "10", "target": "50.00", "monthly_cap": "200"}


@pytest.fixture
async def acme(client: httpx.AsyncClient) -> httpx.AsyncClient:
    assert (await client.post("/v1/customers", json={"key": "acme"})).status_code == 201
    return client


async def test_a_rule_is_made_found_and_taken_away(acme: httpx.AsyncClient) -> None:
    made = await acme.post(RULES, json=RULE)
    assert made.status_code == 201, made.text
    shown = made.json()
    assert (shown["target"], shown["amount"], shown["cool_down"]) == ("50.00", None, 3_600)
    assert (await acme.get(RULES)).json() == {"data": [shown]}
    assert (await acme.get(f"{RULES}/USD")).json() == shown
    assert (await acme.post(RULES, json=RULE)).status_code == 409
    other = {"currency": "EUR", "threshold": "1", "amount": "5"}
    assert (await acme.post(RULES, json=other)).json()["amount"] == "5.00"
    assert (await acme.delete(f"{RULES}/{shown['id']}")).json() == shown
    assert (await acme.get(f"{RULES}/USD")).status_code == 404
    assert (await acme.get(f"{RULES}/EUR/attempts")).json() == {"data": [], "next": None}


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"threshold": "-1"}, "threshold"),
        ({"target": "10.00"}, "target"),
        ({"target": None, "amount": "300"}, "monthly_cap"),
        ({"amount": "5"}, "amount"),
        ({"target": "50.001"}, "target"),
        ({"currency": "XXZ"}, "currency"),
        ({"currency": None}, "currency"),
        ({"cool_down": 1}, "cool_down"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_wrong_rule_is_refused_with_the_path(
    acme: httpx.AsyncClient, wrong: Mapping[str, object], path: str
) -> None:
    response = await acme.post(RULES, json={**RULE, **wrong})
    assert [fault["path"] for fault in response.json()["errors"]] == [path]
    assert (await acme.get(RULES)).json() == {"data": []}
    assert (await acme.get("/v1/customers/acme/wallets")).json()["data"] == []


async def test_who_only_reads_makes_none(
    acme: httpx.AsyncClient, desk: Desk, environment: Environment
) -> None:
    async with desk.client(await desk.key(environment, "read")) as reader:
        assert (await reader.get(RULES)).status_code == 200
        assert (await reader.post(RULES, json=RULE)).status_code == 403
    assert (await acme.post("/v1/customers/nobody/automatic-top-ups", json=RULE)).status_code == 404


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("card", "status", "code", "available"),
    [
        ("pm_card_visa", "paid", None, "50"),
        ("pm_card_chargeCustomerFail", "declined", "generic_decline", "0"),
    ],
)
async def test_credit_is_bought_by_itself(
    acme: httpx.AsyncClient,
    app: FastAPI,
    environment: Environment,
    card: str,
    status: str,
    code: str | None,
    available: str,
) -> None:
    """At a provider that takes the money, or says why it does not."""
    lives, database = app.state.connections.lives, app.state.connections.database
    attached = {"payment_method": card}
    assert (await acme.post("/v1/customers/acme/payment-methods", json=attached)).is_success
    assert (await acme.post(RULES, json=RULE)).status_code == 201
    await watch(database, environment.id)
    await RelaySteps(database, lives).relay_environment(environment.id, 10)
    await watch(database, environment.id)
    last = (await acme.get(f"{RULES}/USD")).json()["last_attempt"]
    assert (last["status"], last["amount"], last["failure_code"]) == (status, "50.00", code)
    (wallet,) = (await acme.get("/v1/customers/acme/wallets")).json()["data"]
    assert wallet["available"] == available
    assert (await acme.get(f"{RULES}/USD/attempts")).json()["data"] == [last]
    invoice = (await acme.get(f"/v1/invoices/{last['invoice']}")).json()
    assert invoice["status"] == ("paid" if code is None else "void")
