"""What each of the nine models charges."""

from fractions import Fraction as F

import pytest

from domain.errors import Fault, Invalid
from domain.pricing.price import read_price, usage_shape
from domain.pricing.usage import Quantity, read_usage
from domain.rating import rate

Document = dict[str, object]


def charged(price: Document, quantity: str) -> F:
    return rate(read_price(price), Quantity(F(quantity))).amount


def faults(price: Document, usage: Document) -> list[Fault]:
    with pytest.raises(Invalid) as refused:
        rate(read_price(price), read_usage(usage))
    return list(refused.value.faults)


FLAT: Document = {"model": "flat", "amount": "9.99"}
PER_UNIT: Document = {"model": "per_unit", "unit_amount": "0.002"}
PER_TEN: Document = {"model": "package", "package_size": "10", "package_amount": "5"}
PER_TEN_FILLED: Document = {**PER_TEN, "round": "down"}
BEYOND_FIFTEEN: Document = {**PER_TEN, "free_units": "15"}
TIERS = [
    {"up_to": "10", "unit_amount": "2", "flat_amount": "1"},
    {"up_to": "20.5", "unit_amount": "3"},
    {"up_to": None, "unit_amount": "1", "flat_amount": "7"},
]
GRADUATED: Document = {"model": "graduated", "tiers": TIERS}
VOLUME: Document = {"model": "volume", "tiers": TIERS}
SHARES = [
    {"up_to": "100", "rate": "10", "flat_amount": "1"},
    {"up_to": "1000", "rate": "2.5"},
    {"up_to": None, "rate": "-0.5", "flat_amount": "3"},
]
GRADUATED_PERCENTAGE: Document = {"model": "graduated_percentage", "tiers": SHARES}
FREE_FIRST: Document = {"model": "graduated", "tiers": [{"up_to": "5"}, {"unit_amount": "1"}]}


@pytest.mark.parametrize(("price", "quantity", "amount"), [
    pytest.param(FLAT,     "0",       "9.99",   id="flat: of nothing"),
    pytest.param(FLAT,     "-3",      "9.99",   id="flat: whatever the quantity"),
    pytest.param(PER_UNIT, "0",       "0",      id="per unit: nothing"),
    pytest.param(PER_UNIT, "1500",    "3",      id="per unit: many"),
    pytest.param(PER_UNIT, "0.5",     "0.001",  id="per unit: parts of a unit"),
    pytest.param(PER_UNIT, "-10",     "-0.02",  id="per unit: a correction is billed as it is"),
    pytest.param(PER_UNIT, "98765432109876543210987654321098765432.1", "197530864219753086421975308642197530.8642", id="per unit: 39 digits stay exact"),
    pytest.param({**PER_UNIT, "unit_amount": "-1"}, "3", "-3", id="per unit: a credit"),
    pytest.param(PER_TEN,        "0",       "0",  id="package: none begun"),
    pytest.param(PER_TEN,        "0.0001",  "5",  id="package: one begun"),
    pytest.param(PER_TEN,        "10",      "5",  id="package: one full"),
    pytest.param(PER_TEN,        "10.0001", "10", id="package: the second begun"),
    pytest.param(PER_TEN_FILLED, "9.9999",  "0",  id="filled packages: none yet"),
    pytest.param(PER_TEN_FILLED, "10",      "5",  id="filled packages: one"),
    pytest.param(PER_TEN_FILLED, "29.9",    "10", id="filled packages: two and a part"),
    pytest.param(BEYOND_FIFTEEN, "15",      "0",  id="free units: just used up"),
    pytest.param(BEYOND_FIFTEEN, "15.1",    "5",  id="free units: one package begun beyond them"),
    pytest.param(BEYOND_FIFTEEN, "3",       "0",  id="free units: below them"),
    pytest.param({**BEYOND_FIFTEEN, "round": "down"}, "25", "5", id="free units: one package filled beyond them"),
    pytest.param({**PER_TEN, "package_size": "0.3"}, "1", "20", id="package: of a decimal size"),
    pytest.param(GRADUATED, "0",     "0",      id="graduated: zero reaches no tier"),
    pytest.param(GRADUATED, "0.5",   "2",      id="graduated: a part of a unit reaches the first"),
    pytest.param(GRADUATED, "10",    "21",     id="graduated: a bound is inclusive"),
    pytest.param(GRADUATED, "10.01", "21.03",  id="graduated: just past a bound"),
    pytest.param(GRADUATED, "20.5",  "52.5",   id="graduated: a decimal bound"),
    pytest.param(GRADUATED, "21",    "60",     id="graduated: through every tier"),
    pytest.param(FREE_FIRST, "5",    "0",      id="graduated: absent amounts are zero"),
    pytest.param(FREE_FIRST, "6",    "1",      id="graduated: an absent last bound is none"),
    pytest.param(VOLUME,    "0",     "0",      id="volume: zero reaches no tier"),
    pytest.param(VOLUME,    "10",    "21",     id="volume: a bound is inclusive"),
    pytest.param(VOLUME,    "10.01", "30.03",  id="volume: all units at the next rate"),
    pytest.param(VOLUME,    "20.5",  "61.5",   id="volume: a decimal bound"),
    pytest.param(VOLUME,    "20.51", "27.51",  id="volume: only the flat amount of its tier"),
    pytest.param(GRADUATED_PERCENTAGE, "0",      "0",      id="graduated percentage: zero reaches no tier"),
    pytest.param(GRADUATED_PERCENTAGE, "100",    "11",     id="graduated percentage: a bound is inclusive"),
    pytest.param(GRADUATED_PERCENTAGE, "100.01", "11.00025", id="graduated percentage: just past a bound"),
    pytest.param(GRADUATED_PERCENTAGE, "1200",   "35.5",    id="graduated percentage: a negative rate"),
])  # fmt: skip
def test_a_quantity_is_charged(price: Document, quantity: str, amount: str) -> None:
    assert charged(price, quantity) == F(amount)


@pytest.mark.parametrize("price", [GRADUATED, VOLUME, GRADUATED_PERCENTAGE])
@pytest.mark.parametrize(("extra", "quantity", "amount"), [
    pytest.param({"flat_on_zero": True},                    "0",   "1", id="the first flat amount"),
    pytest.param({"flat_on_zero": True, "included": "100"}, "100", "1", id="where included leaves zero"),
    pytest.param({"flat_on_zero": False},                   "0",   "0", id="not unless it is wanted"),
    pytest.param({},                                        "0",   "0", id="nor by itself"),
])  # fmt: skip
def test_tiers_at_zero(price: Document, extra: Document, quantity: str, amount: str) -> None:
    assert charged({**price, **extra}, quantity) == F(amount)


@pytest.mark.parametrize("price", [PER_TEN, GRADUATED, VOLUME, GRADUATED_PERCENTAGE])
def test_tiers_and_packages_refuse_a_negative_quantity(price: Document) -> None:
    for extra in ({}, {"included": "5"}):
        refused = faults({**price, **extra}, {"quantity": "-0.1"})
        assert refused == [Fault("usage.quantity", "must not be negative under this price")]


def of_events(*quantities: str) -> Document:
    return {"events": [{"quantity": quantity} for quantity in quantities]}


@pytest.mark.parametrize(("extra", "quantities", "amount"), [
    pytest.param({"rate": "2.9", "fixed_amount": "0.30"}, ["100", "12.5"], "3.8625", id="of each event, plus a fixed amount"),
    pytest.param({"rate": "2.9"}, [],                              "0",     id="no events"),
    pytest.param({"rate": "10", "fixed_amount": "1"}, ["0"],       "1",     id="an event of nothing pays the fixed amount"),
    pytest.param({"rate": "10"}, ["-50", "100"],                   "5",     id="a refund counts"),
    pytest.param({"rate": "150"}, ["2"],                           "3",     id="more than everything"),
    pytest.param({"rate": "10", "fixed_amount": "1", "free_events": "2"}, ["10", "20", "30"],     "4",  id="two events free"),
    pytest.param({"rate": "10", "fixed_amount": "1", "free_events": 0},   ["10"],                 "2",  id="none free"),
    pytest.param({"rate": "10", "fixed_amount": "1", "free_amount": "30"}, ["10", "20", "30"],    "4",  id="an amount free, used up exactly"),
    pytest.param({"rate": "10", "fixed_amount": "1", "free_amount": "25"}, ["10", "20", "30"],    "5.5", id="one event straddles the end"),
    pytest.param({"rate": "10", "fixed_amount": "1", "free_amount": "0"},  ["10"],                "2",  id="no amount free"),
    pytest.param({"rate": "10", "fixed_amount": "1", "free_amount": "25"}, ["0", "25", "0"],      "1",  id="an event of nothing is free before the end, not after"),
    pytest.param({"rate": "10", "free_events": "3", "free_amount": "15"},  ["10", "10", "10"],    "1.5", id="both given: the amount ends first"),
    pytest.param({"rate": "10", "free_events": "1", "free_amount": "99"},  ["10", "10", "10"],    "2",  id="both given: the events end first"),
    pytest.param({"rate": "10", "free_events": "0", "free_amount": "99"},  ["10"],                "1",  id="both given: no events free"),
    pytest.param({"rate": "10", "minimum_per_event": "2"},                 ["1", "20", "30"],     "7",  id="a minimum for each event"),
    pytest.param({"rate": "10", "maximum_per_event": "2"},                 ["1", "20", "30"],     "4.1", id="a maximum for each event"),
    pytest.param({"rate": "10", "fixed_amount": "3", "maximum_per_event": "4"}, ["1", "20"],      "7.1", id="the bounds are of rate plus fixed amount"),
    pytest.param({"rate": "10", "minimum_per_event": "5", "maximum_per_event": "2"}, ["1"],       "2",  id="the maximum comes last"),
    pytest.param({"rate": "10", "minimum_per_event": "5", "free_amount": "10"}, ["10"],           "0",  id="a wholly free event pays no minimum"),
    pytest.param({"rate": "10", "minimum_per_event": "5", "free_amount": "10"}, ["11"],           "5",  id="one that straddles the end does"),
])  # fmt: skip
def test_percentages(extra: Document, quantities: list[str], amount: str) -> None:
    price = read_price({"model": "percentage", **extra})
    assert rate(price, read_usage(of_events(*quantities))).amount == F(amount)


@pytest.mark.parametrize(("extra", "amounts", "amount"), [
    pytest.param({},                      ["1.5", "2"],   "3.5",  id="their sum"),
    pytest.param({"multiplier": "1.2"},   ["1.5", "2"],   "4.2",  id="times the multiplier"),
    pytest.param({"multiplier": "0"},     ["1.5"],        "0",    id="times nothing"),
    pytest.param({},                      ["10", "-2.5"], "7.5",  id="with corrections"),
    pytest.param({},                      [],             "0",    id="no events"),
])  # fmt: skip
def test_dynamic(extra: Document, amounts: list[str], amount: str) -> None:
    usage = read_usage({"events": [{"amount": amount} for amount in amounts]})
    assert rate(read_price({"model": "dynamic", **extra}), usage).amount == F(amount)


MATRIX: Document = {
    "model": "matrix",
    "dimensions": ["model", "region"],
    "cells": [
        {"match": {"model": "large"}, "unit_amount": "3"},
        {"match": {"region": "eu", "model": "large"}, "unit_amount": "4"},
        {"match": {"region": "us"}, "unit_amount": "2"},
        {"match": {"region": None, "model": "old"}, "unit_amount": "-1"},
        {"match": {"model": 7}, "unit_amount": "5"},
    ],
    "default_unit_amount": "1",
}
NO_DEFAULT: Document = {**MATRIX, "default_unit_amount": None}


def of_group(quantity: str = "10", **key: object) -> Document:
    return {"key": key, "quantity": quantity}


@pytest.mark.parametrize(("groups", "amount"), [
    pytest.param([of_group(model="large", region="eu")],   "40",  id="the cell that matches most wins"),
    pytest.param([of_group(model="large", region="asia")], "30",  id="a cell of one dimension"),
    pytest.param([of_group(model="small", region="us")],   "20",  id="a cell of the other"),
    pytest.param([of_group(model="small", region="eu")],   "10",  id="no cell: the default"),
    pytest.param([of_group()],                             "10",  id="no key: the default"),
    pytest.param([of_group(model="large")],                "30",  id="a dimension that the group does not have"),
    pytest.param([of_group(model="old", region=None)],     "-10", id="a cell of what has no region"),
    pytest.param([of_group(model="old")],                  "-10", id="absent is null"),
    pytest.param([of_group(model="7")],                    "50",  id="keys compare as text"),
    pytest.param([of_group(model="large", region="eu", user="x")], "40", id="a dimension that the price does not know"),
    pytest.param([of_group("1", model="large"), of_group("2", model="large"), of_group("-1", region="us")], "7", id="a key twice is added, corrections count"),
    pytest.param([],                                       "0",   id="no groups"),
])  # fmt: skip
def test_groups_are_charged_at_their_cell(groups: list[Document], amount: str) -> None:
    assert rate(read_price(MATRIX), read_usage({"groups": groups})).amount == F(amount)


def test_a_group_without_cell_and_default_is_an_error_never_free() -> None:
    groups = [of_group(model="large"), of_group("0", model="small")]
    assert faults(NO_DEFAULT, {"groups": groups}) == [
        Fault("usage.groups.1", "model=small has no cell, and there is no default")
    ]


def test_a_group_with_two_cells_of_equal_specificity_is_an_error() -> None:
    for price in (MATRIX, NO_DEFAULT):
        assert faults(price, {"groups": [of_group(model="large", region="us")]}) == [
            Fault("usage.groups.0", "is matched by cells 0 and 2, neither more specific")
        ]


PERCENTAGE: Document = {"model": "percentage", "rate": "1"}
DYNAMIC: Document = {"model": "dynamic"}
QUANTITY: Document = {"quantity": "1"}
GROUPS: Document = {"groups": [of_group(model="large")]}
EVENTS: Document = {"events": [{"quantity": "1", "amount": "2"}]}


@pytest.mark.parametrize(("price", "shape"), [
    pytest.param(FLAT,                 "quantity", id="flat"),
    pytest.param(PER_UNIT,             "quantity", id="per unit"),
    pytest.param(PER_TEN,              "quantity", id="package"),
    pytest.param(GRADUATED,            "quantity", id="graduated"),
    pytest.param(VOLUME,               "quantity", id="volume"),
    pytest.param(GRADUATED_PERCENTAGE, "quantity", id="graduated percentage"),
    pytest.param(MATRIX,               "groups",   id="matrix"),
    pytest.param(PERCENTAGE,           "events",   id="percentage"),
    pytest.param(DYNAMIC,              "events",   id="dynamic"),
])  # fmt: skip
def test_each_model_takes_one_shape_of_usage(price: Document, shape: str) -> None:
    assert usage_shape(read_price(price)) == shape
    for name, usage in (("quantity", QUANTITY), ("groups", GROUPS), ("events", EVENTS)):
        if name == shape:
            rate(read_price(price), read_usage(usage))
        else:
            assert faults(price, usage) == [Fault("usage", f"must have {shape} under this price")]


@pytest.mark.parametrize(("price", "missing"), [
    pytest.param(PERCENTAGE, "quantity", id="percentage"),
    pytest.param(DYNAMIC,    "amount",   id="dynamic"),
])  # fmt: skip
def test_an_event_without_what_is_charged_is_an_error(price: Document, missing: str) -> None:
    whole: Document = {"quantity": "1", "amount": "2"}
    other = {name: value for name, value in whole.items() if name != missing}
    assert faults(price, {"events": [whole, other]}) == [
        Fault(f"usage.events.1.{missing}", "is required")
    ]
