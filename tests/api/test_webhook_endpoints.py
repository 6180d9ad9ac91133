"""Webhook endpoints: made, changed, tested, rotated and deleted; what they were told is listed and told again."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI

from activities.webhooks import WebhookSteps
from db.session import Database
from db.tenants import Environment, open_environment
from db.webhook_endpoints import MOST_ENDPOINTS
from providers.webhooks.sending import WebhookSender
from tests.api.conftest import Desk
from tests.webhook_receiver import SECRET, Receiver, receiving

ENDPOINTS = "/v1/webhook-endpoints"
URL = "https://example.com/weir"

Round = Callable[[], Awaitable[None]]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def deliver(database: Database, environment: Environment) -> AsyncIterator[Round]:
    """One round of the worker's."""
    async with WebhookSender() as sender:
        steps = WebhookSteps(database, sender, "test")

        async def round() -> None:
            await steps.look_at(environment)
            await steps.settle()

        yield round


async def test_an_endpoint_is_made_and_its_secret_shown_once(client: httpx.AsyncClient) -> None:
    named = {"Idempotency-Key": "e1"}
    made = (await client.post(ENDPOINTS, json={"url": URL}, headers=named)).json()
    again = (await client.post(ENDPOINTS, json={"url": URL}, headers=named)).json()
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert again == {**made, "secret": None}
    assert (made["url"], made["topics"], made["enabled"]) == (URL, ["*"], True)
    assert (await client.get(f"{ENDPOINTS}/{made['id']}")).json() == made
    assert (await client.get(ENDPOINTS)).json() == {"data": [made], "next": None}


async def test_a_secret_of_ones_own(client: httpx.AsyncClient) -> None:
    made = await client.post(ENDPOINTS, json={"url": URL, "secret": SECRET})
    assert made.json()["secret"] == SECRET
    refused = await client.post(ENDPOINTS, json={"url": URL, "secret": "whsec_short"})
    assert refused.status_code == 422
    assert "whsec_short" not in refused.text


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        ({}, "url", "is required"),
        ({"url": "ftp://example.com"}, "url", "must begin with https:// or http://"),
        ({"url": "https://a:b@example.com"}, "url", "must not carry credentials"),
        ({"url": URL, "topics": []}, "topics", "must name at least one topic; `*` is all of them"),
        ({"url": URL, "topics": ["a", "I N"]}, "topics.1", "must be a topic like invoice.issued, or invoice.*, or *"),
        ({"url": URL, "topic": ["a"]}, "topic", "is not a known field"),
        ({"url": URL, "description": ""}, "description", "must have from 1 to 2000 characters"),
    ],
)  # fmt: skip
async def test_a_bad_body_makes_nothing(
    client: httpx.AsyncClient, body: object, path: str, message: str
) -> None:
    response = await client.post(ENDPOINTS, json=body)
    assert response.status_code == 422
    assert response.json()["errors"] == [{"path": path, "message": message}]
    assert (await client.get(ENDPOINTS)).json()["data"] == []


async def test_what_changes_and_what_stays(client: httpx.AsyncClient) -> None:
    body = {"url": URL, "topics": ["invoice.*"], "description": "a cache"}
    made = (await client.post(ENDPOINTS, json=body)).json()
    del made["secret"]
    path = f"{ENDPOINTS}/{made['id']}"
    changed = (await client.patch(path, json={"topics": ["hold.expired"]})).json()
    assert changed == {**made, "topics": ["hold.expired"]}
    off = (await client.patch(path, json={"enabled": False, "description": None})).json()
    assert (off["enabled"], off["disabled_because"], off["description"]) == (False, "asked", None)
    assert (await client.post(f"{path}/test")).status_code == 409
    on = (await client.patch(path, json={"enabled": True, "url": f"{URL}/2"})).json()
    assert (on["enabled"], on["disabled_at"], on["url"]) == (True, None, f"{URL}/2")
    bad = await client.patch(path, json={"url": "nowhere"})
    assert bad.json()["errors"][0]["path"] == "url"
    assert (await client.get(path)).json() == on


async def test_a_live_environment_sends_nothing_in_clear_text(
    app: FastAPI, desk: Desk, environment: Environment
) -> None:
    async with desk.database.registry() as connection:
        live = await open_environment(connection, environment.tenant_id, "live")
    async with desk.client(await desk.key(live, "admin")) as client:
        for url in ("http://example.com/", "http://127.0.0.1/"):
            refused = await client.post(ENDPOINTS, json={"url": url})
            assert refused.json()["errors"] == [
                {"path": "url", "message": "must begin with https:// in a live environment"}
            ]
        app.state.connections = replace(app.state.connections, private_addresses="allowed")
        made = await client.post(ENDPOINTS, json={"url": "http://127.0.0.1/"})
        assert made.status_code == 201
        moved = await client.patch(f"{ENDPOINTS}/{made.json()['id']}", json={"url": "http://a.example/"})  # fmt: skip
        assert moved.status_code == 422


async def test_a_ping_is_sent_to_one_endpoint_once(
    client: httpx.AsyncClient, receiver: Receiver, deliver: Round
) -> None:
    body = {"url": receiver.url, "secret": SECRET, "topics": ["invoice.*"]}
    one = (await client.post(ENDPOINTS, json=body)).json()["id"]
    await client.post(ENDPOINTS, json={**body, "topics": ["*"]})
    named = {"Idempotency-Key": "p1"}
    asked = await client.post(f"{ENDPOINTS}/{one}/test", headers=named)
    again = await client.post(f"{ENDPOINTS}/{one}/test", headers=named)
    assert (asked.status_code, asked.json()["status"]) == (202, "pending")
    assert again.json() == asked.json()
    await deliver()
    (heard,) = receiver.heard
    assert (heard.told["type"], heard.told["data"]) == ("ping", {"id": one})
    delivery = (await client.get(f"{ENDPOINTS}/{one}/deliveries/{asked.json()['id']}")).json()
    assert (delivery["status"], delivery["attempts"]) == ("delivered", 1)
    assert (delivery["response_status"], delivery["response_body"]) == (200, "thanks")
    assert delivery["notification"] == heard.id


async def test_deliveries_are_listed_and_made_again(
    client: httpx.AsyncClient, receiver: Receiver, deliver: Round
) -> None:
    endpoint = (await client.post(ENDPOINTS, json={"url": receiver.url, "secret": SECRET})).json()
    path = f"{ENDPOINTS}/{endpoint['id']}"
    receiver.answers = [500]
    for _ in range(3):
        await client.post(f"{path}/test")
        await deliver()
    whole = (await client.get(f"{path}/deliveries")).json()["data"]
    assert [each["status"] for each in whole] == ["delivered", "delivered", "pending"]
    first = (await client.get(f"{path}/deliveries", params={"limit": 2})).json()
    rest = {"limit": 2, "after": first["next"]}
    assert first["data"] == whole[:2]
    assert (await client.get(f"{path}/deliveries", params=rest)).json()["data"] == whole[2:]
    waiting = await client.get(f"{path}/deliveries", params={"status": "pending"})
    assert waiting.json()["data"] == whole[2:]
    assert (await client.post(f"{path}/deliveries/{whole[2]['id']}/retry")).status_code == 200
    await deliver()
    done = (await client.get(f"{path}/deliveries/{whole[2]['id']}")).json()
    assert (done["status"], done["attempts"], done["next_attempt_at"]) == ("delivered", 2, None)
    await client.patch(path, json={"enabled": False})
    refused = await client.post(f"{path}/deliveries/{whole[2]['id']}/retry")
    assert refused.status_code == 409


async def test_a_rotated_secret_signs_beside_the_old_one(
    client: httpx.AsyncClient, receiver: Receiver, deliver: Round
) -> None:
    made = (await client.post(ENDPOINTS, json={"url": receiver.url})).json()
    path, named = f"{ENDPOINTS}/{made['id']}", {"Idempotency-Key": "r1"}
    rotated = await client.post(f"{path}/rotate-secret", json={}, headers=named)
    again = await client.post(f"{path}/rotate-secret", json={}, headers=named)
    secret = rotated.json()["secret"]
    assert (rotated.status_code, again.json()["secret"]) == (200, None)
    assert secret != made["secret"]
    for receiver.secret in (made["secret"], secret):
        await client.post(f"{path}/test")
        await deliver()
    assert receiver.topics == ["ping", "ping"]
    for _ in range(3):
        assert (await client.post(f"{path}/rotate-secret", json={})).status_code == 200
    assert (await client.post(f"{path}/rotate-secret", json={})).status_code == 409


async def test_a_deleted_endpoint_is_gone(client: httpx.AsyncClient) -> None:
    made = (await client.post(ENDPOINTS, json={"url": URL})).json()
    path = f"{ENDPOINTS}/{made['id']}"
    assert (await client.delete(path)).json() == {"id": made["id"], "deleted": True}
    for call in (
        client.get(path),
        client.delete(path),
        client.patch(path, json={"enabled": True}),
        client.get(f"{path}/deliveries"),
        client.post(f"{path}/test"),
        client.post(f"{path}/rotate-secret", json={}),
    ):
        assert (await call).status_code == 404
    assert (await client.get(ENDPOINTS)).json()["data"] == []


async def test_who_may_do_what(
    client: httpx.AsyncClient, desk: Desk, environment: Environment
) -> None:
    made = (await client.post(ENDPOINTS, json={"url": URL})).json()
    path = f"{ENDPOINTS}/{made['id']}"
    async with desk.client(await desk.key(environment, "read")) as reader:
        assert (await reader.get(path)).status_code == 200
        assert (await reader.post(ENDPOINTS, json={"url": URL})).status_code == 403
        assert (await reader.post(f"{path}/test")).status_code == 403
        assert (await reader.delete(path)).status_code == 403
    async with desk.stranger() as stranger:
        assert (await stranger.get(path)).status_code == 404
        assert (await stranger.post(f"{path}/test")).status_code == 404


async def test_there_are_only_so_many(client: httpx.AsyncClient) -> None:
    for _ in range(MOST_ENDPOINTS):
        assert (await client.post(ENDPOINTS, json={"url": URL})).status_code == 201
    refused = await client.post(ENDPOINTS, json={"url": URL})
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        f"there are {MOST_ENDPOINTS} webhook endpoints already",
    )
