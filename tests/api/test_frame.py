"""What holds for every route: keys, problems, bodies, repeated requests."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import cast

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from api.auth import Caller, RequestName
from api.connections import Connections
from api.doorway import LARGEST_BODY
from db.idempotency import KeptAnswer, claim, keep
from db.ids import new_id
from db.keys import ApiKey
from db.session import Database
from db.tenants import Environment, open_environment, open_tenant
from tests.api.conftest import Desk

KEYS = "/v1/api-keys"
NEW_KEY = {"name": "ingest", "scopes": ["usage"]}


async def test_without_a_key_all_of_v1_is_closed(desk: Desk) -> None:
    async with desk.client(None) as stranger:
        for path in (KEYS, "/v1/nothing", "/v1/events"):
            response = await stranger.get(path)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
            assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "header",
    ["Bearer weir_test_nobody", "Bearer ", "Basic YTpi", "Bearer ü", "Bearer " + "x" * 999],
)
async def test_what_is_no_key_opens_nothing(desk: Desk, header: str) -> None:
    async with desk.client(None) as stranger:
        response = await stranger.get(KEYS, headers={b"Authorization": header.encode()})
    assert (response.status_code, response.json()["title"]) == (401, "No valid API key")


async def test_a_revoked_key_opens_nothing(client: httpx.AsyncClient) -> None:
    own = (await client.get(KEYS)).json()["data"][0]
    assert (await client.post(f"{KEYS}/{own['id']}/revoke")).json()["revoked_at"] is not None
    assert (await client.get(KEYS)).status_code == 401


async def test_a_key_may_do_what_its_scopes_say(desk: Desk, environment: Environment) -> None:
    async with desk.client(await desk.key(environment, "usage", "read", "write")) as client:
        response = await client.get(KEYS)
    assert response.status_code == 403
    assert response.json()["detail"] == "this API key does not carry the scope admin"


async def test_a_key_sees_its_own_environment_alone(client: httpx.AsyncClient, desk: Desk) -> None:
    made = (await client.post(KEYS, json=NEW_KEY)).json()
    async with desk.stranger() as stranger:
        assert (await stranger.get(f"{KEYS}/{made['id']}")).status_code == 404
        assert (await stranger.post(f"{KEYS}/{made['id']}/revoke")).status_code == 404
    assert (await client.get(f"{KEYS}/{made['id']}")).json()["revoked_at"] is None


async def test_only_an_operator_makes_tenants_and_each_has_its_own_keys(
    client: httpx.AsyncClient, desk: Desk, environment: Environment
) -> None:
    wanted = {"key": environment.id, "name": "Another"}
    assert (await client.post("/v1/tenants", json=wanted)).status_code == 403
    handed_on = await client.post(KEYS, json={"name": "x", "scopes": ["operator"]})
    assert handed_on.status_code == 403
    async with desk.client(await desk.key(environment, "operator")) as operator:
        made = await operator.post("/v1/tenants", json=wanted)
        again = await operator.post("/v1/tenants", json=wanted)
    assert (made.status_code, again.status_code) == (201, 409)
    async with desk.client(made.json()["secrets"]["live"]) as first:
        assert [key["mode"] for key in (await first.get(KEYS)).json()["data"]] == ["live"]
        assert (await first.get(f"/v1/tenants/{environment.id}")).json()["name"] == "Another"
        assert (await first.get("/v1/tenants")).json()["data"][0]["key"] == environment.id


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        (b"{", "", "is not JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
        (b'{"name": NaN}', "", "has the number NaN, which is not JSON"),
        (b'{"name": "a", "name": "b"}', "", "names the member 'name' twice"),
        (b"\xff", "", "is not UTF-8 at byte 0"),
        (b"[" * 100_000, "", "is nested too deep"),
        (b'{"name": "\\u0000", "scopes": ["read"]}', "name", "has a character that is no text"),
        (b'{"name": "\\ud800", "scopes": ["read"]}', "name", "has a character that is no text"),
        (b'{"name": 1.5, "scopes": ["read"]}', "name", "must be text"),
        (b'{"name": "a", "scopes": ["read", "fly"]}', "scopes.1", "must be one of usage, read, write, admin, operator"),
        (b'{"name": "a", "scopes": ["read"], "scope": 1}', "scope", "is not a known field"),
        (b'{"scopes": ["read"]}', "name", "is required"),
        (b"[]", "", "must be an object"),
        (b"", "", "is required"),
        (b"1" * 5000, "", "has a whole number of 5000 characters"),
    ],
)  # fmt: skip
async def test_a_bad_body_is_told_where_and_why(
    client: httpx.AsyncClient, body: bytes, path: str, message: str
) -> None:
    response = await client.post(KEYS, content=body, headers={"Content-Type": "application/json"})
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, problem["status"], problem["title"]) == (422, 422, "Not valid")
    assert problem["type"] == "urn:weir:problem:invalid"
    assert problem["errors"] == [{"path": path, "message": message}]


async def test_all_faults_are_told_at_once(client: httpx.AsyncClient) -> None:
    response = await client.post(KEYS, json={"name": "", "scopes": [], "also": 1})
    assert {fault["path"] for fault in response.json()["errors"]} == {"name", "scopes", "also"}


async def test_a_body_has_a_bound(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 1_000_000

    announced = await client.post(KEYS, content=b" " * (LARGEST_BODY + 1))
    streamed = await client.post(KEYS, content=endless())
    assert (announced.status_code, streamed.status_code) == (413, 413)


async def test_what_is_not_there_is_a_problem_too(client: httpx.AsyncClient) -> None:
    nowhere = await client.get("/v1/nowhere")
    wrong_method = await client.delete(KEYS)
    assert (nowhere.status_code, nowhere.json()["type"]) == (404, "urn:weir:problem:not_found")
    assert (wrong_method.status_code, wrong_method.headers["allow"]) == (405, "GET, POST")
    assert wrong_method.json()["type"] == "urn:weir:problem:method_not_allowed"
    assert (await client.get(f"{KEYS}/%00")).status_code == 404


async def test_lists_come_in_pages(client: httpx.AsyncClient) -> None:
    for number in range(4):
        await client.post(KEYS, json={**NEW_KEY, "name": f"key {number}"})
    names, after = [], ""
    while after is not None:
        page = (await client.get(KEYS, params={"limit": 2, "after": after})).json()
        assert len(page["data"]) <= 2
        names += [key["name"] for key in page["data"]]
        after = page["next"]
    assert names == ["a test", "key 0", "key 1", "key 2", "key 3"]
    assert (await client.get(KEYS, params={"limit": 0})).json()["errors"][0]["path"] == "limit"


async def test_a_misspelt_parameter_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/invoices", params={"custmer": "acme"})
    assert response.status_code == 422
    assert response.json()["errors"] == [{"path": "custmer", "message": "is not a known parameter"}]


# Requests that name themselves.


async def test_the_same_key_and_body_return_the_first_answer(client: httpx.AsyncClient) -> None:
    named = {"Idempotency-Key": "k1"}
    first = await client.post(KEYS, json=NEW_KEY, headers=named)
    again = await client.post(KEYS, json=NEW_KEY, headers=named)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == {**first.json(), "secret": None}  # it is shown once
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len((await client.get(KEYS)).json()["data"]) == 2


async def test_the_same_key_with_another_body_is_refused(client: httpx.AsyncClient) -> None:
    named = {"Idempotency-Key": "k1"}
    await client.post(KEYS, json=NEW_KEY, headers=named)
    other = await client.post(KEYS, json={**NEW_KEY, "name": "other"}, headers=named)
    assert other.status_code == 422
    assert other.json()["errors"][0]["path"] == "Idempotency-Key"


async def test_a_refusal_is_an_answer_that_is_kept(client: httpx.AsyncClient) -> None:
    named = {"Idempotency-Key": "k1"}
    refused = await client.post(KEYS, json={"name": ""}, headers=named)
    again = await client.post(KEYS, json={"name": ""}, headers=named)
    assert (refused.status_code, again.status_code) == (422, 422)
    assert again.content == refused.content
    assert again.headers["content-type"] == "application/problem+json"


async def test_the_same_key_in_another_environment_is_another(
    client: httpx.AsyncClient, desk: Desk
) -> None:
    named = {"Idempotency-Key": "k1"}
    await client.post(KEYS, json=NEW_KEY, headers=named)
    async with desk.stranger() as stranger:
        response = await stranger.post(KEYS, json={**NEW_KEY, "name": "theirs"}, headers=named)
    assert response.json()["name"] == "theirs"


async def test_twins_that_race_do_it_once(client: httpx.AsyncClient) -> None:
    named = {"Idempotency-Key": "k1"}
    answers = await asyncio.gather(
        *(client.post(KEYS, json=NEW_KEY, headers=named) for _ in range(8))
    )
    assert {answer.json()["id"] for answer in answers} == {answers[0].json()["id"]}
    assert sum(answer.json()["secret"] is not None for answer in answers) == 1
    assert len((await client.get(KEYS)).json()["data"]) == 2


@pytest.mark.parametrize("name", ["", "x" * 256, "tab\there"])
async def test_a_name_is_short_printable_text(client: httpx.AsyncClient, name: str) -> None:
    response = await client.post(KEYS, json=NEW_KEY, headers={"Idempotency-Key": name})
    assert response.status_code == 422


async def test_a_failure_of_ours_is_no_answer_and_may_be_tried_again(
    database: Database, environment: Environment
) -> None:
    mark = hashlib.sha256(b"body").digest()
    async with database.transaction(environment.id) as connection:
        assert (await claim(connection, environment.id, "k", mark)).mine
        assert not (await claim(connection, environment.id, "k", mark)).mine
        await keep(connection, environment.id, "k", KeptAnswer(503, "application/json", b"{}"))
        assert (await claim(connection, environment.id, "k", mark)).mine
        await keep(connection, environment.id, "k", KeptAnswer(200, "application/json", b"[]"))
        kept = (await claim(connection, environment.id, "k", mark)).answer
    assert kept == KeptAnswer(200, "application/json", b"[]")


async def test_a_request_that_died_with_its_process_may_be_run_again(
    database: Database, environment: Environment
) -> None:
    mark = hashlib.sha256(b"body").digest()
    async with database.transaction(environment.id) as connection:
        first = await claim(connection, environment.id, "k", mark)
        await connection.execute(
            text("UPDATE idempotency_keys SET created_at = created_at - interval '1 hour'")
        )
        again = await claim(connection, environment.id, "k", mark)
    assert again.mine
    assert again.claimed_at == first.claimed_at - timedelta(hours=1)


def test_what_a_named_request_makes_has_the_same_id_when_it_is_run_again() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    key = ApiKey("key_1", "env_1", "ten_1", "test", "ingest", ("write",), at, None)
    first, again = (Caller(key, RequestName("k1", at)) for _ in range(2))
    other, unnamed = Caller(key, RequestName("k2", at)), Caller(key)
    assert first.id_for("cus") == again.id_for("cus")
    assert len({first.id_for("cus"), first.id_for("sub"), other.id_for("cus")}) == 3
    assert unnamed.id_for("cus") != unnamed.id_for("cus")
    assert first.id_for("cus")[4:16] == f"{int(at.timestamp() * 1000):012x}"
    assert first.id_for("cus")[16] == "7"


# Health.


async def test_it_is_alive_and_ready(desk: Desk) -> None:
    async with desk.client(None) as anyone:
        assert (await anyone.get("/healthz")).json() == {"status": "ok"}
        ready = (await anyone.get("/readyz")).json()
    assert ready["checks"] == {"database": "ok", "migrations": "ok", "temporal": "ok"}


async def test_there_are_no_test_clocks_where_time_is_real(desk: Desk) -> None:
    async with desk.database.registry() as connection:
        tenant = await open_tenant(connection, new_id("ten"), "Tenant of a test")
        live = await open_environment(connection, tenant.id, "live")
    clock = {"now": "2026-01-01T00:00:00Z"}
    async with desk.client(await desk.key(live, "admin")) as client:
        assert (await client.post("/v1/test-clocks", json=clock)).status_code == 403
        assert (await client.post("/v1/test-clocks/clk_1/advance", json=clock)).status_code == 403


class Away:
    """Temporal's client, when nobody answers any more."""

    @property
    def service_client(self) -> "Away":
        return self

    async def check_health(self, **_: object) -> bool:
        raise RPCError("nobody is there", RPCStatusCode.UNAVAILABLE, b"")

    async def start_workflow(self, *_: object, **__: object) -> None:
        await self.check_health()


async def test_where_temporal_is_away_what_was_asked_is_kept_for_later(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    opened: Connections = app.state.connections
    app.state.connections = Connections(opened.database, cast(Client, Away()), None)
    ready = await client.get("/readyz")
    assert (ready.status_code, "temporal" in ready.json()["detail"]) == (503, True)
    await client.post("/v1/customers", json={"key": "acme"})
    interval = {"interval": {"unit": "month"}, "currency": "USD"}
    await client.post("/v1/plans", json={"key": "pro", **interval})
    asked = await client.post("/v1/subscriptions", json={"customer": "acme", "plan": "pro"})
    assert (asked.status_code, asked.headers["retry-after"]) == (503, "1")
    assert asked.json()["detail"] == "What we depend on does not answer: try again."
    listed = (await client.get("/v1/subscriptions")).json()["data"]
    assert [subscription["status"] for subscription in listed] == ["scheduled"]


async def test_where_the_database_is_away_nothing_is_told_of_it(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    opened: Connections = app.state.connections
    away = Database("postgresql://weir:secret@127.0.0.1:1/weir")
    app.state.connections = Connections(away, opened.temporal, None)
    for path in ("/v1/customers", "/readyz"):
        response = await client.get(path)
        assert response.status_code == 503
        assert "secret" not in response.text
    await away.close()
