"""Overrides: a subscription's own prices in the place of its plan's, member by member."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest

from domain.catalog import read_plan
from domain.errors import Invalid
from domain.overrides import OwnPlan, as_written, own_plan, read_overrides

PER_TOKEN = {"model": "per_unit", "unit_amount": "0.002", "discount_percent": "5"}
TIERS = [{"up_to": "10", "unit_amount": "2"}, {"up_to": None, "unit_amount": "1"}]
PRO: Mapping[str, Any] = {
    "key": "pro",
    "currency": "USD",
    "interval": {"unit": "month"},
    "items": [
        {"key": "base", "kind": "recurring", "price": {"model": "flat", "amount": "20.00"}},
        {
            "key": "tokens",
            "kind": "usage",
            "meter": "tokens",
            "included": "100",
            "price": PER_TOKEN,
        },
        {"key": "seats", "kind": "recurring", "price": {"model": "graduated", "tiers": TIERS}},
    ],
    "minimum_commitment": "50.00",
    "commitment_overage_factor": "2",
    "credits": [
        {"key": "monthly", "amount": "5.00", "priority": 10},
        {"key": "gift", "amount": "1"},
    ],
}


def overridden(overrides: object, **plan: object) -> OwnPlan:
    read = partial(read_plan, version=2)
    return own_plan({**PRO, **plan}, read_overrides(overrides), read)


def item(of: OwnPlan, key: str) -> Mapping[str, Any]:
    items = of.document["items"]
    assert isinstance(items, list)
    return next(each for each in items if each["key"] == key)


@pytest.mark.parametrize(
    ("overrides", "tokens"),
    [
        ({"price": {"unit_amount": "0.001"}}, {"price": {**PER_TOKEN, "unit_amount": "0.001"}}),
        ({"price": {"maximum": "9"}}, {"price": {**PER_TOKEN, "maximum": "9"}}),
        ({"price": {"discount_percent": None}}, {"price": {"model": "per_unit", "unit_amount": "0.002"}}),
        ({"price": {"model": "per_unit", "unit_amount": "1"}}, {"price": {**PER_TOKEN, "unit_amount": "1"}}),
        ({"price": {"model": "flat", "amount": "9"}}, {"price": {"model": "flat", "amount": "9"}}),
        ({"included": "500"}, {"included": "500"}),
        ({"minimum_commitment": "30"}, {"minimum_commitment": "30"}),
    ],
    ids=["a member", "one more", "null takes away", "same model", "another model is whole", "included", "commitment"],
)  # fmt: skip
def test_an_item_is_overridden_member_by_member(
    overrides: object, tokens: Mapping[str, object]
) -> None:
    own = overridden({"items": {"tokens": overrides}})
    assert item(own, "tokens") == {**item(own, "tokens"), **tokens}
    assert item(own, "base") == PRO["items"][0]
    assert (own.plan.version, own.plan) == (2, read_plan(own.document, version=2))


def test_null_takes_a_member_of_an_item_away() -> None:
    own = overridden({"items": {"tokens": {"included": None}}})
    assert "included" not in item(own, "tokens")


def test_a_list_is_taken_whole() -> None:
    tiers = [{"up_to": None, "unit_amount": "3"}]
    own = overridden({"items": {"seats": {"price": {"tiers": tiers}}}})
    assert item(own, "seats")["price"] == {"model": "graduated", "tiers": tiers}


def test_commitments_and_credits_are_overridden() -> None:
    own = overridden({
        "minimum_commitment": "100.00",
        "commitment_overage_factor": None,
        "credits": {"monthly": {"amount": "9.00"}, "gift": None},
    })  # fmt: skip
    assert own.document["minimum_commitment"] == "100.00"
    assert own.plan.commitment_overage_factor == 1
    assert own.document["credits"] == [{"key": "monthly", "amount": "9.00", "priority": 10}]


def test_what_is_not_overridden_stays_as_the_plan_says() -> None:
    own = overridden({"minimum_commitment": "100.00"})
    assert own.document == {**PRO, "minimum_commitment": "100.00"}


@pytest.mark.parametrize("overrides", [{}, {"items": {}}, {"items": {"tokens": {}}}, {"items": {"tokens": {"price": {}}}}])  # fmt: skip
def test_what_overrides_nothing_is_nothing(overrides: object) -> None:
    assert read_overrides(overrides) == {}


CANNOT = "cannot be overridden: only "


@pytest.mark.parametrize(
    ("overrides", "path", "message"),
    [
        ([], "", "must be an object"),
        ({"currency": "EUR"}, "currency", CANNOT + "items, credits, entitlements, minimum_commitment, commitment_overage_factor can"),
        ({"trial": None}, "trial", CANNOT),
        ({"items": [1]}, "items", "must be an object of at most 200 members"),
        ({"items": {"tokens": None}}, "items.tokens", "must be an object"),
        ({"items": {"tokens": {"price": None}}}, "items.tokens.price", "must be an object"),
        ({"items": {"tokens": {"price": "9"}}}, "items.tokens.price", "must be an object"),
        ({"items": {"tokens": {"meter": "x"}}}, "items.tokens.meter", CANNOT + "price, included, minimum_commitment,"),
        ({"items": {"seats": {"quantity": "2"}}}, "items.seats.quantity", CANNOT),
        ({"credits": {"gift": {"priority": 1}}}, "credits.gift.priority", CANNOT + "amount, expires_after can"),
        ({"credits": {"gift": "5"}}, "credits.gift", "must be an object"),
    ],
)  # fmt: skip
def test_what_cannot_be_overridden_is_refused_with_its_path(
    overrides: object, path: str, message: str
) -> None:
    with pytest.raises(Invalid) as refused:
        read_overrides(overrides)
    (fault,) = refused.value.faults
    assert fault.path == path
    assert fault.message.startswith(message)


@pytest.mark.parametrize(
    ("overrides", "path", "message"),
    [
        ({"items": {"token": {"included": "1"}}}, "items.token", "pro has no such item"),
        ({"credits": {"yearly": None}}, "credits.yearly", "pro has no such credit"),
        ({"items": {"tokens": {"price": {"unit_amount": "NaN"}}}}, "items.tokens.price.unit_amount", "must be"),
        ({"items": {"tokens": {"price": {"amount": "1"}}}}, "items.tokens.price.amount", "is not a known field"),
        ({"items": {"seats": {"price": {"tiers": [{"up_to": "5"}]}}}}, "items.seats.price.tiers.0.up_to", "must be null"),
        ({"items": {"base": {"price": {"amount": None}}}}, "items.base.price.amount", "is required"),
        ({"minimum_commitment": None}, "minimum_commitment", "is required where"),
        ({"credits": {"gift": {"amount": "0"}}}, "credits.gift.amount", "must be greater"),
        ({"credits": {"monthly": None, "gift": {"amount": "0.001"}}}, "credits.gift.amount", "has more decimals"),
    ],
)  # fmt: skip
def test_what_no_plan_may_say_is_refused_where_the_overrides_say_it(
    overrides: object, path: str, message: str
) -> None:
    with pytest.raises(Invalid) as refused:
        overridden(overrides)
    (fault,) = refused.value.faults
    assert fault.path == f"overrides.{path}"
    assert message in fault.message


def test_overrides_are_told_as_the_document_writes_them() -> None:
    given = read_overrides({
        "items": {"tokens": {"price": {"unit_amount": 1, "discount_percent": None}, "included": 5}},
        "credits": {"monthly": {"amount": 9}, "gift": None},
        "minimum_commitment": 0,
        "commitment_overage_factor": None,
    })  # fmt: skip
    own = own_plan(PRO, given, read_plan)
    written = {
        **own.document,
        "items": [
            {**item(own, "tokens"), "included": "5", "price": {"model": "per_unit", "unit_amount": "1"}}
        ],
        "credits": [{"key": "monthly", "amount": "9"}],
        "minimum_commitment": "0",
    }  # fmt: skip
    assert as_written(given, written) == {
        "minimum_commitment": "0",
        "commitment_overage_factor": None,
        "items": {"tokens": {"price": {"unit_amount": "1", "discount_percent": None}, "included": "5"}},
        "credits": {"monthly": {"amount": "9"}, "gift": None},
    }  # fmt: skip
