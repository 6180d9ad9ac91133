"""Meters, features, coupons, tax rates and plans over HTTP."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from api.schemas import catalog as schemas
from api.schemas.features import FEATURE_EXAMPLE

DOCUMENTS: Mapping[str, Mapping[str, Any]] = {
    "/v1/meters": schemas.METER_EXAMPLE,
    "/v1/features": FEATURE_EXAMPLE,
    "/v1/coupons": schemas.COUPON_EXAMPLE,
    "/v1/tax-rates": schemas.TAX_RATE_EXAMPLE,
    "/v1/units": schemas.UNIT_EXAMPLE,
    "/v1/plans": schemas.PLAN_EXAMPLE,
}
NOUNS = [path for path in DOCUMENTS if path != "/v1/plans"]


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_a_document_is_made_read_listed_and_archived(
    client: httpx.AsyncClient, path: str
) -> None:
    wanted = DOCUMENTS[path]
    made = await client.post(path, json=wanted)
    assert made.status_code == 201
    assert {name: made.json()[name] for name in wanted} == wanted
    by_key = await client.get(f"{path}/{wanted['key']}")
    by_id = await client.get(f"{path}/{made.json()['id']}")
    listed = (await client.get(path)).json()
    assert by_key.json() == by_id.json() == made.json()
    assert listed == {"data": [made.json()], "next": None}
    archived = await client.post(f"{path}/{wanted['key']}/archive")
    again = await client.post(f"{path}/{made.json()['id']}/archive")
    assert archived.json()["archived_at"] is not None
    assert again.json() == archived.json()


@pytest.mark.parametrize("path", NOUNS)
async def test_a_taken_key_is_a_conflict(client: httpx.AsyncClient, path: str) -> None:
    await client.post(path, json=DOCUMENTS[path])
    again = await client.post(path, json=DOCUMENTS[path])
    assert (again.status_code, again.json()["title"]) == (409, "Conflict")


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_what_is_not_there_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    for response in (
        await client.get(f"{path}/nothing"),
        await client.post(f"{path}/nothing/archive"),
        await client.patch(f"{path}/nothing", json={"name": "x"}),
    ):
        assert response.status_code == 404


@pytest.mark.parametrize("path", NOUNS)
async def test_only_the_name_of_a_document_changes(client: httpx.AsyncClient, path: str) -> None:
    wanted = DOCUMENTS[path]
    await client.post(path, json=wanted)
    renamed = await client.patch(f"{path}/{wanted['key']}", json={"name": "Another"})
    assert {name: renamed.json()[name] for name in wanted} == {**wanted, "name": "Another"}
    refused = await client.patch(f"{path}/{wanted['key']}", json={"key": "other"})
    assert refused.json()["errors"] == [{"path": "key", "message": "is not a known field"}]
    unnamed = await client.patch(f"{path}/{wanted['key']}", json={"name": None})
    assert "name" not in unnamed.json()


@pytest.mark.parametrize(
    ("path", "changes", "fault"),
    [
        ("/v1/meters", {"aggregation": "median"}, "aggregation"),
        ("/v1/meters", {"vlaue": "tokens"}, "vlaue"),
        ("/v1/meters", {"filters": [{"property": "a", "exists": True, "like": "x"}]}, "filters.0.like"),
        ("/v1/features", {"type": "metered"}, "meter"),
        ("/v1/features", {"type": "metered", "meter": "nothing"}, "meter"),
        ("/v1/coupons", {"percent_off": "101"}, "percent_off"),
        ("/v1/coupons", {"percent_off": 12.5}, "percent_off"),
        ("/v1/tax-rates", {"percent": "1e1"}, "percent"),
        ("/v1/units", {"rate": "0"}, "rate"),
        ("/v1/units", {"rate": "-1"}, "rate"),
        ("/v1/units", {"rate": 0.01}, "rate"),
        ("/v1/units", {"rate": "0." + "0" * 38 + "1"}, "rate"),
        ("/v1/units", {"currency": "XYZ"}, "currency"),
        ("/v1/plans", {"interval": {"unit": "fortnight"}}, "interval.unit"),
        ("/v1/plans", {"currency": "usd"}, "currency"),
        ("/v1/plans", {"items": [{"key": "a", "kind": "usage", "meter": "nothing", "price": {"model": "flat", "amount": "1"}}]}, "items.0.meter"),
        ("/v1/plans", {"items": [{"key": "a", "kind": "recurring", "price": {"model": "flat", "amount": "1", "maximun": "2"}}]}, "items.0.price.maximun"),
        ("/v1/plans", {"entitlements": [{"feature": "nothing", "type": "boolean"}]}, "entitlements.0.feature"),
    ],
)  # fmt: skip
async def test_a_wrong_document_is_refused_with_the_path(
    client: httpx.AsyncClient, path: str, changes: Mapping[str, Any], fault: str
) -> None:
    response = await client.post(path, json={**DOCUMENTS[path], **changes})
    assert response.status_code == 422
    assert [error["path"] for error in response.json()["errors"]] == [fault]
    assert (await client.get(path)).json()["data"] == []


async def test_whole_numbers_are_taken_exactly_and_given_back_as_text(
    client: httpx.AsyncClient,
) -> None:
    tiers = [{"up_to": 10, "unit_amount": 2}, {"up_to": None, "unit_amount": "1.50"}]
    items = [
        {
            "key": "seats",
            "kind": "recurring",
            "included": 10**30,
            "price": {"model": "graduated", "tiers": tiers},
        }
    ]
    made = (await client.post("/v1/plans", json={**schemas.PLAN_EXAMPLE, "items": items})).json()
    assert made["items"][0]["included"] == "1" + "0" * 30
    assert made["items"][0]["price"]["tiers"] == [
        {"up_to": "10", "unit_amount": "2"},
        {"up_to": None, "unit_amount": "1.50"},
    ]
    assert made["interval"]["count"] == 1


async def test_a_changed_plan_is_a_new_version_and_the_same_is_the_same(
    client: httpx.AsyncClient,
) -> None:
    plan = schemas.PLAN_EXAMPLE
    first = await client.post("/v1/plans", json=plan)
    same = await client.post("/v1/plans", json={**plan, "proration": "second"})
    other = await client.post("/v1/plans", json={**plan, "trial": None})
    patched = await client.patch("/v1/plans/pro", json={"name": "Pro!"})
    assert [r.status_code for r in (first, same, other, patched)] == [201, 200, 201, 201]
    assert [r.json()["version"] for r in (first, same, other, patched)] == [1, 1, 2, 3]
    assert patched.json()["items"] == plan["items"]
    assert (await client.get("/v1/plans/pro")).json()["version"] == 3
    assert (await client.get("/v1/plans/pro?version=1")).json() == first.json()
    assert (await client.get("/v1/plans/pro?version=9")).status_code == 404
    versions = (await client.get("/v1/plans/pro/versions")).json()["data"]
    assert [version["version"] for version in versions] == [1, 2, 3]
    assert [p["version"] for p in (await client.get("/v1/plans")).json()["data"]] == [3]


async def test_an_archived_plan_has_no_new_versions(client: httpx.AsyncClient) -> None:
    await client.post("/v1/plans", json=schemas.PLAN_EXAMPLE)
    await client.post("/v1/plans/pro/archive")
    assert (await client.patch("/v1/plans/pro", json={"name": "x"})).status_code == 409


async def test_a_key_may_have_slashes(client: httpx.AsyncClient) -> None:
    await client.post("/v1/tax-rates", json={"key": "eu/at", "percent": "20"})
    assert (await client.get("/v1/tax-rates/eu/at")).json()["key"] == "eu/at"
    assert (await client.get("/v1/tax-rates/eu%2Fat")).json()["key"] == "eu/at"
    assert (await client.post("/v1/tax-rates/eu/at/archive")).json()["archived_at"] is not None
