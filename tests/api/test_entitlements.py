"""What a customer may use, over HTTP: one check and several, overrides for one customer, and what is announced."""

import asyncio
from collections.abc import Mapping, Sequence

import httpx
import pytest
from sqlalchemy import text

from db.allowance_upkeep import due_allowances
from db.entitling import refresh
from db.session import Database
from db.tenants import Environment
from db.usage_horizon import wait_for_horizon
from tests.api.asking import Asking

TOKENS = {"key": "tokens", "event_name": "llm", "aggregation": "sum", "value": "n"}
FEATURES: tuple[Mapping[str, object], ...] = (
    {"key": "tokens", "type": "metered", "meter": "tokens"},
    {"key": "region", "type": "static"},
    {"key": "sso", "type": "boolean"},
)
CHECK = {"customer": "acme", "feature": "tokens"}
GIVEN = {"feature": "tokens", "limit": "10", "soft_limit": "8", "reason": "promised"}


@pytest.fixture
async def ask(client: httpx.AsyncClient) -> Asking:
    """Of a shop whose customers have no subscriptions: nobody leads any."""
    ask = Asking(client)
    await ask.post("meters", TOKENS)
    for feature in FEATURES:
        await ask.post("features", feature)
    for key in ("acme", "globex"):
        await ask.post("customers", {"key": key})
    return ask


async def use(ask: Asking, id: str, tokens: str) -> None:
    event = {"id": id, "event_name": "llm", "customer": "acme", "properties": {"n": tokens}}
    assert await ask.send([event]) == []


async def test_one_feature_of_very_many_is_given(
    ask: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.checking.MOST_FEATURES", 2)
    given = await ask.post("customers/acme/entitlements", {"feature": "sso", "reason": "promised"})
    assert (given["feature"], given["allowed"]) == ("sso", True)
    assert len((await ask.get("customers/acme/entitlements"))["data"]) == 2


async def test_what_a_customer_is_given_counts_at_once_and_until_it_is_taken_back(
    ask: Asking, client: httpx.AsyncClient
) -> None:
    assert (await ask.post("entitlements/check", CHECK))["reason"] == "not_entitled"
    given = await ask.post("customers/acme/entitlements", {**GIVEN, "limit": 10})
    assert (given["allowed"], given["limit"], given["soft_limit"]) == (True, "10", "8")
    assert given["override"] == {
        "expires_at": None,
        "reason": "promised",
        "given_by": "key:a test",
    }
    await use(ask, "e1", "7")
    allowed = await ask.post("entitlements/check", CHECK)
    assert (allowed["allowed"], allowed["used"], allowed["remaining"]) == (True, "7", "3")
    assert (allowed["reason"], allowed["soft_limit_reached"]) == ("soft_limit_reached", True)
    assert not (await ask.post("entitlements/check", {**CHECK, "quantity": "4"}))["allowed"]
    await ask.post("customers/acme/entitlements", {**GIVEN, "limit": "11"})
    assert (await ask.post("entitlements/check", {**CHECK, "quantity": "4"}))["allowed"]
    taken = await client.delete("/v1/customers/acme/entitlements/tokens")
    assert (taken.status_code, taken.json()["override"]) == (200, None)
    assert (await ask.post("entitlements/check", CHECK))["reason"] == "not_entitled"
    again = await client.delete("/v1/customers/acme/entitlements/tokens")
    assert again.status_code == 404


async def test_several_checks_are_answered_in_their_order(ask: Asking) -> None:
    region = {"feature": "region", "value": ["eu", "us"], "reason": "where they are"}
    await ask.post("customers/acme/entitlements", region)
    await ask.post("customers/acme/entitlements", GIVEN)
    await use(ask, "e1", "9")
    checks = [
        {**CHECK, "quantity": "1"},
        {**CHECK, "quantity": "2"},
        {"customer": "acme", "feature": "region"},
        {"customer": "globex", "feature": "region"},
        {"customer": "nobody", "feature": "region"},
        {"customer": "acme", "feature": "nothing"},
        CHECK,
    ]
    for _ in range(2):  # computed, and then as it is kept
        told = (await ask.post("entitlements/check", {"checks": checks}))["data"]
        assert [(each["customer"], each["feature"]) for each in told] == [
            (each["customer"], each["feature"]) for each in checks
        ]
        assert [each.get("allowed") for each in told] == [
            True,
            False,
            True,
            False,
            None,
            None,
            True,
        ]
        assert told[2]["value"] == ["eu", "us"]
        assert [each["error"]["detail"] for each in told[4:6]] == [
            "there is no customer nobody",
            "there is no feature nothing",
        ]
    alone = await ask.client.post("/v1/entitlements/check", json=checks[5])
    assert alone.status_code == 404


async def test_every_event_that_was_acknowledged_is_seen(ask: Asking) -> None:
    """However many come at once, and however many ask meanwhile."""
    await ask.post("customers/acme/entitlements", {**GIVEN, "limit": "1000"})

    async def use_and_look(number: int) -> tuple[int, int]:
        await use(ask, f"e{number}", "1")
        acknowledged.add(number)
        known = len(acknowledged)
        return known, int((await ask.post("entitlements/check", CHECK))["used"])

    acknowledged: set[int] = set()
    looked = await asyncio.gather(*(use_and_look(number) for number in range(12)))
    assert all(used >= known for known, used in looked)
    assert (await ask.post("entitlements/check", CHECK))["used"] == "12"


async def test_a_change_of_an_answer_is_announced(
    ask: Asking, database: Database, environment: Environment
) -> None:
    await ask.post("customers/acme/entitlements", GIVEN)
    await ask.post("entitlements/check", CHECK)
    await use(ask, "e1", "10")
    await wait_for_horizon(database)
    await refresh(database, environment.id, await due_allowances(database, environment.id, 10))
    await ask.post("entitlements/check", CHECK)
    async with database.transaction(environment.id) as connection:
        rows = await connection.execute(text("SELECT topic, body FROM outbox ORDER BY seq"))
        ((topic, body),) = rows.all()
    assert (topic, body["customer"], body["feature"], body["type"]) == (
        "entitlement.changed", "acme", "tokens", "metered",
    )  # fmt: skip
    assert (body["allowed"], body["remaining"], body["reason"]) == (False, "0", "limit_reached")


BAD: Sequence[tuple[str, Mapping[str, object], list[str]]] = (
    ("entitlements/check", {**CHECK, "quantity": "-1"}, ["quantity"]),
    ("entitlements/check", {**CHECK, "quantities": "1"}, ["quantities"]),
    ("entitlements/check", {"checks": [CHECK, {**CHECK, "quantity": "x"}, {}]}, ["checks.1.quantity", "checks.2.customer", "checks.2.feature"]),
    ("entitlements/check", {"checks": []}, ["checks"]),
    ("customers/acme/entitlements", {**GIVEN, "limit": "-1"}, ["limit"]),
    ("customers/acme/entitlements", {**GIVEN, "feature": "nothing"}, ["feature"]),
    ("customers/acme/entitlements", {"feature": "sso"}, ["reason"]),
    ("customers/acme/entitlements", {"feature": "region", "reason": "r"}, ["value"]),
    ("customers/acme/entitlements", {**GIVEN, "expires_at": "2020-01-01T00:00:00Z"}, ["expires_at"]),
    ("features", {"key": "f", "type": "boolean", "combine": "sum"}, ["combine"]),
)  # fmt: skip


async def test_bad_input_is_refused_with_its_path(ask: Asking) -> None:
    told = [(path, body, await ask.refused(path, body)) for path, body, _ in BAD]
    assert told == list(BAD)
    states = (await ask.get("customers/acme/entitlements"))["data"]
    assert {each["reason"] for each in states} == {"not_entitled"}
