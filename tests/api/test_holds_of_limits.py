"""Holds on what is left of a limit: reserved or refused, settled with an event that its meter counts."""

import asyncio
from typing import Any

import httpx
import pytest

from db.session import Database
from db.tenants import Environment
from tests.api.asking import Asking
from tests.api.test_holds import pumped, refused
from tests.billing_world import PRO, World, open_world
from tests.db.test_wallets import at

FEATURES: tuple[dict[str, object], ...] = (
    {"key": "tokens", "type": "metered", "meter": "tokens"},
    {"key": "open", "type": "metered", "meter": "tokens"},
    {"key": "lenient", "type": "metered", "meter": "tokens"},
    {"key": "other", "type": "metered", "meter": "tokens"},
    {"key": "tuning", "type": "boolean"},
)
ENTITLED = {
    **PRO,
    "entitlements": [
        {"feature": "tokens", "type": "metered", "limit": "100"},
        {"feature": "open", "type": "metered"},
        {"feature": "lenient", "type": "metered", "limit": "1", "on_limit": "notify"},
        {"feature": "tuning", "type": "boolean", "value": True},
    ],
}


@pytest.fixture
async def world(database: Database, environment: Environment) -> World:
    world = await open_world(database, environment, ENTITLED)
    await world.begin()
    return world


@pytest.fixture
async def asking(world: World, client: httpx.AsyncClient) -> Asking:
    asking = Asking(client)
    for feature in FEATURES:
        await asking.post("features", feature)
    return asking


def hold(quantity: str, feature: str = "tokens", **more: object) -> dict[str, object]:
    return {"customer": "acme", "feature": feature, "quantity": quantity, **more}


async def left(asking: Asking) -> Any:
    body = {"customer": "acme", "feature": "tokens"}
    return (await asking.post("entitlements/check", body))["remaining"]


async def test_a_limit_is_held_until_there_is_none(asking: Asking) -> None:
    first = await asking.post("holds", hold("60"))
    assert (first["status"], first["quantity"], first["available"]) == ("open", "60", "40")
    problem = await refused(asking, "holds", hold("40.5"), 409, "limit_reached")
    assert problem["available"] == "40"
    await asking.post("holds", hold("40", key="second"))
    assert (await asking.post("holds", hold("40", key="second")))["available"] == "0"
    assert await left(asking) == "0"
    await asking.post(f"holds/{first['id']}/release", {})
    assert await left(asking) == "60"


async def test_what_is_settled_stays_reserved_until_it_counts(asking: Asking, world: World) -> None:
    held = await asking.post("holds", hold("60"))
    path = f"holds/{held['id']}/settle"
    settled = await asking.post(path, {"quantity": "25"})
    assert (settled["used"], settled["event"], settled["claim"]) == ("25", held["id"], "25")
    assert (await asking.get(f"events/{held['id']}"))["properties"] == {"tokens": "25"}
    another = await asking.post("holds", hold("70"))  # nobody has counted yet
    assert another["available"] == "5"
    assert await left(asking) == "5"
    await pumped(world)
    assert (await asking.get(f"holds/{held['id']}"))["claim"] == "0"
    assert await world.rows("SELECT used, reserved FROM allowances WHERE feature = 'tokens'") == [
        (25, 70)
    ]
    assert (await asking.post(path, {"quantity": "25"}))["status"] == "settled"
    await refused(asking, path, {"quantity": "24"}, 409, "hold_settled")


async def test_usage_beside_holds_counts_at_once(asking: Asking) -> None:
    await asking.post("holds", hold("60"))
    await asking.send([{"id": "e1", "event_name": "llm", "customer": "acme", "properties": {"tokens": "30"}}])  # fmt: skip
    problem = await refused(asking, "holds", hold("11"), 409, "limit_reached")
    assert problem["available"] == "10"
    assert (await asking.post("holds", hold("10")))["available"] == "0"


async def test_a_hold_that_has_expired_is_not_in_what_is_computed(
    asking: Asking, world: World
) -> None:
    """Whether or not anybody has noticed its end."""
    await asking.post("holds", hold("60", expires_in=60))
    await at(world, "2026-01-01T01:00:00Z")
    await world.rows("UPDATE allowances SET stale = true, generation = generation + 1 RETURNING 1")
    assert await left(asking) == "100"


async def test_usage_behind_a_settled_hold_counts_each_once(asking: Asking) -> None:
    """What was settled is in what was used as soon as the news is added to it, and claims nothing beside that."""
    held = await asking.post("holds", hold("60"))
    await asking.post(f"holds/{held['id']}/settle", {"quantity": "25"})
    await asking.send([{"id": "e1", "event_name": "llm", "customer": "acme", "properties": {"tokens": "30"}}])  # fmt: skip
    assert await left(asking) == "45"
    every = (await asking.get("customers/acme/entitlements"))["data"]
    assert [each["remaining"] for each in every if each["feature"] == "tokens"] == ["45"]
    problem = await refused(asking, "holds", hold("45.5"), 409, "limit_reached")
    assert problem["available"] == "45"
    assert (await asking.post("holds", hold("45")))["available"] == "0"
    assert await left(asking) == "0"


async def test_an_expired_hold_takes_nothing_of_a_limit(asking: Asking, world: World) -> None:
    await asking.post("holds", hold("100", expires_in=60))
    await refused(asking, "holds", hold("1"), 409, "limit_reached")
    await world.rows("UPDATE test_clocks SET now = now + interval '1 minute' RETURNING id")
    assert await left(asking) == "100"
    assert (await asking.post("holds", hold("99")))["available"] == "1"


async def test_what_cannot_be_held_is_refused_by_name(asking: Asking) -> None:
    await refused(asking, "holds", hold("1", "open"), 409, "no_limit")
    await refused(asking, "holds", hold("1", "tuning"), 409, "not_metered")
    await refused(asking, "holds", hold("1", "other"), 409, "not_entitled")
    await refused(asking, "holds", hold("1", "nothing"), 404, "not_found")
    assert await asking.refused("holds", hold("0")) == ["quantity"]
    assert await asking.refused("holds", hold("-1")) == ["quantity"]
    assert (await asking.get("holds"))["data"] == []
    assert (await asking.post("holds", hold("5", "lenient")))["available"] == "0"


async def test_what_a_hold_on_a_limit_is_not_settled_with(asking: Asking) -> None:
    held = await asking.post("holds", hold("5"))
    path = f"holds/{held['id']}/settle"

    def usage(tokens: str, name: str = "llm") -> dict[str, object]:
        return {"event": {"event_name": name, "properties": {"tokens": tokens}}}

    assert await asking.refused(path, {"quantity": "5.01"}) == ["quantity"]
    assert await asking.refused(path, usage("6")) == ["quantity"]
    assert await asking.refused(path, usage("-1")) == ["event"]
    assert await asking.refused(path, usage("1", "search")) == ["event"]
    assert await asking.refused(path, usage("many")) == ["event.properties.tokens"]
    assert await asking.refused(path, {**usage("4"), "quantity": "3"}) == ["quantity"]
    assert await asking.refused(path, {"amount": "1"}) == ["amount"]
    assert (await asking.post(path, {**usage("4"), "quantity": "4.0"}))["used"] == "4"


async def test_racing_holds_take_exactly_the_limit(asking: Asking) -> None:
    asked = [asking.client.post("/v1/holds", json=hold("0.7")) for _ in range(160)]
    statuses = [response.status_code for response in await asyncio.gather(*asked)]
    assert (statuses.count(201), statuses.count(409)) == (142, 18)
    assert await left(asking) == "0.6"
