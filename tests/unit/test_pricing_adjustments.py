"""What every price may add to its model, in which order, and the trace of it all."""

from fractions import Fraction as F

import pytest

from domain.pricing.price import read_price
from domain.pricing.steps import written
from domain.pricing.usage import Quantity, read_usage
from domain.rating import Rated, rate

Document = dict[str, object]

PER_UNIT: Document = {"model": "per_unit", "unit_amount": "2"}
FREE: Document = {"model": "flat", "amount": "0"}
CREDIT: Document = {"model": "per_unit", "unit_amount": "-2"}
TIERS = [{"up_to": "10", "unit_amount": "2"}, {"up_to": None, "unit_amount": "1"}]
GRADUATED: Document = {"model": "graduated", "tiers": TIERS}
VOLUME: Document = {"model": "volume", "tiers": TIERS}
PACKAGE: Document = {"model": "package", "package_size": "10", "package_amount": "5"}


def rated(price: Document, quantity: str) -> Rated:
    return rate(read_price(price), Quantity(F(quantity)))


@pytest.mark.parametrize(("price", "quantity", "amount"), [
    pytest.param({**PER_UNIT, "included": "10"},       "10.5", "1",   id="included units come off"),
    pytest.param({**PER_UNIT, "included": "10"},       "9.5",  "0",   id="never more than there are"),
    pytest.param({**PER_UNIT, "included": "10"},       "-5",   "-10", id="a correction has none to take off"),
    pytest.param({**FREE, "amount": "5", "included": "10"}, "3", "5", id="a flat amount is due all the same"),
    pytest.param({**GRADUATED, "included": "5"},       "16",   "21",  id="included units come off before the tiers"),
    pytest.param({**VOLUME, "included": "5"},          "15",   "20",  id="...and before a volume's tier is chosen"),
    pytest.param({**PACKAGE, "included": "5"},         "15",   "5",   id="...and before packages are counted"),
    pytest.param({**PACKAGE, "included": "5", "free_units": "5"}, "20", "5", id="...and before free units"),
    pytest.param({**PER_UNIT, "discount_percent": "25"}, "10", "15",  id="a discount"),
    pytest.param({**PER_UNIT, "discount_percent": "100"}, "10", "0",  id="a discount of everything"),
    pytest.param({**PER_UNIT, "discount_percent": "0"}, "10",  "20",  id="a discount of nothing"),
    pytest.param({**CREDIT, "discount_percent": "25"}, "10",   "-15", id="a credit shrinks as well"),
    pytest.param({**PER_UNIT, "maximum": "15"},        "10",   "15",  id="a maximum"),
    pytest.param({**PER_UNIT, "maximum": "20"},        "10",   "20",  id="a maximum just reached"),
    pytest.param({**PER_UNIT, "maximum": "0"},         "10",   "0",   id="a maximum of nothing"),
    pytest.param({**PER_UNIT, "minimum": "25"},        "10",   "25",  id="a minimum"),
    pytest.param({**PER_UNIT, "minimum": "20"},        "10",   "20",  id="a minimum just reached"),
    pytest.param({**PER_UNIT, "minimum": "25"},        "0",    "25",  id="a minimum is due at zero too"),
    pytest.param({**GRADUATED, "minimum": "25"},       "0",    "25",  id="...where no tier is reached"),
    pytest.param({**PER_UNIT, "minimum": "25", "included": "99"}, "9", "25", id="...and where all is included"),
    pytest.param({**CREDIT, "minimum": "0"},           "10",   "0",   id="a minimum ends a credit"),
    pytest.param({**PER_UNIT, "discount_percent": "50", "maximum": "15"}, "20", "15", id="the discount comes before the maximum"),
    pytest.param({**PER_UNIT, "discount_percent": "50", "maximum": "15"}, "10", "10", id="...which may then not be reached"),
    pytest.param({**PER_UNIT, "discount_percent": "50", "minimum": "15"}, "10", "15", id="the discount does not go below the minimum"),
    pytest.param({**PER_UNIT, "minimum": "5", "maximum": "5"}, "10", "5", id="a minimum that is the maximum"),
    pytest.param({**PER_UNIT, "unit": "credits", "unit_rate": "0.01"}, "100", "2", id="a custom unit"),
    pytest.param({**PER_UNIT, "unit": "credits", "unit_rate": "0.01", "minimum": "300", "maximum": "400"}, "1", "3", id="the bounds are in the unit"),
    pytest.param({**PER_UNIT, "included": "10", "discount_percent": "10", "maximum": "90", "minimum": "1", "unit": "credits", "unit_rate": "0.5"}, "70", "45", id="all of them"),
])  # fmt: skip
def test_adjustments(price: Document, quantity: str, amount: str) -> None:
    assert rated(price, quantity).amount == F(amount)


@pytest.mark.parametrize(("price", "usage", "amount"), [
    pytest.param({"model": "percentage", "rate": "10"},  {"events": [{"quantity": "500"}]}, "20", id="percentage"),
    pytest.param({"model": "percentage", "rate": "10"},  {"events": []},                    "10", id="percentage of no events"),
    pytest.param({"model": "dynamic"},                   {"events": [{"amount": "15"}]},    "13.5", id="dynamic"),
    pytest.param({"model": "dynamic"},                   {"events": []},                    "10", id="dynamic without events"),
    pytest.param({"model": "matrix", "dimensions": ["m"], "cells": [], "default_unit_amount": "1"}, {"groups": []}, "10", id="matrix without groups"),
    pytest.param({"model": "matrix", "dimensions": ["m"], "cells": [], "default_unit_amount": "1"}, {"groups": [{"key": {}, "quantity": "99"}]}, "20", id="matrix"),
])  # fmt: skip
def test_every_model_takes_them(price: Document, usage: Document, amount: str) -> None:
    bounded = {**price, "discount_percent": "10", "minimum": "10", "maximum": "20"}
    assert rate(read_price(bounded), read_usage(usage)).amount == F(amount)


Line = tuple[str, str | None, str | None, str]


def trace(answer: Rated) -> list[Line]:
    lines = [written(step) for step in answer.trace]
    return [(str(s["step"]), s["quantity"], s["rate"], str(s["amount"])) for s in lines]


@pytest.mark.parametrize(("price", "quantity", "steps"), [
    pytest.param({"model": "flat", "amount": "5"}, "3", [("amount", "1", "5", "5")], id="flat"),
    pytest.param(PER_UNIT, "1.5",                [("unit_amount", "1.5", "2", "3")], id="per unit"),
    pytest.param(PACKAGE,  "21",                 [("package_amount", "3", "5", "15")], id="package"),
    pytest.param(GRADUATED, "0",                 [], id="no tier reached"),
    pytest.param(GRADUATED, "12",                [("tiers.0.unit_amount", "10", "2", "20"), ("tiers.1.unit_amount", "2", "1", "2")], id="graduated"),
    pytest.param(VOLUME, "12",                   [("tiers.1.unit_amount", "12", "1", "12")], id="volume"),
    pytest.param({"model": "graduated_percentage", "tiers": [{"rate": "2.9", "flat_amount": "1"}]}, "10", [("tiers.0.rate", "10", "0.029", "0.29"), ("tiers.0.flat_amount", None, None, "1")], id="percentages are shares"),
    pytest.param({**PER_UNIT, "included": "10"}, "12",   [("included", "-10", "0", "0"), ("unit_amount", "2", "2", "4")], id="included"),
    pytest.param({**PER_UNIT, "discount_percent": "25"}, "2", [("unit_amount", "2", "2", "4"), ("discount_percent", None, None, "-1")], id="discount"),
    pytest.param({**PER_UNIT, "maximum": "3"}, "2",      [("unit_amount", "2", "2", "4"), ("maximum", None, None, "-1")], id="maximum"),
    pytest.param({**PER_UNIT, "minimum": "5"}, "2",      [("unit_amount", "2", "2", "4"), ("minimum", None, None, "1")], id="minimum"),
    pytest.param({**PER_UNIT, "minimum": "5", "unit": "credits", "unit_rate": "0.5"}, "2", [("unit_amount", "2", "1", "2"), ("minimum", None, None, "0.5"), ("unit_rate", None, "0.5", "0")], id="custom units, each step in the currency"),
])  # fmt: skip
def test_traces_of_a_quantity(price: Document, quantity: str, steps: list[Line]) -> None:
    assert trace(rated(price, quantity)) == steps


def test_trace_of_events() -> None:
    price = {
        "model": "percentage",
        "rate": "10",
        "fixed_amount": "1",
        "free_amount": "15",
        "minimum_per_event": "3",
        "maximum_per_event": "8",
    }
    usage = {"events": [{"quantity": "10"}, {"quantity": "10"}, {"quantity": "100"}]}
    assert trace(rate(read_price(price), read_usage(usage))) == [
        ("free", "15", "0", "0"),
        ("rate", "105", "0.1", "10.5"),
        ("fixed_amount", "2", "1", "2"),
        ("minimum_per_event", None, None, "1.5"),
        ("maximum_per_event", None, None, "-3"),
    ]


def test_trace_of_groups() -> None:
    price = {
        "model": "matrix",
        "dimensions": ["model"],
        "cells": [
            {"match": {"model": "a"}, "unit_amount": "2"},
            {"match": {"model": "b"}, "unit_amount": "3"},
        ],
        "default_unit_amount": "1",
    }
    groups = [
        {"key": {"model": model}, "quantity": quantity}
        for model, quantity in (("b", "1"), ("x", "10"), ("a", "2"), ("y", "5"), ("b", "4"))
    ]
    assert trace(rate(read_price(price), read_usage({"groups": groups}))) == [
        ("cells.0.unit_amount", "2", "2", "4"),
        ("cells.1.unit_amount", "5", "3", "15"),
        ("default_unit_amount", "15", "1", "15"),
    ]
