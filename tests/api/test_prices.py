"""Prices over HTTP: each of the nine models is taken, given back, changed and, where it is wrong, refused with its path;
and the OpenAPI document says what each member means.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from api.schemas import catalog, features
from api.schemas.pricing import PRICE

MODELS: Mapping[str, Any] = {each["title"]: each for each in PRICE["oneOf"]}
METERS: Mapping[str, Mapping[str, object]] = {
    "quantity": {"aggregation": "sum", "value": "n"},
    "matrix": {"aggregation": "sum", "value": "n", "group_by": ["model"]},
}


def item(model: str, **price: object) -> dict[str, Any]:
    example = MODELS[model]["examples"][0]
    meter = model if model in METERS else "quantity"
    return {"key": model, "kind": "usage", "meter": meter, "price": {**example, **price}}


def plan(*items: object) -> dict[str, object]:
    return {"key": "pro", "currency": "USD", "interval": {"unit": "month"}, "items": list(items)}


@pytest.fixture
async def shop(client: httpx.AsyncClient) -> httpx.AsyncClient:
    for key, meter in METERS.items():
        await client.post("/v1/meters", json={"key": key, "event_name": "used", **meter})
    return client


async def test_a_plan_may_have_every_model(shop: httpx.AsyncClient) -> None:
    wanted = plan(*(item(model) for model in MODELS))
    made = await shop.post("/v1/plans", json=wanted)
    assert (made.status_code, made.json()["items"]) == (201, wanted["items"])
    assert (await shop.get("/v1/plans/pro")).json() == made.json()


@pytest.mark.parametrize("model", MODELS)
async def test_a_price_is_changed_by_a_new_version(shop: httpx.AsyncClient, model: str) -> None:
    await shop.post("/v1/plans", json=plan(item(model)))
    dearer = [item(model, minimum=5, maximum="100.00", discount_percent="12.5")]
    changed = await shop.patch("/v1/plans/pro", json={"items": dearer})
    assert (changed.status_code, changed.json()["version"]) == (201, 2)
    assert changed.json()["items"] == [item(model, minimum="5", maximum="100.00", discount_percent="12.5")]  # fmt: skip
    first = (await shop.get("/v1/plans/pro?version=1")).json()
    assert first["items"] == [item(model)]


@pytest.mark.parametrize("model", MODELS)
async def test_an_optional_member_that_is_null_is_left_out(
    shop: httpx.AsyncClient, model: str
) -> None:
    optional = [name for name in MODELS[model]["properties"] if name not in MODELS[model]["required"]]  # fmt: skip
    emptied = item(model, **dict.fromkeys(optional))
    made = await shop.post("/v1/plans", json=plan(emptied))
    assert (made.status_code, made.json()["items"]) == (201, [emptied])
    without = {name: m for name, m in item(model)["price"].items() if name not in optional}
    same = await shop.post("/v1/plans", json=plan({**item(model), "price": without}))
    assert (same.status_code, same.json()["version"]) == (200, 1)


TIERS = {"tiers": [{"up_to": "10", "unit_amount": "1"}, {"up_to": None, "unit_amount": "2"}]}


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"model": "gratis"}, "model"),
        ({"amount": "1"}, "model"),
        ({"model": "flat"}, "amount"),
        ({"model": "flat", "amount": 12.5}, "amount"),
        ({"model": "flat", "amount": "1e400"}, "amount"),
        ({"model": "flat", "amount": "NaN"}, "amount"),
        ({"model": "flat", "amount": "1" * 39}, "amount"),
        ({"model": "flat", "amount": "1", "minimum": "2", "maximum": "1"}, "minimum"),
        ({"model": "flat", "amount": "1", "discount_percent": "101"}, "discount_percent"),
        ({"model": "flat", "amount": "1", "unit": "credits"}, "unit_rate"),
        ({"model": "flat", "amount": "1", "maximun": "2"}, "maximun"),
        ({"model": "package", "package_size": "0", "package_amount": "1"}, "package_size"),
        ({"model": "graduated", "tiers": []}, "tiers"),
        ({"model": "graduated", "tiers": [{"up_to": "10"}, {"up_to": "5"}]}, "tiers.1.up_to"),
        ({"model": "graduated", "tiers": [{"up_to": "10"}, {"up_to": "10"}, {"up_to": None}]}, "tiers.1.up_to"),
        ({"model": "volume", "tiers": [{"up_to": "0"}, {"up_to": None}]}, "tiers.0.up_to"),
        ({"model": "volume", "tiers": [{"up_to": None, "unit_amonut": "1"}]}, "tiers.0.unit_amonut"),
        ({"model": "volume", "tiers": [{"up_to": str(n)} for n in range(1, 10_001)]}, "tiers"),
        ({"model": "graduated_percentage", "tiers": [{"up_to": None}]}, "tiers.0.rate"),
        ({"model": "percentage", "rate": "2.9", "included": "1"}, "included"),
        ({"model": "percentage", "rate": "2.9", "free_events": "1.5"}, "free_events"),
        ({"model": "matrix", "dimensions": ["model"], "cells": [{"match": {"region": "eu"}, "unit_amount": "1"}]}, "cells.0.match.region"),
        ({"model": "dynamic", "multiplier": [1]}, "multiplier"),
    ],
)  # fmt: skip
async def test_a_wrong_price_is_refused_with_its_path(
    shop: httpx.AsyncClient, wrong: Mapping[str, object], path: str
) -> None:
    good = item("flat")
    body = plan(good, {**item("matrix"), "price": wrong})
    refused = await shop.post("/v1/plans", json=body)
    assert refused.status_code == 422, refused.text
    paths = [error["path"] for error in refused.json()["errors"]]
    assert f"items.1.price.{path}" in paths, paths
    assert all(found.startswith("items.1.") for found in paths)
    assert (await shop.get("/v1/plans")).json()["data"] == []


def test_every_member_of_the_catalogue_says_what_it_means() -> None:
    documents = (catalog.METER, catalog.PLAN, features.FEATURE, catalog.COUPON, catalog.TAX_RATE)
    assert [path for each in documents for path in undescribed(each, "")] == []


def test_every_model_of_a_price_is_told_with_an_example() -> None:
    for name, model in MODELS.items():
        assert model["description"], name
        assert set(model["required"]) <= set(model["examples"][0]), name


def undescribed(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    """The members, at any depth, of which nothing is said."""
    for name, member in schema.get("properties", {}).items():
        beneath = f"{path}.{name}"
        if not any(said in member for said in ("description", "const", "oneOf")):
            yield beneath
        yield from undescribed(member, beneath)
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from undescribed(branch, f"{path}:{branch.get('title', '')}")
    if isinstance(schema.get("items"), Mapping):
        yield from undescribed(schema["items"], path)
