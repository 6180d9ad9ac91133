"""Customers over HTTP."""

import httpx
import pytest

from tests.api.conftest import Desk

CUSTOMERS = "/v1/customers"
ACME = {
    "key": "acme",
    "name": "Acme Inc.",
    "email": "billing@acme.example",
    "timezone": "America/New_York",
    "metadata": {"crm": "0042"},
}


async def test_a_customer_is_made_and_found_by_key_and_id(client: httpx.AsyncClient) -> None:
    made = await client.post(CUSTOMERS, json=ACME)
    assert made.status_code == 201
    assert {name: made.json()[name] for name in ACME} == ACME
    assert made.json()["id"].startswith("cus_")
    by_key = await client.get(f"{CUSTOMERS}/acme")
    by_id = await client.get(f"{CUSTOMERS}/{made.json()['id']}")
    assert by_key.json() == by_id.json() == made.json()
    assert (await client.get(CUSTOMERS)).json() == {"data": [made.json()], "next": None}


async def test_without_a_key_the_id_is_the_key(client: httpx.AsyncClient) -> None:
    made = (await client.post(CUSTOMERS, json={})).json()
    assert made["key"] == made["id"]
    assert made["timezone"] == "UTC"


async def test_a_taken_key_is_a_conflict(client: httpx.AsyncClient) -> None:
    await client.post(CUSTOMERS, json=ACME)
    assert (await client.post(CUSTOMERS, json=ACME)).status_code == 409


async def test_only_what_is_named_changes(client: httpx.AsyncClient) -> None:
    made = (await client.post(CUSTOMERS, json=ACME)).json()
    changed = await client.patch(f"{CUSTOMERS}/acme", json={"name": "Acme Ltd", "email": None})
    assert changed.json() == {**made, "name": "Acme Ltd", "email": None}
    assert (await client.get(f"{CUSTOMERS}/acme")).json() == changed.json()
    assert (await client.patch(f"{CUSTOMERS}/nobody", json={})).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"key": "-acme"}, "key"),
        ({"key": "a" * 201}, "key"),
        ({"email": "acme"}, "email"),
        ({"timezone": "Mars/Phobos"}, "timezone"),
        ({"tax_rates": ["vat"]}, "tax_rates.0"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"metadata": {str(n): "x" for n in range(51)}}, "metadata"),
        ({"test_clock": "clk_nothing"}, "test_clock"),
        ({"nmae": "Acme"}, "nmae"),
    ],
)
async def test_a_wrong_customer_is_refused_with_the_path(
    client: httpx.AsyncClient, wrong: dict[str, object], path: str
) -> None:
    response = await client.post(CUSTOMERS, json={**ACME, **wrong})
    assert [fault["path"] for fault in response.json()["errors"]] == [path]
    assert (await client.get(CUSTOMERS)).json()["data"] == []


async def test_a_tax_rate_that_is_archived_stays_with_who_has_it(
    client: httpx.AsyncClient,
) -> None:
    await client.post("/v1/tax-rates", json={"key": "vat", "percent": "20"})
    taxed = await client.post(CUSTOMERS, json={**ACME, "tax_rates": ["vat"]})
    assert taxed.json()["tax_rates"] == ["vat"]
    await client.post("/v1/tax-rates/vat/archive")
    kept = await client.patch(f"{CUSTOMERS}/acme", json={"tax_rates": ["vat"]})
    new = await client.post(CUSTOMERS, json={"key": "other", "tax_rates": ["vat"]})
    assert (kept.status_code, new.status_code) == (200, 422)


async def test_an_environment_sees_its_own_customers_alone(
    client: httpx.AsyncClient, desk: Desk
) -> None:
    made = (await client.post(CUSTOMERS, json=ACME)).json()
    async with desk.stranger() as stranger:
        assert (await stranger.get(f"{CUSTOMERS}/{made['id']}")).status_code == 404
        assert (await stranger.post(CUSTOMERS, json=ACME)).status_code == 201
        assert len((await stranger.get(CUSTOMERS)).json()["data"]) == 1
