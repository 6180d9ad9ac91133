"""Custom units over HTTP: made and changed in the catalogue, and credit given in them."""

from typing import Any

import httpx
import pytest

from db.session import Database
from db.tenants import Environment
from tests.api.bad_input import rows

CREDITS = {"key": "credits", "name": "AI credits", "currency": "USD", "rate": "0.01"}
GRANT = {"key": "g1", "customer": "acme", "amount": "1000", "kind": "prepaid", "unit": "credits"}


async def sent(client: httpx.AsyncClient, path: str, body: object = None) -> Any:
    response = await client.post(f"/v1/{path}", json=body)
    assert response.is_success, response.text
    return response.json()


async def read(client: httpx.AsyncClient, path: str) -> Any:
    response = await client.get(f"/v1/{path}")
    assert response.is_success, response.text
    return response.json()


def in_unit(grant: Any) -> tuple[str, str, str, str, str]:
    return (
        grant["amount"],
        grant["unit"],
        grant["unit_rate"],
        grant["unit_amount"],
        grant["unit_remaining"],
    )


@pytest.fixture
async def shop(client: httpx.AsyncClient) -> httpx.AsyncClient:
    await sent(client, "customers", {"key": "acme"})
    await sent(client, "units", CREDITS)
    return client


async def test_a_grant_keeps_the_rate_that_it_was_made_at(shop: httpx.AsyncClient) -> None:
    first = await sent(shop, "credit-grants", GRANT)
    assert (first["currency"], *in_unit(first)) == ("USD", "10.00", "credits", "0.01", "1000", "1000")  # fmt: skip
    changed = await shop.patch("/v1/units/credits", json={"rate": "0.020"})
    assert (changed.json()["rate"], changed.json()["name"]) == ("0.02", "AI credits")
    second = await sent(shop, "credit-grants", {**GRANT, "key": "g2"})
    assert in_unit(second) == ("20.00", "credits", "0.02", "1000", "1000")
    own = await sent(shop, "credit-grants", {**GRANT, "key": "g3", "amount": 3, "unit_rate": "7"})
    assert in_unit(own) == ("21.00", "credits", "7", "3", "3")
    assert await read(shop, "credit-grants/g1") == first
    plain = await sent(shop, "credit-grants", {"customer": "acme", "amount": "1", "kind": "prepaid"})  # fmt: skip
    assert (plain["currency"], plain["unit"], plain["unit_remaining"]) == ("USD", None, None)
    balance = await read(shop, "customers/acme/balance")
    assert (balance["prepaid"], balance["units"]) == ("52.00", {"credits": "2003"})
    voided = await sent(shop, "credit-grants/g1/void")
    assert in_unit(voided) == ("10.00", "credits", "0.01", "1000", "0")
    assert (await read(shop, "customers/acme/balance"))["units"] == {"credits": "1003"}


async def test_an_archived_unit_is_given_to_nobody_new(shop: httpx.AsyncClient) -> None:
    await sent(shop, "credit-grants", GRANT)
    await sent(shop, "units/credits/archive")
    refused = await shop.post("/v1/credit-grants", json={**GRANT, "key": "g2", "unit_rate": "1"})
    assert refused.json()["errors"] == [{"path": "unit", "message": "the unit credits is archived"}]
    assert (await read(shop, "credit-grants/g1"))["unit_remaining"] == "1000"


async def test_only_its_name_and_its_rate_change(shop: httpx.AsyncClient) -> None:
    for changes, path in (({"currency": "EUR"}, "currency"), ({"rate": None}, "rate"), ({"rate": "0"}, "rate"), ({"rate": 0.5}, "rate")):  # fmt: skip
        refused = await shop.patch("/v1/units/credits", json=changes)
        assert (refused.status_code, refused.json()["errors"][0]["path"]) == (422, path)
    unnamed = await shop.patch("/v1/units/credits", json={"name": None})
    assert "name" not in unnamed.json()
    assert unnamed.json()["rate"] == "0.01"


@pytest.mark.parametrize(("door", "members", "path"), [
    ("credit-grants", {"unit": "coins"}, "unit_rate"),
    ("credit-grants", {"currency": "EUR"}, "unit"),
    ("credit-grants", {"amount": "0.5"}, "amount"),
    ("credit-grants", {"amount": "-1"}, "amount"),
    ("credit-grants", {"amount": 0.5}, "amount"),
    ("credit-grants", {"unit_rate": "0"}, "unit_rate"),
    ("credit-grants", {"unit_rate": "-0.01"}, "unit_rate"),
    ("credit-grants", {"unit_rate": "1e-2"}, "unit_rate"),
    ("credit-grants", {"unit_rate": "0." + "1" * 39}, "unit_rate"),
    ("credit-grants", {"unit": None, "unit_rate": "0.01"}, "unit"),
    ("credit-grants", {"unit": ["credits"]}, "unit"),
    ("customers/acme/top-ups", {"unit": "coins"}, "unit_rate"),
    ("customers/acme/top-ups", {"currency": "JPY"}, "unit"),
    ("customers/acme/top-ups", {"amount": "0.5"}, "amount"),
    ("customers/acme/top-ups", {"unit_rate": "0"}, "unit_rate"),
])  # fmt: skip
async def test_what_is_refused_posts_nothing(
    shop: httpx.AsyncClient,
    database: Database,
    environment: Environment,
    door: str,
    members: dict[str, object],
    path: str,
) -> None:
    before = await rows(database, environment)
    body: dict[str, object] = {**GRANT, **members}
    if door != "credit-grants":
        body = {name: body[name] for name in body if name not in ("customer", "kind")}
    refused = await shop.post(f"/v1/{door}", json=body)
    told = [error["path"] for error in refused.json().get("errors", [])]
    assert (refused.status_code, told) == (422, [path])
    assert await rows(database, environment) == before
