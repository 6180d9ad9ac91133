"""Alerts over HTTP: made, read, taken away, and refused with the path of what is wrong."""

from collections.abc import Mapping

import httpx
import pytest

from activities.watching import watch
from db.allowance_upkeep import due_allowances
from db.entitling import refresh
from db.session import Database
from db.tenants import Environment
from db.usage_horizon import wait_for_horizon
from tests.api.conftest import Desk

ALERTS = "/v1/alerts"
BUDGET = {"key": "budget", "type": "spend", "currency": "USD", "thresholds": ["50", "80.00"]}


@pytest.fixture
async def acme(client: httpx.AsyncClient) -> httpx.AsyncClient:
    meter = {"key": "tokens", "event_name": "llm", "aggregation": "count"}
    for path, body in (("customers", {"key": "acme"}), ("meters", meter)):
        assert (await client.post(f"/v1/{path}", json=body)).status_code == 201
    return client


async def test_an_alert_is_made_found_and_taken_away(acme: httpx.AsyncClient) -> None:
    made = await acme.post(ALERTS, json={**BUDGET, "customer": "acme"})
    assert made.status_code == 201, made.text
    shown = made.json()
    assert shown["thresholds"] == ["50.00", "80.00"]
    assert (shown["customer"], shown["currency"], shown["meter"]) == ("acme", "USD", None)
    everyone = (await acme.post(ALERTS, json={"type": "usage", "meter": "tokens", "threshold": 5})).json()  # fmt: skip
    assert everyone["key"] == everyone["id"]
    assert (await acme.get(ALERTS)).json()["data"] == [shown, everyone]
    assert (await acme.get(f"{ALERTS}?customer=acme")).json()["data"] == [shown]
    assert (await acme.get(f"{ALERTS}/budget")).json() == shown
    assert (await acme.post(ALERTS, json=BUDGET)).status_code == 409
    assert (await acme.delete(f"{ALERTS}/budget")).json() == shown
    assert (await acme.get(f"{ALERTS}/budget")).status_code == 404
    assert (await acme.delete(f"{ALERTS}/budget")).status_code == 404
    assert (await acme.post(ALERTS, json=BUDGET)).status_code == 201


async def test_what_it_told_is_read(
    acme: httpx.AsyncClient, database: Database, environment: Environment
) -> None:
    low = {"key": "low", "type": "balance", "customer": "acme", "currency": "USD", "threshold": "5"}
    assert (await acme.post(ALERTS, json=low)).status_code == 201
    await watch(database, environment.id)
    grant = {"customer": "acme", "amount": "10", "currency": "USD", "kind": "prepaid"}
    await acme.post("/v1/credit-grants", json=grant)
    await watch(database, environment.id)
    told = (await acme.get(f"{ALERTS}/low/events")).json()["data"]
    assert [(each["status"], each["threshold"], each["value"]) for each in told] == [
        ("triggered", "5.00", "0"),
        ("recovered", "5.00", "10"),
    ]
    assert (await acme.get(f"{ALERTS}/low/events?customer=nobody")).status_code == 404


async def test_an_override_alone_is_watched_and_a_changed_one_is_told_at_once(
    acme: httpx.AsyncClient, database: Database, environment: Environment
) -> None:
    async def told() -> list[tuple[str, str]]:
        await wait_for_horizon(database)
        await refresh(database, environment.id, await due_allowances(database, environment.id, 100))
        await watch(database, environment.id)
        events = (await acme.get(f"{ALERTS}/calls/events?customer=acme")).json()["data"]
        return [(each["status"], each["value"]) for each in events]

    given = "/v1/customers/acme/entitlements"
    feature = {"key": "calls", "type": "metered", "meter": "tokens"}
    override = {"feature": "calls", "limit": "4", "reason": "promised in the pilot"}
    await acme.post("/v1/features", json=feature)
    alert = {"key": "calls", "type": "limit", "feature": "calls", "percent": "75"}
    assert (await acme.post(ALERTS, json=alert)).status_code == 201
    assert (await acme.post(given, json=override)).status_code == 200
    events = [{"id": f"e{n}", "event_name": "llm", "customer": "acme"} for n in range(3)]
    assert (await acme.post("/v1/events", json=events)).json()["accepted"] == 3
    await told()  # which opens the alert
    assert await told() == [("triggered", "75")]
    await acme.post(given, json={**override, "limit": "6"})
    assert await told() == [("triggered", "75"), ("recovered", "50")]
    await acme.post(given, json={**override, "limit": "3"})
    assert (await told())[2:] == [("triggered", "100")]
    await acme.delete(f"{given}/calls")
    assert (await told())[3:] == [("recovered", "0")]
    assert (await acme.get("/v1/customers/acme/balance")).json().get("wallets", []) == []


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"customer": "nobody"}, "customer"),
        ({"currency": None}, "currency"),
        ({"currency": "XXZ"}, "currency"),
        ({"thresholds": ["5", "5.0"]}, "thresholds.1"),
        ({"thresholds": ["-5"]}, "thresholds.0"),
        ({"thresholds": ["0.001"]}, "thresholds"),
        ({"thresholds": [1.5]}, "thresholds.0"),
        ({"type": "usage", "currency": None, "meter": "nothing"}, "meter"),
        ({"type": "limit", "currency": None, "feature": "nothing"}, "feature"),
        ({"tpye": "spend"}, "tpye"),
    ],
)
async def test_a_wrong_alert_is_refused_with_the_path(
    acme: httpx.AsyncClient, wrong: Mapping[str, object], path: str
) -> None:
    response = await acme.post(ALERTS, json={**BUDGET, **wrong})
    assert [fault["path"] for fault in response.json()["errors"]] == [path]
    assert (await acme.get(ALERTS)).json()["data"] == []


async def test_who_only_reads_makes_none(
    acme: httpx.AsyncClient, desk: Desk, environment: Environment
) -> None:
    async with desk.client(await desk.key(environment, "read")) as reader:
        assert (await reader.get(ALERTS)).status_code == 200
        assert (await reader.post(ALERTS, json=BUDGET)).status_code == 403
    await acme.post(ALERTS, json=BUDGET)
    async with desk.stranger() as stranger:
        assert (await stranger.get(f"{ALERTS}/budget")).status_code == 404
