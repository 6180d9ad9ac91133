"""Usage that a plan has no price for stops the close of its period; a new version that fills the gap lets it go on."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from temporalio.client import Client

from workflows.handles import RunningLives

JANUARY, FEBRUARY = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


def plan(*models: str, **members: object) -> dict[str, Any]:
    cells = [{"match": {"model": model}, "unit_amount": "2"} for model in models]
    price = {"model": "matrix", "dimensions": ["model"], "cells": cells}
    item = {"key": "tokens", "kind": "usage", "meter": "tokens", "price": price}
    sold = {"key": "pro", "currency": "USD", "interval": {"unit": "month"}, "items": [item]}
    return {**sold, **members}


async def post(client: httpx.AsyncClient, path: str, body: object) -> Any:
    response = await client.post(f"/v1/{path}", json=body)
    assert response.is_success, response.text
    return response.json()


@pytest.fixture
async def subscribed(client: httpx.AsyncClient, worker: None) -> Any:
    """A subscription with usage of two models, of which its plan prices one."""
    clock = await post(client, "test-clocks", {"name": "gaps", "now": JANUARY})
    meter = {"key": "tokens", "event_name": "llm", "aggregation": "sum", "value": "n"}
    await post(client, "meters", {**meter, "group_by": ["model"]})
    await post(client, "plans", plan("large"))
    await post(client, "customers", {"key": "acme", "test_clock": clock["id"]})
    subscription = await post(client, "subscriptions", {"key": "s1", "customer": "acme", "plan": "pro"})  # fmt: skip
    for model, n in (("large", "3"), ("tiny", "10")):
        event = {"id": model, "event_name": "llm", "customer": "acme", "time": JANUARY}
        await post(client, "events", {**event, "properties": {"model": model, "n": n}})
    return subscription, clock["id"]


async def test_a_gap_is_filled_and_the_period_closes(
    client: httpx.AsyncClient, subscribed: Any, temporal: Client, task_queue: str
) -> None:
    subscription, clock = subscribed
    advance = f"test-clocks/{clock}/advance"
    stopped = await client.post(f"/v1/{advance}", json={"to": FEBRUARY})
    assert stopped.status_code == 409, stopped.text
    missing = "pro.tokens.usage.groups.1: model=tiny has no cell, and there is no default"
    assert missing in stopped.json()["detail"]

    filled = await post(client, "plans", plan("large", "tiny", fills_gaps=True))
    assert (filled["version"], filled["fills_gaps"]) == (2, True)
    lives = RunningLives(temporal, task_queue, timedelta(seconds=20))
    await lives.retry(subscription["id"])
    told = await post(client, advance, {"to": FEBRUARY})
    assert told["status"] == "ready"

    [invoice] = (await client.get("/v1/invoices?subscription=s1")).json()["data"]
    assert (invoice["issued_at"], invoice["total"]) == (FEBRUARY, "26.00")
    assert [(line["item"], line["quantity"]) for line in invoice["lines"]] == [("tokens", "13")]
    version = (await client.get("/v1/subscriptions/s1")).json()["plan_version"]
    assert version == 1  # it stays on its own version
