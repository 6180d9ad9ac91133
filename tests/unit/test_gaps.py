"""Usage groups that a plan has no price for: an error that says which, until a later version fills the gap."""

from dataclasses import replace
from fractions import Fraction as F
from typing import Any

import pytest

from domain.catalog import read_plan
from domain.errors import Invalid
from domain.gaps import has_gaps, with_gaps_filled
from domain.plans import Plan
from domain.pricing.usage import Group, Groups
from domain.rating import rate

Document = dict[str, Any]


def version(number: int, cells: Document, fills: bool = True, **members: object) -> Plan:
    """A version whose tokens cost so much by model; `None` is the default."""
    priced = [
        {"match": {"model": model}, "unit_amount": amount}
        for model, amount in cells.items()
        if model != "default"
    ]
    matrix = {"model": "matrix", "dimensions": ["model"], "cells": priced}
    price = {**matrix, "default_unit_amount": cells.get("default"), **members}
    item = {"key": "tokens", "kind": "usage", "meter": "tokens", "price": price}
    plan = {"key": "pro", "currency": "USD", "interval": {"unit": "month"}, "items": [item]}
    return read_plan({**plan, "fills_gaps": fills}, version=number)


def costs(plan: Plan, model: str) -> F | str:
    """What ten tokens of a model cost, or why they cannot be charged."""
    try:
        return rate(plan.items[0].price, Groups((Group((("model", model),), F(10)),))).amount
    except Invalid as invalid:
        return str(invalid)


OLD = version(1, {"large": "2"})
REFUSED = "usage.groups.0: model=tiny has no cell, and there is no default"


def test_a_later_version_fills_a_gap_and_changes_no_price() -> None:
    filled = with_gaps_filled(OLD, [version(2, {"large": "5", "tiny": "1"})])
    assert (costs(OLD, "tiny"), costs(filled, "tiny")) == (REFUSED, F(10))
    assert (costs(OLD, "large"), costs(filled, "large")) == (F(20), F(20))
    assert (filled.ref, has_gaps(filled)) == (OLD.ref, True)


@pytest.mark.parametrize(("later", "tiny"), [
    ([version(2, {"tiny": "1"}, fills=False)], REFUSED),  # it does not say so
    ([version(2, {"tiny": "1"}), version(3, {"tiny": "9"})], 10),  # the first that did
    ([version(2, {"huge": "1"}), version(3, {"default": "9"})], 90),
    ([version(2, {"default": "1"}), version(3, {"tiny": "9"})], 10),  # nothing is left to fill
    ([version(2, {"tiny": "1"}, unit="credits", unit_rate="2")], REFUSED),  # another unit
    ([replace(version(2, {"tiny": "1"}), currency="JPY")], REFUSED),  # another currency
    ([version(2, {"tiny": "1"}, discount_percent="50")], 10),  # what else a price says is the old one's
])  # fmt: skip
def test_which_version_fills_a_gap(later: list[Plan], tiny: F | str) -> None:
    assert costs(with_gaps_filled(OLD, later), "tiny") == tiny


def test_a_default_leaves_no_gap() -> None:
    assert not has_gaps(version(1, {"default": "1"}))
    assert not has_gaps(with_gaps_filled(OLD, [version(2, {"default": "1"})]))


def test_the_steps_say_where_a_price_is_from() -> None:
    later = [version(2, {"mini": "1"}), version(3, {"tiny": "3"})]
    price = with_gaps_filled(OLD, later).items[0].price
    groups = [Group((("model", model),), F(1)) for model in ("tiny", "large", "mini")]
    rated = rate(price, Groups(tuple(groups)))
    assert [(step.step, step.amount) for step in rated.trace] == [
        ("cells.0.unit_amount", F(2)),
        ("beyond.cells.0.unit_amount", F(1)),
        ("beyond.beyond.cells.0.unit_amount", F(3)),
    ]
    assert rated.amount == 6


def test_every_gap_is_told_with_its_place() -> None:
    groups = tuple(Group((("model", model),), F(1)) for model in ("tiny", "large", None))
    with pytest.raises(Invalid) as refused:
        rate(OLD.items[0].price, Groups(groups))
    assert [(fault.path, fault.message.split(" has")[0]) for fault in refused.value.faults] == [
        ("usage.groups.0", "model=tiny"),
        ("usage.groups.2", "model=(none)"),
    ]
