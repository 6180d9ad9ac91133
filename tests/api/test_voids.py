"""Events taken back over HTTP: by their id, whatever characters it has, for a reason, and once."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from db.tenants import Environment
from tests.api.conftest import Desk
from tests.api.test_events import TOKENS, event

EVENTS = "/v1/events"
REASON = {"reason": "sent twice"}
USED = "/v1/customers/acme/usage?from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z"

IDS = [
    "e1",
    "e1/void",
    "void",
    "/",
    "a//b/",
    "a?b=c#d",
    "a%2Fb",
    "a b",
    "a\n",
    "\na\r\n/void\n",
    "ü€\u2028𝕏",
    "x" * 200,
    "ü" * 200,
]


@pytest.fixture
async def acme(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client of an environment with a customer, and a meter that sums tokens."""
    await client.post("/v1/customers", json={"key": "acme"})
    assert (await client.post("/v1/meters", json=TOKENS)).status_code == 201
    return client


def at(id: str) -> str:
    return f"{EVENTS}/{quote(id, safe='')}"


async def void(client: httpx.AsyncClient, id: str, **body: Any) -> httpx.Response:
    return await client.post(f"{at(id)}/void", json=body or REASON)


async def used(client: httpx.AsyncClient) -> str:
    (entry,) = (await client.get(USED)).json()["data"]
    quantity: str = entry["quantity"]
    return quantity


async def test_a_voided_event_says_so_and_counts_no_more(acme: httpx.AsyncClient) -> None:
    await acme.post(EVENTS, json=[event("e1"), event("e2")])
    before = (await acme.get(at("e1"))).json()
    assert (before["voided"], await used(acme)) == (None, "20")

    voided = await void(acme, "e1")
    assert voided.status_code == 200
    told = voided.json()["voided"]
    assert told["reason"] == "sent twice"
    assert voided.json() == {**before, "voided": told}
    assert (await acme.get(at("e1"))).json() == voided.json()
    assert await used(acme) == "10"

    own = (await acme.get(at(told["id"]))).json()
    assert (own["voids"], own["reason"], own["voided"]) == ("e1", "sent twice", None)
    assert (own["customer"], own["time"]) == ("acme", before["time"])


async def test_voiding_again_is_the_same_answer(acme: httpx.AsyncClient) -> None:
    await acme.post(EVENTS, json=event("e1"))
    first = await void(acme, "e1")
    again = await void(acme, "e1", reason="quite another")
    assert (again.status_code, again.json()) == (200, first.json())


async def test_a_list_shows_what_was_voided_and_the_voids_where_they_are_asked_for(
    acme: httpx.AsyncClient,
) -> None:
    await acme.post(EVENTS, json=[event("e1"), event("e2")])
    own = (await void(acme, "e1")).json()["voided"]["id"]
    plain = (await acme.get(EVENTS)).json()["data"]
    everything = (await acme.get(EVENTS, params={"voids": "true"})).json()["data"]
    assert [(e["id"], e["voided"] is not None) for e in plain] == [("e1", True), ("e2", False)]
    assert [(e["id"], e["voids"]) for e in everything] == [
        ("e1", None),
        ("e2", None),
        (own, "e1"),
    ]


@pytest.mark.parametrize("id", IDS, ids=ascii)
async def test_an_id_may_have_any_characters(acme: httpx.AsyncClient, id: str) -> None:
    others = [event(other) for other in {id.strip(), id.strip("/"), f"{id[:190]}/void"} - {id, ""}]
    await acme.post(EVENTS, json=[event(id), *others])
    assert (await acme.get(at(id))).json()["id"] == id
    voided = (await void(acme, id)).json()
    assert (voided["id"], voided["voided"]["reason"]) == (id, "sent twice")
    listed = (await acme.get(EVENTS)).json()["data"]
    assert [each["id"] for each in listed if each["voided"]] == [id]


async def test_what_cannot_be_voided_is_told(acme: httpx.AsyncClient) -> None:
    await acme.post(EVENTS, json=event("e1"))
    own = (await void(acme, "e1")).json()["voided"]["id"]
    for id, status in (("e2", 404), ("x" * 201, 404), ("a\0b", 404), (own, 409)):
        response = await void(acme, id)
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
    for id in ("e2", "x" * 201, "a\0b"):
        assert (await acme.get(at(id))).status_code == 404


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("{}", "reason"),
        ('{"reason": null}', "reason"),
        ('{"reason": ""}', "reason"),
        ('{"reason": 7}', "reason"),
        ('{"reason": "x\\u0000"}', "reason"),
        ('{"reason": "a", "reason": "b"}', ""),
        (f'{{"reason": "{"x" * 2001}"}}', "reason"),
        ('{"reason": "a", "id": "e1"}', "id"),
        ("[]", ""),
        ("", ""),
    ],
    ids=lambda value: value[:24],
)
async def test_a_void_needs_a_reason(acme: httpx.AsyncClient, body: str, path: str) -> None:
    await acme.post(EVENTS, json=event("e1"))
    headers = {"Content-Type": "application/json"}
    response = await acme.post(f"{at('e1')}/void", content=body, headers=headers)
    assert response.status_code == 422
    assert [fault["path"] for fault in response.json()["errors"]] == [path]
    assert (await acme.get(at("e1"))).json()["voided"] is None


async def test_a_key_must_carry_the_scope(
    acme: httpx.AsyncClient, desk: Desk, environment: Environment
) -> None:
    await acme.post(EVENTS, json=event("e1"))
    async with desk.client(await desk.key(environment, "usage", "read")) as sender:
        assert (await void(sender, "e1")).status_code == 403
    async with desk.client(await desk.key(environment, "write")) as writer:
        assert (await writer.get(at("e1"))).status_code == 403
        assert (await void(writer, "e1")).status_code == 200
    async with desk.stranger() as stranger:
        assert (await void(stranger, "e1")).status_code == 404
        assert (await stranger.get(at("e1"))).status_code == 404


async def test_a_named_request_is_answered_once(acme: httpx.AsyncClient) -> None:
    await acme.post(EVENTS, json=event("e1"))
    headers = {"Idempotency-Key": "first"}
    first = await acme.post(f"{at('e1')}/void", json=REASON, headers=headers)
    again = await acme.post(f"{at('e1')}/void", json=REASON, headers=headers)
    other = await acme.post(f"{at('e1')}/void", json={"reason": "other"}, headers=headers)
    assert (first.json(), other.status_code) == (again.json(), 422)
    assert again.headers["idempotent-replayed"] == "true"
