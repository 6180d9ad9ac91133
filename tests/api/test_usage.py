"""What a customer has used, over HTTP: the same numbers whether the pump has run or not."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pytest

from api import usage
from db.session import Database
from db.tenants import Environment
from db.usage_horizon import wait_for_horizon
from db.usage_pump import pump_once

USAGE = "/v1/customers/acme/usage"
TOKENS = {
    "key": "tokens",
    "event_name": "llm",
    "aggregation": "sum",
    "value": "tokens",
    "group_by": ["model", "region"],
    "rounding": {"mode": "up", "scale": 0},
}
PEAK = {"key": "peak", "event_name": "llm", "aggregation": "max", "value": "tokens"}
MODELS = {"key": "models", "event_name": "llm", "aggregation": "unique_count", "value": "model"}
JANUARY = {"from": "2026-01-01T05:00:00Z", "to": "2026-02-01T05:00:00Z"}

SENT: Sequence[tuple[str, Mapping[str, str]]] = (
    ("2026-01-01T04:59:59Z", {"tokens": "1000", "model": "large"}),
    ("2026-01-01T05:00:00Z", {"tokens": "1.25", "model": "large", "region": "eu"}),
    ("2026-01-02T12:30:00Z", {"tokens": "2", "model": "large", "region": "us"}),
    ("2026-01-02T12:45:00Z", {"tokens": "4", "model": "small"}),
    ("2026-01-31T23:00:00Z", {"tokens": "-0.5", "model": "small"}),
    ("2026-02-01T05:00:00Z", {"tokens": "2000", "model": "large"}),
)


@pytest.fixture(params=["at the end of the log", "rolled up"])
async def acme(
    request: pytest.FixtureRequest,
    client: httpx.AsyncClient,
    database: Database,
    environment: Environment,
) -> httpx.AsyncClient:
    """A client of an environment where acme, of New York, has used something."""
    await client.post("/v1/customers", json={"key": "acme", "timezone": "America/New_York"})
    for meter in (TOKENS, PEAK, MODELS):
        assert (await client.post("/v1/meters", json=meter)).status_code == 201
    events = [
        {"id": str(n), "event_name": "llm", "customer": "acme", "time": time, "properties": used}
        for n, (time, used) in enumerate(SENT)
    ]
    assert (await client.post("/v1/events", json=events)).json()["accepted"] == len(SENT)
    if request.param == "rolled up":
        await wait_for_horizon(database)
        await pump_once(database, environment.id)
    return client


async def ask(client: httpx.AsyncClient, **query: str) -> list[dict[str, Any]]:
    response = await client.get(USAGE, params=query)
    assert response.status_code == 200, response.text
    data: list[dict[str, Any]] = response.json()["data"]
    return data


async def test_each_meter_has_its_quantity(acme: httpx.AsyncClient) -> None:
    used = await ask(acme, **JANUARY)
    assert {entry["meter"]: entry["quantity"] for entry in used} == {
        "tokens": "7",  # 6.75, rounded up
        "peak": "4",
        "models": "2",
    }
    assert all(entry["group"] == {} for entry in used)
    assert {(entry["from"], entry["to"]) for entry in used} == {tuple(JANUARY.values())}


async def test_groups_are_rounded_one_by_one(acme: httpx.AsyncClient) -> None:
    used = await ask(acme, meter="tokens", group_by="model", **JANUARY)
    assert [(entry["group"], entry["quantity"]) for entry in used] == [
        ({"model": "large"}, "4"),  # 3.25
        ({"model": "small"}, "4"),  # 3.5
    ]
    used = await ask(acme, meter="tokens", group_by="region,model", **JANUARY)
    assert [(entry["group"], entry["quantity"]) for entry in used] == [
        ({"model": "large", "region": "eu"}, "2"),
        ({"model": "large", "region": "us"}, "2"),
        ({"model": "small", "region": None}, "4"),
    ]


@pytest.mark.parametrize(
    ("meter", "quantities"),
    [
        ("tokens", ["2", "6", "0", "0"]),
        ("peak", ["1.25", "4", "0", "0"]),
        ("models", ["1", "2", "0", "0"]),
    ],
)
async def test_windows_follow_the_customers_clock(
    acme: httpx.AsyncClient, meter: str, quantities: list[str]
) -> None:
    until = "2026-01-04T12:00:00Z"
    used = await ask(acme, meter=meter, window="day", **{**JANUARY, "to": until})
    assert [(entry["from"], entry["quantity"]) for entry in used] == [
        (f"2026-01-0{day}T05:00:00Z", quantity) for day, quantity in enumerate(quantities, 1)
    ]
    assert used[-1]["to"] == until


async def test_a_correction_takes_nothing_below_zero(acme: httpx.AsyncClient) -> None:
    bounds = {"from": "2026-01-31T00:00:00Z", "to": "2026-02-01T00:00:00Z"}
    assert [entry["quantity"] for entry in await ask(acme, meter="tokens", **bounds)] == ["0"]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "from"),
        ({"from": "0001-01-01T00:00:00Z"}, "from"),
        ({"to": "9999-12-31T23:59:59Z"}, "to"),
        ({"window": "minute", **JANUARY}, "window"),
        ({"window": "fortnight"}, "window"),
        ({"meter": "tokens", "group_by": "colour"}, "group_by"),
    ],
)
async def test_what_cannot_be_asked_is_named(
    acme: httpx.AsyncClient, query: dict[str, str], path: str
) -> None:
    response = await acme.get(USAGE, params=query)
    assert response.status_code == 422
    assert [fault["path"] for fault in response.json()["errors"]] == [path]


async def test_who_and_what_is_not_there_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.get(USAGE)).status_code == 404
    await client.post("/v1/customers", json={"key": "acme"})
    assert (await client.get(USAGE)).json() == {"data": [], "next": None}
    assert (await client.get(USAGE, params={"meter": "tokens"})).status_code == 404
    assert (await client.get(USAGE, params={"subscription": "sub"})).status_code == 404


async def ask_all(client: httpx.AsyncClient, **query: str) -> dict[str, Any]:
    response = await client.get("/v1/usage", params=query)
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json()
    return page


async def test_each_customer_has_a_quantity_page_by_page(acme: httpx.AsyncClient) -> None:
    for number in range(3):
        await acme.post("/v1/customers", json={"key": f"c{number}"})
    event = {"event_name": "llm", "time": "2026-01-02T00:00:00Z", "properties": {"tokens": "9", "model": "large"}}  # fmt: skip
    await acme.post("/v1/events", json=[{**event, "id": "other", "customer": "c1"}])
    first = await ask_all(acme, meter="tokens", group_by="customer", limit="3", **JANUARY)
    rest = await ask_all(acme, meter="tokens", group_by="customer", after=first["next"], **JANUARY)
    assert [(row["customer"], row["quantity"]) for row in first["data"]] == [("acme", "7"), ("c0", "0"), ("c1", "9")]  # fmt: skip
    assert [(row["customer"], row["quantity"]) for row in rest["data"]] == [("c2", "0")]
    assert rest["next"] is None
    groups = (await ask_all(acme, meter="tokens", group_by="model,customer", **JANUARY))["data"]
    assert [(row["customer"], row["group"], row["quantity"]) for row in groups] == [
        ("acme", {"model": "large"}, "4"),
        ("acme", {"model": "small"}, "4"),
        ("c1", {"model": "large"}, "9"),
    ]


async def test_a_customer_whose_clock_is_not_there_yet_has_nothing_to_show(
    acme: httpx.AsyncClient,
) -> None:
    made = await acme.post("/v1/test-clocks", json={"name": "c", "now": "2025-06-01T00:00:00Z"})
    clocked = {"key": "globex", "test_clock": made.json()["id"]}
    assert (await acme.post("/v1/customers", json=clocked)).status_code == 201
    told = await ask_all(acme, meter="tokens", group_by="customer", **{"from": JANUARY["from"]})
    assert [each["customer"] for each in told["data"]] == ["acme"]


async def test_one_customer_is_shown_alike_on_both_ways(acme: httpx.AsyncClient) -> None:
    for query in ({"meter": "tokens"}, {"group_by": "model"}, {"meter": "peak", "window": "week"}):
        alone = await ask(acme, **query, **JANUARY)
        among = (await ask_all(acme, customer="acme", **query, **JANUARY))["data"]
        assert among == [{"customer": "acme", **row} for row in alone]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({}, "group_by"),
        ({"group_by": "model"}, "group_by"),
        ({"group_by": "customer,colour"}, "group_by"),
        ({"group_by": "customer,colour", "meter": "tokens"}, "group_by"),
        ({"group_by": "customer", "from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "from"),
        ({"group_by": "customer", "window": "minute", **JANUARY}, "window"),
        ({"group_by": "customer", "limit": "501"}, "limit"),
        ({"group_by": "customer", "colour": "red"}, "colour"),
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_of_all_is_named(
    acme: httpx.AsyncClient, query: dict[str, str], path: str
) -> None:
    response = await acme.get("/v1/usage", params=query)
    assert response.status_code == 422
    assert [fault["path"] for fault in response.json()["errors"]] == [path]


async def test_no_more_is_computed_than_can_be(
    acme: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "MOST_QUANTITIES", 3 * 31)
    query = {"group_by": "customer", "window": "day", **JANUARY}
    assert len((await ask_all(acme, **query))["data"]) == 3 * 31
    monkeypatch.setattr(usage, "MOST_QUANTITIES", 3 * 31 - 1)
    response = await acme.get("/v1/usage", params=query)
    assert (response.status_code, response.json()["errors"][0]["path"]) == (422, "limit")


async def test_a_subscription_is_of_its_customer(acme: httpx.AsyncClient) -> None:
    for query in ({"subscription": "s"}, {"customer": "nobody"}):
        assert (await acme.get("/v1/usage", params=query)).status_code == 404
