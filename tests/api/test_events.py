"""Usage events over HTTP: good ones are kept, bad ones are named, and each counts once."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pytest

from api.sent_events import MOST_EVENTS, MOST_LINES
from db.tenants import Environment
from tests.api.conftest import Desk

EVENTS = "/v1/events"
TOKENS = {"key": "tokens", "event_name": "llm", "aggregation": "sum", "value": "tokens"}
NONE: Mapping[str, Any] = {"accepted": 0, "duplicates": 0, "rejected": []}


def event(id: str, **members: Any) -> dict[str, Any]:
    return {
        "id": id,
        "event_name": "llm",
        "customer": "acme",
        "time": "2026-01-02T10:00:00Z",
        "properties": {"tokens": "10"},
        **members,
    }


def cloud_event(id: str, **members: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": id,
        "source": "/gateway",
        "type": "llm",
        "subject": "acme",
        "time": "2026-01-02T10:00:00Z",
        "data": {"tokens": "10"},
        **members,
    }


@pytest.fixture
async def acme(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client of an environment with a customer, and a meter that sums tokens."""
    await client.post("/v1/customers", json={"key": "acme"})
    assert (await client.post("/v1/meters", json=TOKENS)).status_code == 201
    return client


async def post(client: httpx.AsyncClient, body: str | bytes, type: str) -> httpx.Response:
    return await client.post(EVENTS, content=body, headers={"Content-Type": type})


async def kept(client: httpx.AsyncClient, **query: str) -> Sequence[str]:
    """The ids of the events that are kept, in order."""
    response = await client.get(EVENTS, params=query)
    assert response.status_code == 200
    return [event["id"] for event in response.json()["data"]]


async def test_one_event_is_kept_as_it_was_sent(acme: httpx.AsyncClient) -> None:
    sent = event("e1", properties={"tokens": "0.10", "n": 7, "nested": {"list": [None, True]}})
    response = await acme.post(EVENTS, json=sent)
    assert (response.status_code, response.json()) == (202, {**NONE, "accepted": 1})
    (read,) = (await acme.get(EVENTS)).json()["data"]
    assert read.pop("received_at")
    assert read == {**sent, "subscription": None, "voided": None, "voids": None, "reason": None}


async def test_a_list_tells_what_became_of_each_event(acme: httpx.AsyncClient) -> None:
    await acme.post(EVENTS, json=event("old"))
    batch = [
        event("e1"),
        event("bad", properties={}),
        event("old"),
        event("e1", properties={"tokens": "11"}),
        "no event",
        {**event("e2"), "id": 7},
        event("e3", tokens=1),
        event("e4"),
    ]
    answer = (await acme.post(EVENTS, json=batch)).json()
    assert (answer["accepted"], answer["duplicates"]) == (2, 1)
    named = [(r["index"], r["id"], r["path"]) for r in answer["rejected"]]
    assert named == [
        (1, "bad", "properties.tokens"),
        (3, "e1", "id"),
        (4, None, ""),
        (5, None, "id"),
        (6, "e3", "tokens"),
    ]
    assert await kept(acme) == ["old", "e1", "e4"]


async def test_lines_are_events_and_one_that_is_no_json_spoils_no_other(
    acme: httpx.AsyncClient,
) -> None:
    lines = [json.dumps(event("e1")), "", "{", json.dumps(event("e2")), "[" * 5_000, " "]
    answer = (await post(acme, "\r\n".join(lines), "application/x-ndjson")).json()
    assert answer["accepted"] == 2
    assert [(r["index"], r["id"], r["path"]) for r in answer["rejected"]] == [
        (1, None, ""),
        (3, None, ""),
    ]


async def test_cloud_events_are_events(acme: httpx.AsyncClient) -> None:
    one = await post(acme, json.dumps(cloud_event("e1")), "application/cloudevents+json")
    batch = [
        cloud_event("e2", datacontenttype="application/json; charset=utf-8", traceparent="00-1"),
        cloud_event("e3", data={"tokens": "many"}),
        cloud_event("e4", subject="nobody"),
        cloud_event("e5", specversion="0.3"),
        cloud_event("e6", datacontenttype="text/plain"),
        cloud_event("e7", data_base64="AA=="),
        {**cloud_event("e8"), "source": None},
        event("e1"),
    ]
    answer = await post(
        acme, json.dumps(batch), "application/cloudevents-batch+json; charset=utf-8"
    )
    assert one.json() == {**NONE, "accepted": 1}
    assert answer.json()["accepted"] == 1
    assert [(r["id"], r["path"]) for r in answer.json()["rejected"]] == [
        ("e3", "data.tokens"),
        ("e4", "subject"),
        ("e5", "specversion"),
        ("e6", "datacontenttype"),
        ("e7", "data_base64"),
        ("e8", "source"),
        ("e1", "specversion"),
    ]
    as_event = (await acme.post(EVENTS, json=event("e1"))).json()
    assert as_event == {**NONE, "duplicates": 1}  # the same event, sent as our own


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"properties": {"tokens": 1.5}}, "properties.tokens"),
        ({"properties": {"tokens": "1", "deep": {"list": ["0.5", 0.5]}}}, "properties.deep.list.1"),
        ({"properties": {"tokens": 10**38}}, "properties.tokens"),
        ({"properties": {"tokens": "1", "x": "\0"}}, "properties.x"),
        ({"properties": []}, "properties"),
        ({"time": "2026-01-02T10:00:00"}, "time"),
        ({"time": "2026-02-30T10:00:00Z"}, "time"),
        ({"time": 1767348000}, "time"),
        ({"customer": "nobody"}, "customer"),
        ({"customer": ""}, "customer"),
        ({"subscription": "none"}, "subscription"),
        ({"id": "x" * 201}, "id"),
        ({"id": None}, "id"),
        ({"event_name": None}, "event_name"),
    ],
)
async def test_what_is_wrong_with_an_event_is_named(
    acme: httpx.AsyncClient, members: dict[str, Any], path: str
) -> None:
    answer = (await acme.post(EVENTS, json=[{**event("bad"), **members}, event("e1")])).json()
    assert answer["accepted"] == 1
    assert [(r["index"], r["path"]) for r in answer["rejected"]] == [(0, path)]


@pytest.mark.parametrize(
    ("body", "type", "status"),
    [
        ("{", "application/json", 422),
        ("", "application/json", 422),
        ("NaN", "application/json", 422),
        ("[" * 100_000, "application/json", 422),
        (b"\xff", "application/json", 422),
        (json.dumps([event(str(n)) for n in range(MOST_EVENTS + 1)]), "application/json", 422),
        ("{}\n" * (MOST_LINES + 1), "application/x-ndjson", 422),
        (json.dumps(cloud_event("e1")), "application/cloudevents-batch+json", 422),
        (json.dumps(event("e1")), "text/plain", 415),
        (json.dumps(event("e1")), "application/x-www-form-urlencoded", 415),
    ],
    ids=lambda value: None if isinstance(value, str | bytes) else str(value),
)
async def test_a_body_that_cannot_be_taken_is_refused_whole(
    acme: httpx.AsyncClient, body: str | bytes, type: str, status: int
) -> None:
    response = await post(acme, body, type)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert await kept(acme) == []


@pytest.mark.parametrize("body", ["[]", "\n\n"])
async def test_nothing_sent_is_nothing_kept(acme: httpx.AsyncClient, body: str) -> None:
    type = "application/json" if body == "[]" else "application/x-ndjson"
    response = await post(acme, body, type)
    assert (response.status_code, response.json()) == (202, NONE)


async def test_a_named_request_is_answered_once(acme: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "first"}
    first = await acme.post(EVENTS, json=event("e1"), headers=headers)
    again = await acme.post(EVENTS, json=event("e1"), headers=headers)
    other = await acme.post(EVENTS, json=event("e2"), headers=headers)
    assert first.json() == again.json() == {**NONE, "accepted": 1}
    assert other.status_code == 422
    assert await kept(acme) == ["e1"]


async def test_a_key_must_carry_the_scope(
    acme: httpx.AsyncClient, desk: Desk, environment: Environment
) -> None:
    async with desk.client(await desk.key(environment, "usage")) as sender:
        assert (await sender.post(EVENTS, json=event("e1"))).status_code == 202
        assert (await sender.get(EVENTS)).status_code == 403
    async with desk.client(await desk.key(environment, "read")) as reader:
        assert (await reader.post(EVENTS, json=event("e2"))).status_code == 403
        assert await kept(reader) == ["e1"]
    async with desk.stranger() as stranger:
        rejected = (await stranger.post(EVENTS, json=event("e1"))).json()["rejected"]
        assert [r["path"] for r in rejected] == ["customer"]
        assert await kept(stranger) == []


async def test_events_are_listed_by_time_and_found_by_what_they_are(
    acme: httpx.AsyncClient,
) -> None:
    globex = (await acme.post("/v1/customers", json={"key": "globex"})).json()
    await acme.post(
        EVENTS,
        json=[
            event("late", time="2026-01-05T00:00:00Z"),
            event("early", time="2026-01-01T00:00:00Z"),
            event("other", event_name="other"),
            event("globex", customer="globex"),
        ],
    )
    assert await kept(acme) == ["early", "other", "globex", "late"]
    assert await kept(acme, customer="acme") == ["early", "other", "late"]
    assert await kept(acme, customer=globex["id"]) == ["globex"]
    assert await kept(acme, event_name="other") == ["other"]
    bounds = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-05T00:00:00Z"}
    assert await kept(acme, **bounds, event_name="llm") == ["early", "globex"]


async def test_pages_part_the_list_even_among_events_of_one_time(acme: httpx.AsyncClient) -> None:
    ids = [f"e{n}" for n in range(7)]
    await acme.post(EVENTS, json=[event(id) for id in ids])
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = (await acme.get(EVENTS, params={"limit": 3, "after": after})).json()
        found += [event["id"] for event in page["data"]]
        after = page["next"]
    assert found == ids


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"after": "nothing"}, "after"),
        ({"after": "2026-01-01T00:00:00Z_x"}, "after"),
        ({"from": "yesterday"}, "from"),
        ({"event_name": ""}, "event_name"),
    ],
)
async def test_what_cannot_be_asked_is_named(
    acme: httpx.AsyncClient, query: dict[str, str], path: str
) -> None:
    response = await acme.get(EVENTS, params=query)
    assert response.status_code == 422
    assert [fault["path"] for fault in response.json()["errors"]] == [path]
