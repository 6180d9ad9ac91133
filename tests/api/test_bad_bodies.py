"""Bodies that are no document at all, or too much of one: refused by work that their size bounds, and nothing is stored."""

import re

import httpx
import pytest

from api.bodies import DEEPEST
from api.problems import MOST_FAULTS
from tests.api.bad_input import a_meter, a_plan, an_event, send, shop, untold

__all__ = ["shop"]


@pytest.mark.parametrize(
    "body",
    [
        an_event('"1", "tokens": "2"'),
        an_event('"1"', id='"e1", "id": "e2"'),
        an_event('"1", "t\\u006fkens": "2"'),
        an_event('"1", "deep": [{"a": {"b": 1, "b": 1}}]'),
        an_event('"1", "a": 1.5, "a": 2.5'),
        "[" + an_event('"1"') + ", " + an_event('"1", "tokens": "2"', id='"e2"') + "]",
    ],
    ids=["property", "member", "escaped", "deep", "floats", "in a batch"],
)
async def test_an_event_that_names_a_member_twice_is_refused(
    shop: httpx.AsyncClient, body: str
) -> None:
    assert await untold(shop, "events", [(body, "")]) == []
    lines = await shop.post(
        "/v1/events", content=body, headers={"Content-Type": "application/x-ndjson"}
    )
    assert [(each["index"], each["path"]) for each in lines.json()["rejected"]] == [(0, "")]


async def test_a_document_that_names_a_member_twice_is_refused(shop: httpx.AsyncClient) -> None:
    price = '{"model": "per_unit", "unit_amount": "1", "unit_amount": "1"}'
    many = ", ".join(f'"m{n}": 1' for n in range(50_000))
    assert await untold(shop, "plans", [(a_plan(price), "")]) == []
    assert await untold(shop, "meters", [(a_meter(key='"a", "key": "b"'), "")]) == []
    assert await untold(shop, "customers", [(f'{{{many}, "m49999": 1}}', "")]) == []


@pytest.mark.parametrize("depth", [DEEPEST, 300, 600, 950, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")], ids=["list", "object"])  # fmt: skip
async def test_depth(shop: httpx.AsyncClient, depth: int, opening: str, closing: str) -> None:
    """At whatever depth, also with text in it that nobody could keep."""
    for inner in ("1", '"x"', '"\\u0000"'):
        deep = opening * depth + inner + closing * depth
        for door, body in (
            ("plans", a_plan(deep)),
            ("plans", a_plan('{"model": "flat", "amount": "1"}', name=deep)),
            ("meters", a_meter(value=deep)),
            ("meters", a_meter(filters=deep)),
            ("customers", f'{{"key": "globex", "metadata": {deep}}}'),
            ("subscriptions", f'{{"key": "s", "customer": "acme", "plan": "p", "quantities": {deep}}}'),
            ("simulations", f'{{"name": "deep", "plans": {deep}}}'),
            ("customers", deep),
        ):  # fmt: skip
            response = await send(shop, door, body)
            assert response.status_code == 422, (door, inner, response.text[:300])
            assert response.json()["errors"]
        event = await send(shop, "events", an_event('"1"', properties=f'{{"tokens": "1", "deep": {deep}}}'))  # fmt: skip
        assert event.status_code in (202, 422)
        assert event.json().get("accepted", 0) == 0


async def test_no_answer_is_many_times_as_long_as_what_was_sent(shop: httpx.AsyncClient) -> None:
    tier = '{"up_to": "x", "unit_amount": "x"}'
    bodies = [
        ("customers", '{"key": "globex", ' + ", ".join(f'"m{n}": 1' for n in range(20_000)) + "}"),
        ("customers", '{"key": "globex", "metadata": {"a": [' + '"\\u0000",' * 50_000 + "1]}}"),
        ("plans", a_plan(f'{{"model": "graduated", "tiers": [{", ".join([tier] * 1_000)}]}}')),
        ("meters", a_meter(filters='[{"property": "a", "in": [' + "1.5," * 999 + "1.5]}]")),
    ]
    for door, body in bodies:
        response = await send(shop, door, body)
        assert response.status_code == 422
        assert len(response.json()["errors"]) == MOST_FAULTS
        assert len(response.content) < 50_000
    credits = ", ".join(["{}"] * 200)
    both = f'{bodies[2][1][:-1]}, "credits": [{credits}]}}'
    response = await send(shop, "plans", both)
    assert len(response.json()["errors"]) == MOST_FAULTS
    assert re.search(r"; and [1-9][0-9]* more$", response.json()["detail"])


@pytest.mark.parametrize(
    "body",
    ["", " ", "{", "[1, 2", '"\\ud800"', '{"key": "\\ud800"}', "\ufeff{}", '{"a" "b"}', "{'a': 1}"],
)
async def test_what_is_half_a_body(shop: httpx.AsyncClient, body: str) -> None:
    for door in ("plans", "meters", "customers", "subscriptions", "events"):
        response = await send(shop, door, body)
        assert response.status_code == 422, (door, response.text)
        assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "door",
    [
        "credit-grants/none/void",
        "holds/none/release",
        "invoices/none/void",
        "invoices/none/pay",
        "invoices/none/mark-paid",
        "invoices/none/mark-uncollectible",
        "plans/none/archive",
        "features/none/archive",
    ],
)
async def test_a_body_where_none_is_taken(shop: httpx.AsyncClient, door: str) -> None:
    """Who asks for a preview, or for a part, is told that there is none: it would be done, and all of it."""
    cases = [('{"preview": true}', "preview"), ('{"amount": "5"}', "amount"), ("[]", ""), ("{", "")]
    assert await untold(shop, door, cases) == []
    for empty in ("", " ", "{}"):
        assert (await send(shop, door, empty)).status_code == 404


async def test_a_story_is_as_long_as_one_answer_may_take(
    shop: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What repeats is counted before it happens, and what comes due as it does."""
    monkeypatch.setattr("api.simulations.MOST_STEPS", 200)
    customers = '"customers": [{"key": "acme"}]'
    usage = '{"customer": "acme", "event_name": "call", "every": {"unit": "hour", "count": 1}, "times": 100000}'
    entry = f'{{"at": "2026-01-01T00:00:00Z", "usage": {usage}}}'
    often = f'"timeline": [{", ".join([entry] * 20)}], "until": "2099-01-01T00:00:00Z"'
    hourly = '{"key": "p", "interval": {"unit": "hour", "count": 1}, "items": []}'
    begin = (
        '{"at": "2026-01-01T00:00:00Z", "subscribe": {"key": "s", "customer": "acme", "plan": "p"}}'
    )
    long = f'"plans": [{hourly}], "timeline": [{begin}], "until": "2099-01-01T00:00:00Z"'
    for story, path in ((often, "timeline"), (long, "until")):
        body = f'{{"name": "long", "currency": "USD", {customers}, {story}}}'
        response = await send(shop, "simulations", body)
        assert response.status_code == 422, response.text[:300]
        assert [fault["path"] for fault in response.json()["errors"]] == [path]
