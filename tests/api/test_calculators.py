"""The pure commands over HTTP: an object for an object, lines for lines."""

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from api import calculators
from db.tenants import Environment
from tests.api.conftest import Desk

RATE = {
    "id": 7,
    "currency": "USD",
    "price": {"model": "per_unit", "unit_amount": "0.002"},
    "usage": {"quantity": "1500"},
}
PERIODS = {"start": "2026-01-31T00:00:00Z", "interval": {"unit": "month"}, "count": 2}
AGGREGATE = {
    "meter": {"key": "m", "event_name": "e", "aggregation": "sum", "value": "v"},
    "period": ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"],
    "events": [{"time": "2026-01-02T00:00:00Z", "properties": {"v": "1.5"}}],
}
STEP = {"step": "unit_amount", "quantity": "1500", "rate": "0.002", "amount": "3"}
ANSWERS: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = [
    ("rate", RATE, {"id": 7, "amount": "3", "rounded": "3.00", "trace": [STEP]}),
    ("periods", PERIODS, {"id": None, "starts": ["2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z"]}),
    ("aggregate", AGGREGATE, {"id": None, "quantity": "1.5"}),
]
LINES = {"Content-Type": "application/x-ndjson"}


@pytest.mark.parametrize(("calculator", "asked", "answer"), ANSWERS)
async def test_an_object_is_answered_by_an_object(
    client: httpx.AsyncClient,
    calculator: str,
    asked: Mapping[str, Any],
    answer: Mapping[str, Any],
) -> None:
    response = await client.post(f"/v1/{calculator}", json=asked)
    assert (response.status_code, response.json()) == (200, answer)


@pytest.mark.parametrize(("calculator", "asked", "answer"), ANSWERS)
async def test_lines_are_answered_by_lines(
    client: httpx.AsyncClient,
    calculator: str,
    asked: Mapping[str, Any],
    answer: Mapping[str, Any],
) -> None:
    lines = "\n".join([json.dumps(asked), "", "no JSON\r", json.dumps({**asked, "unknown": 1})])
    response = await client.post(f"/v1/{calculator}", content=lines, headers=LINES)
    answers = [json.loads(line) for line in response.text.splitlines()]
    assert (response.status_code, answers[0]) == (200, answer)
    assert [each.get("error", {}).get("path") for each in answers] == [None, "", "unknown"]
    assert answers[2]["id"] == asked.get("id")


@pytest.mark.parametrize(("body", "paths"), [
    (b'{"currency": "USD", "price": {"model": "flat", "amount": 1.5}, "usage": {}}', ["price.amount", "usage"]),
    (b'{"currency": "XYZ", "price": {"model": "flat", "amount": "1"}, "usage": {"quantity": "NaN"}}', ["currency", "usage.quantity"]),
    (b'{"currency": "USD", "currency": "EUR"}',        [""]),
    (b"[]",                                            [""]),
    (b"",                                              [""]),
    (b"\xff",                                          [""]),
    (b'{"price": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", [""]),
])  # fmt: skip
async def test_an_object_with_faults_is_a_problem_with_their_paths(
    client: httpx.AsyncClient, body: bytes, paths: list[str]
) -> None:
    response = await client.post("/v1/rate", content=body, headers={"Content-Type": "application/json"})  # fmt: skip
    assert response.status_code == 422, response.text
    assert [fault["path"] for fault in response.json()["errors"]] == paths


async def test_what_is_asked_at_once_is_bounded(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(calculator: str, asked: Mapping[str, Any], lines: int) -> int:
        content = (json.dumps(asked) + "\n") * lines
        response = await client.post(f"/v1/{calculator}", content=content, headers=LINES)
        return response.status_code

    assert await ask("rate", RATE, calculators.MOST_LINES + 1) == 413
    assert await ask("rate", {**RATE, "note": "x" * 9_000_000}, 1) == 413
    monkeypatch.setattr(calculators, "LARGEST_ANSWER", 1_000)
    assert await ask("periods", {**PERIODS, "count": 100}, 1) == 413
    assert await ask("periods", PERIODS, 2) == 200
    monkeypatch.setattr(calculators, "LONGEST_SECONDS", -1)
    assert await ask("rate", RATE, 1) == 200
    assert await ask("rate", RATE, 2) == 413


async def test_another_kind_of_body_is_told_which_are_taken(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/rate", content="a,b", headers={"Content-Type": "text/csv"})
    assert response.status_code == 415


async def test_it_takes_a_key_that_may_read(desk: Desk, environment: Environment) -> None:
    async with desk.client(await desk.key(environment, "usage")) as client:
        assert (await client.post("/v1/rate", json=RATE)).status_code == 403
    async with desk.client(None) as client:
        assert (await client.post("/v1/rate", json=RATE)).status_code == 401
