"""Which prices fit which meters: what could only fail, or lie, when it is billed is refused when the plan is made."""

from typing import Any

import pytest

from domain.bounds import TOO_LARGE, TOO_LONG
from domain.catalog import read_plan, require_known
from domain.errors import Invalid
from domain.metering.meter import read_meter

Document = dict[str, Any]

SUM: Document = {"aggregation": "sum", "value": "n"}
PERCENTAGE = {"model": "percentage", "rate": "2.9", "fixed_amount": "0.30"}
DYNAMIC = {"model": "dynamic", "multiplier": "1.2"}
PER_UNIT = {"model": "per_unit", "unit_amount": "1"}
ONE_BY_ONE = "its events are priced one by one"


def matrix(*matches: Document, dimensions: tuple[str, ...] = ("a", "b")) -> Document:
    cells = [{"match": match, "unit_amount": "1"} for match in matches]
    return {"model": "matrix", "dimensions": list(dimensions), "cells": cells}


def faults(price: Document, meter: Document) -> list[tuple[str, str]]:
    """What is wrong with a usage item of that price and meter."""
    item = {"key": "i", "kind": "usage", "meter": "m", "price": price}
    plan = {"key": "p", "currency": "USD", "interval": {"unit": "month"}, "items": [item]}
    read = read_meter({"key": "m", "event_name": "e", **meter})
    try:
        require_known(read_plan(plan), {"m": read}, {})
    except Invalid as invalid:
        return [(fault.path.removeprefix("items.0."), fault.message) for fault in invalid.faults]
    return []


@pytest.mark.parametrize(("price", "meter", "reason"), [
    (PERCENTAGE, {"aggregation": "max", "value": "n"}, "aggregates by max, not by sum"),
    (PERCENTAGE, {"aggregation": "unique_count", "value": "n"}, "aggregates by unique_count, not by sum"),
    (PERCENTAGE, {"aggregation": "weighted_sum", "value": "n"}, "aggregates by weighted_sum, not by sum"),
    (DYNAMIC, {"aggregation": "latest", "value": "n"}, "aggregates by latest, not by sum"),
    (DYNAMIC, {"aggregation": "avg", "value": "n"}, "aggregates by avg, not by sum"),
    (DYNAMIC, {"aggregation": "count"}, "counts, and its events carry no amounts"),
    (PERCENTAGE, {**SUM, "window": "hour"}, "aggregates by the hour"),
    (PERCENTAGE, {**SUM, "carry_over": True}, "carries its level over"),
    (DYNAMIC, {**SUM, "rounding": {"mode": "up"}}, "rounds"),
])  # fmt: skip
def test_events_are_priced_as_a_sum_of_each(price: Document, meter: Document, reason: str) -> None:
    assert faults(price, meter) == [("meter", f"{reason}: {ONE_BY_ONE}")]


@pytest.mark.parametrize(("price", "meter"), [
    (PERCENTAGE, SUM),
    (PERCENTAGE, {**SUM, "group_by": ["a"]}),
    (PERCENTAGE, {"aggregation": "count"}),
    (DYNAMIC, {**SUM, "value": "n * 2"}),
    (PER_UNIT, {**SUM, "carry_over": True}),
    (PER_UNIT, {"aggregation": "percentile", "value": "n", "percentile": "95", "window": "hour"}),
    (matrix({"a": "x"}), {**SUM, "group_by": ["a", "b", "c"], "rounding": {"mode": "up"}}),
])  # fmt: skip
def test_what_fits(price: Document, meter: Document) -> None:
    assert faults(price, meter) == []


def test_a_matrix_prices_what_the_meter_groups_by() -> None:
    grouped = {**SUM, "group_by": ["b"]}
    assert faults(matrix({"a": "x"}), grouped) == [
        ("meter", "does not group by a, as the price does")
    ]


@pytest.mark.parametrize(("matches", "ambiguous"), [
    ([{"a": "x"}, {"a": "y"}], []),
    ([{"a": "x"}, {"b": "y"}], [(0, 1)]),
    ([{"b": "y"}, {"a": "x", "b": "z"}, {"a": "x"}], [(0, 2)]),
    ([{"a": "x"}, {"b": "y"}, {"a": "x", "b": "y"}], []),  # the one key that both match has a cell of its own
    ([{"a": "x", "b": "y"}, {"b": "y", "c": "z"}], [(0, 1)]),
    ([{"a": "x", "b": "y"}, {"b": "n", "c": "z"}], []),  # they differ in b: no key matches both
    ([{"a": "x"}, {"b": "y"}, {"a": "x", "b": "y", "c": "z"}], [(0, 1)]),  # with another c there are still two
    ([{}, {"a": "x"}], []),
])  # fmt: skip
def test_no_key_has_two_prices(matches: list[Document], ambiguous: list[tuple[int, int]]) -> None:
    price = matrix(*matches, dimensions=("a", "b", "c"))
    found = faults(price, {**SUM, "group_by": ["a", "b", "c"]})
    assert found == [
        (f"price.cells.{second}.match", f"and cell {first} can match one key, and neither is more specific")
        for first, second in ambiguous
    ]  # fmt: skip


def test_a_thousand_cells_are_looked_through_at_once() -> None:
    columns = [{"a": str(number)} for number in range(500)]
    rows = [{"b": str(number)} for number in range(500)]
    assert len(faults(matrix(*columns, *rows), {**SUM, "group_by": ["a", "b"]})) == 20


@pytest.mark.parametrize(("members", "item", "path"), [
    ({"minimum_commitment": "10000000000000.01"}, {}, "minimum_commitment"),
    ({"credits": [{"key": "c", "amount": "99999999999999"}]}, {}, "credits.0.amount"),
    ({}, {"minimum_commitment": "99999999999999"}, "items.0.minimum_commitment"),
    ({}, {"price": {"model": "flat", "amount": "-99999999999999"}}, "items.0.price"),
    ({}, {"price": {"model": "flat", "amount": "1", "minimum": "99999999999999"}}, "items.0.price"),
    ({}, {"quantity": "9999999999999.9", "price": {**PER_UNIT, "unit_amount": "2"}}, "items.0.price"),
    ({}, {"price": {**PER_UNIT, "unit": "credits", "unit_rate": "99999999999999"}}, "items.0.price"),
])  # fmt: skip
def test_amounts_that_no_invoice_could_hold(members: Document, item: Document, path: str) -> None:
    base = {"key": "base", "kind": "recurring", "price": PER_UNIT, **item}
    plan = {"key": "p", "currency": "USD", "interval": {"unit": "month"}, "items": [base]}
    with pytest.raises(Invalid) as refused:
        require_known(read_plan({**plan, **members}), {}, {})
    assert [(fault.path, fault.message) for fault in refused.value.faults] == [(path, TOO_LARGE)]


def test_the_largest_amount_is_one_that_an_invoice_holds() -> None:
    base = {"key": "base", "kind": "recurring", "price": {"model": "flat", "amount": "10000000000000"}}  # fmt: skip
    plan = {"key": "p", "currency": "KWD", "interval": {"unit": "month"}, "items": [base]}
    require_known(read_plan(plan), {}, {})


@pytest.mark.parametrize(("members", "path"), [
    ({"interval": {"unit": "year", "count": 1_001}}, "interval.count"),
    ({"trial": {"unit": "day", "count": 365_251}}, "trial.count"),
    ({"invoice_grace": {"unit": "month", "count": 12_001}}, "invoice_grace.count"),
    ({"credits": [{"key": "c", "amount": "1", "expires_after": {"unit": "week", "count": 52_179}}]}, "credits.0.expires_after.count"),
])  # fmt: skip
def test_no_plan_outlasts_the_calendar(members: Document, path: str) -> None:
    plan = {
        "key": "p",
        "currency": "USD",
        "interval": {"unit": "hour", "count": 1_000_000},
        **members,
    }
    with pytest.raises(Invalid) as refused:
        require_known(read_plan(plan), {}, {})
    assert [(fault.path, fault.message) for fault in refused.value.faults] == [(path, TOO_LONG)]
