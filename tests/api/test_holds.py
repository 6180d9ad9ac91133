"""Holds over HTTP: reserved or refused, settled with an event, released, expired."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from activities.usage import UsageSteps
from db.session import Database
from db.tenants import Environment
from db.usage_horizon import wait_for_horizon
from db.usage_pump import pump_once
from domain.commands import Cancel
from domain.reading import written
from tests.api.asking import Asking
from tests.api.conftest import Desk
from tests.billing_world import JANUARY, PRO, World, open_world
from tests.db.test_wallets_crossed import charged

TAKEN = JANUARY + timedelta(days=3)
ENDED = JANUARY + timedelta(days=5)
CREDIT = {"customer": "acme", "amount": "1.00", "kind": "prepaid", "currency": "USD"}


@pytest.fixture
async def world(database: Database, environment: Environment) -> World:
    """Acme with a subscription, on a test clock."""
    world = await open_world(database, environment)
    await world.begin()
    await world.grant(100)
    return world


@pytest.fixture
async def asking(world: World, client: httpx.AsyncClient) -> Asking:
    return Asking(client)


async def pumped(world: World) -> None:
    await wait_for_horizon(world.database)
    await pump_once(world.database, world.environment)
    steps = UsageSteps(world.database, None)  # type: ignore[arg-type]  # tells no life
    await steps.bring_up_to_date(world.environment)


async def wallet(asking: Asking) -> Any:
    (found,) = (await asking.get("customers/acme/wallets"))["data"]
    return found


async def refused(asking: Asking, path: str, body: object, status: int, code: str) -> Any:
    response = await asking.client.post(f"/v1/{path}", json=body)
    assert response.status_code == status, response.text
    problem = response.json()
    assert problem["type"] == f"urn:weir:problem:{code}"
    return problem


def hold(amount: str, **more: object) -> dict[str, object]:
    return {"customer": "acme", "amount": amount, "currency": "USD", **more}


def usage(tokens: str, **more: object) -> dict[str, object]:
    return {"event": {"event_name": "llm", "properties": {"tokens": tokens}, **more}}


async def test_credit_is_held_until_there_is_none(asking: Asking) -> None:
    first = await asking.post("holds", hold("0.6"))
    assert (first["status"], first["amount"], first["available"]) == ("open", "0.6", "0.4")
    problem = await refused(asking, "holds", hold("0.4001"), 402, "insufficient_credit")
    assert problem["available"] == "0.4"
    await asking.post("holds", {"customer": "acme", "amount": "0.4"})  # of the usual currency
    assert (await wallet(asking))["available"] == "0"
    released = await asking.post(f"holds/{first['id']}/release", {})
    assert (released["status"], released["claim"]) == ("released", "0")
    again = await asking.post(f"holds/{first['id']}/release", {})
    assert again == released
    assert (await wallet(asking))["available"] == "0.6"
    open_ones = await asking.get("holds", customer="acme", status="open")
    assert [each["amount"] for each in open_ones["data"]] == ["0.4"]


async def test_a_plan_lets_holds_go_below_zero_while_it_lives(
    database: Database, environment: Environment, client: httpx.AsyncClient
) -> None:
    """From its beginning and to its end at once, before anything is rated again."""
    world = await open_world(database, environment, {**PRO, "overdraft": "2.00"})
    await world.grant(100)
    asking = Asking(client)
    await refused(asking, "holds", hold("1.01"), 402, "insufficient_credit")
    await world.begin()  # its first invoice burns what was granted
    held = await asking.post("holds", hold("2"))
    assert held["available"] == "-2"
    await refused(asking, "holds", hold("0.01"), 402, "insufficient_credit")
    await asking.post(f"holds/{held['id']}/release", {})
    await world.ask(Cancel("immediately", "none"), ENDED)
    await refused(asking, "holds", hold("0.01"), 402, "insufficient_credit")


async def test_what_is_settled_stays_reserved_until_it_runs_up(
    asking: Asking, world: World
) -> None:
    held = await asking.post("holds", hold("0.5"))
    settled = await asking.post(f"holds/{held['id']}/settle", {"amount": "0.3", **usage("25")})
    assert (settled["status"], settled["used"], settled["event"]) == ("settled", "0.3", held["id"])
    assert (await asking.get(f"events/{held['id']}"))["properties"] == {"tokens": "25"}
    before = await wallet(asking)
    assert (before["running"], before["reserved"]) == ("0.00", "0.3")
    await pumped(world)
    after = await wallet(asking)
    assert (after["running"], after["reserved"], after["available"]) == ("0.25", "0", "0.75")
    assert (await asking.get(f"holds/{held['id']}"))["claim"] == "0"
    again = await asking.post(f"holds/{held['id']}/settle", {"amount": "0.3", **usage("25")})
    assert again == {**settled, "claim": "0"}


async def test_what_a_hold_used_of_a_life_that_is_over_is_promised_to_nobody_else(
    asking: Asking, world: World
) -> None:
    """It was settled after the final invoice, and an invoice of its own is still to burn that credit."""
    held = await asking.post("holds", hold("0.8"))
    await world.ask(Cancel("immediately", "none"), ENDED)
    await asking.post(f"holds/{held['id']}/settle", usage("60", time=written(TAKEN)))
    assert (await wallet(asking))["available"] == "0.2"
    await pumped(world)
    after = await wallet(asking)
    assert (after["reserved"], after["running"], after["available"]) == ("0", "0.60", "0.4")
    await refused(asking, "holds", hold("0.5"), 402, "insufficient_credit")
    await charged(world)
    await pumped(world)
    burned = await wallet(asking)
    assert (burned["posted"], burned["running"], burned["available"]) == ("0.40", "0.00", "0.4")


async def test_what_a_hold_used_after_the_end_of_a_life_costs_nothing(
    asking: Asking, world: World
) -> None:
    held = await asking.post("holds", hold("0.8"))
    await world.ask(Cancel("immediately", "none"), ENDED)
    await asking.post(f"holds/{held['id']}/settle", usage("60", time=written(ENDED)))
    await pumped(world)
    after = await wallet(asking)
    assert (after["reserved"], after["running"], after["available"]) == ("0", "0.00", "1")


async def test_usage_that_was_sent_before_needs_no_event(asking: Asking, world: World) -> None:
    held = await asking.post("holds", hold("0.5"))
    assert (await asking.post(f"holds/{held['id']}/settle", {"amount": "0.1"}))["event"] is None
    assert (await wallet(asking))["reserved"] == "0.1"
    await pumped(world)
    assert (await wallet(asking))["reserved"] == "0"


async def test_what_a_hold_is_not_settled_with(asking: Asking) -> None:
    held = await asking.post("holds", hold("0.5"))
    path = f"holds/{held['id']}/settle"
    assert await asking.refused(path, {"amount": "0.50001"}) == ["amount"]
    assert await asking.refused(path, {"amount": "0"}) == ["amount"]
    assert await asking.refused(path, {"amount": "-0.1"}) == ["amount"]
    assert await asking.refused(path, {"quantity": "1"}) == ["quantity"]
    assert await asking.refused(path, {}) == ["amount"]
    assert await asking.refused(path, usage("many")) == ["event.properties.tokens"]
    assert await asking.refused(path, usage("1", customer="other")) == ["event.customer"]
    assert (await asking.get(f"holds/{held['id']}"))["status"] == "open"
    await asking.post(path, usage("25"))
    await refused(asking, path, usage("26"), 409, "hold_settled")
    await refused(asking, f"holds/{held['id']}/release", {}, 409, "hold_settled")
    assert (await wallet(asking))["reserved"] == "0.5"


async def test_an_expired_hold_claims_nothing_from_its_instant_on(
    asking: Asking, world: World
) -> None:
    held = await asking.post("holds", hold("0.7", expires_in=60))
    await world.rows("UPDATE test_clocks SET now = now + interval '59 seconds' RETURNING id")
    await refused(asking, "holds", hold("0.7"), 402, "insufficient_credit")
    await world.rows("UPDATE test_clocks SET now = now + interval '1 second' RETURNING id")
    assert (await wallet(asking))["available"] == "1"
    shown = await asking.get(f"holds/{held['id']}")
    assert (shown["status"], shown["claim"]) == ("expired", "0")
    assert (await asking.get("holds", status="expired"))["data"] == [shown]
    await refused(asking, f"holds/{held['id']}/settle", usage("1"), 409, "hold_expired")
    assert (await asking.post(f"holds/{held['id']}/release", {}))["status"] == "expired"
    second = await asking.post("holds", hold("0.7"))  # before anyone has swept
    assert second["available"] == "0.3"
    assert await world.rows("SELECT topic, subject FROM outbox WHERE topic = 'hold.expired'") == [
        ("hold.expired", held["id"])
    ]
    await world.rows("UPDATE test_clocks SET now = now + interval '1 day' RETURNING id")
    await pumped(world)
    assert await world.rows("SELECT reserved FROM wallets") == [(0,)]


async def test_a_hold_of_one_key_is_made_once(asking: Asking) -> None:
    first = await asking.post("holds", hold("0.6", key="call-1"))
    again = await asking.post("holds", hold("0.6", key="call-1"))
    assert again == first  # what remains is not enough for another
    await refused(asking, "holds", hold("0.3", key="call-1"), 409, "conflict")
    assert (await asking.get("holds/call-1"))["id"] == first["id"]
    assert (await wallet(asking))["reserved"] == "0.6"


async def test_a_child_holds_on_the_wallet_of_who_pays(asking: Asking) -> None:
    clock = (await asking.get("customers/acme"))["test_clock"]
    child = {"key": "child", "parent": "acme", "billing": "parent", "test_clock": clock}
    await asking.post("customers", child)
    held = await asking.post("holds", {"customer": "child", "amount": "0.9"})
    assert (held["customer"], held["available"]) == ("child", "0.1")
    await refused(asking, "holds", hold("0.2"), 402, "insufficient_credit")


async def test_bad_holds_are_refused_by_name(asking: Asking) -> None:
    assert await asking.refused("holds", hold("0")) == ["amount"]
    assert await asking.refused("holds", hold("-1")) == ["amount"]
    assert await asking.refused("holds", hold("10000000000001")) == ["amount"]
    assert await asking.refused("holds", {**hold("1"), "currency": "XXX"}) == ["currency"]
    assert await asking.refused("holds", {**hold("1"), "feature": "tokens"}) == [
        "amount",
        "currency",
    ]
    assert await asking.refused("holds", {"customer": "acme"}) == ["amount"]
    assert await asking.refused("holds", hold("1", expires_in=0)) == ["expires_in"]
    assert await asking.refused("holds", hold("1", expires_in=86_401)) == ["expires_in"]
    assert await asking.refused("holds", hold("1", quantity="2")) == ["quantity"]
    await refused(asking, "holds", {**hold("1"), "customer": "nobody"}, 404, "not_found")
    await refused(asking, "holds", {**hold("1"), "currency": "EUR"}, 402, "insufficient_credit")
    assert (await asking.get("holds"))["data"] == []


async def test_who_sends_usage_may_hold(
    asking: Asking, desk: Desk, environment: Environment
) -> None:
    async with desk.client(await desk.key(environment, "usage")) as gateway:
        held = await gateway.post("/v1/holds", json=hold("0.5"))
        assert held.status_code == 201
        path = f"/v1/holds/{held.json()['id']}"
        assert (await gateway.post(f"{path}/release", json={})).status_code == 200
        assert (await gateway.get(path)).status_code == 403
    async with desk.stranger() as stranger:
        assert (await stranger.get(path)).status_code == 404
        assert (await stranger.post(f"{path}/release", json={})).status_code == 404


async def test_racing_holds_grant_exactly_what_there_is(asking: Asking) -> None:
    asked = [asking.client.post("/v1/holds", json=hold("0.007")) for _ in range(160)]
    statuses = [response.status_code for response in await asyncio.gather(*asked)]
    assert (statuses.count(201), statuses.count(402)) == (142, 18)
    assert (await wallet(asking))["available"] == "0.006"


async def test_other_taxes_are_in_what_runs_up(asking: Asking, world: World) -> None:
    await world.use("e1", 50, JANUARY)
    await pumped(world)
    assert (await wallet(asking))["running"] == "0.50"
    await asking.post("tax-rates", {"key": "vat", "percent": "20", "inclusive": False})
    response = await asking.client.patch("/v1/customers/acme", json={"tax_rates": ["vat"]})
    assert response.is_success, response.text
    await pumped(world)
    assert (await wallet(asking))["running"] == "0.60"
