"""What is refused when a price is made, and where: never at rating."""

import pytest

from domain.errors import Invalid
from domain.pricing.price import read_price
from domain.reading import InexactNumber

Document = dict[str, object]

MODELS = (
    "flat, per_unit, package, graduated, volume, percentage, graduated_percentage, matrix, dynamic"
)
PER_UNIT: Document = {"model": "per_unit", "unit_amount": "1"}
PACKAGE: Document = {"model": "package", "package_size": "10", "package_amount": "5"}
PERCENTAGE: Document = {"model": "percentage", "rate": "1"}
MATRIX: Document = {
    "model": "matrix",
    "dimensions": ["model", "region"],
    "cells": [{"match": {"model": "large"}, "unit_amount": "3"}],
}
A_DECIMAL = "must be a decimal like 12.5, with at most 38 digits before and after the point"


def faults(price: object) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        read_price(price)
    return [(fault.path, fault.message) for fault in refused.value.faults]


def tiered(*tiers: object, **extra: object) -> Document:
    return {"model": "graduated", "tiers": list(tiers), **extra}


def celled(*cells: object, **extra: object) -> Document:
    return {**MATRIX, "cells": list(cells), **extra}


def to(up_to: object, **amounts: object) -> Document:
    return {"up_to": up_to, **amounts}


@pytest.mark.parametrize(("price", "path", "message"), [
    pytest.param(None,                             "",      "must be an object",       id="no price"),
    pytest.param("per_unit",                       "",      "must be an object",       id="a text"),
    pytest.param([],                               "",      "must be an object",       id="a list"),
    pytest.param({},                               "model", "is required",             id="no model"),
    pytest.param({"model": None, "amount": "1"},   "model", f"must be one of {MODELS}", id="null"),
    pytest.param({"model": "tiered", "tiers": []}, "model", f"must be one of {MODELS}", id="an unknown model"),
    pytest.param({"model": ["flat"]},              "model", f"must be one of {MODELS}", id="a list of models"),
    pytest.param({"model": "Flat", "amount": "1"}, "model", f"must be one of {MODELS}", id="in capitals"),
    pytest.param({"model": "flat"},                "amount",        "is required", id="flat"),
    pytest.param({"model": "per_unit"},            "unit_amount",   "is required", id="per unit"),
    pytest.param({"model": "package", "package_amount": "1"}, "package_size",   "is required", id="package size"),
    pytest.param({"model": "package", "package_size": "1"},   "package_amount", "is required", id="package amount"),
    pytest.param({"model": "graduated"},           "tiers",         "is required", id="graduated"),
    pytest.param({"model": "volume"},              "tiers",         "is required", id="volume"),
    pytest.param({"model": "graduated_percentage"}, "tiers",        "is required", id="graduated percentage"),
    pytest.param({"model": "percentage"},          "rate",          "is required", id="percentage"),
    pytest.param({"model": "matrix", "cells": []}, "dimensions",    "is required", id="matrix dimensions"),
    pytest.param({"model": "matrix", "dimensions": ["a"]}, "cells", "is required", id="matrix cells"),
])  # fmt: skip
def test_what_every_price_needs(price: object, path: str, message: str) -> None:
    assert faults(price) == [(path, message)]


@pytest.mark.parametrize(("extra", "path"), [
    pytest.param({"maximun": "5"},                  "maximun",      id="a misspelt maximum"),
    pytest.param({"Minimum": "5"},                  "Minimum",      id="in capitals"),
    pytest.param({"currency": "USD"},               "currency",     id="what belongs elsewhere"),
    pytest.param({"flat_on_zero": True},            "flat_on_zero", id="what is of tiers"),
    pytest.param({"free_units": "5"},               "free_units",   id="what is of packages"),
    pytest.param({"tiers": []},                     "tiers",        id="what is of another model"),
    pytest.param({"amount": None},                  "amount",       id="even if null"),
])  # fmt: skip
def test_unknown_fields_are_refused(extra: Document, path: str) -> None:
    assert faults({**PER_UNIT, **extra}) == [(path, "is not a known field")]


@pytest.mark.parametrize("number", [
    "", " ", "1 ", "+1", "1.", ".5", "1e3", "NaN", "Infinity", "-", "--1", "1,000", "1_0", "0x10", "$5", "1/3", "５", "١",
    "1\n", "9" * 39, "0." + "1" * 39, 10**38, -(10**40),
])  # fmt: skip
def test_what_is_no_decimal(number: object) -> None:
    assert faults({**PER_UNIT, "unit_amount": number}) == [("unit_amount", A_DECIMAL)]


@pytest.mark.parametrize("number", [None, True, [], ["5"], {}, {"value": "5"}])
def test_what_is_no_number_at_all(number: object) -> None:
    assert faults({**PER_UNIT, "unit_amount": number}) == [
        ("unit_amount", "must be a decimal string")
    ]


@pytest.mark.parametrize(
    "number", [0.1, InexactNumber("9.99"), InexactNumber("1e3"), InexactNumber("NaN")]
)
def test_floats(number: object) -> None:
    assert faults({**PER_UNIT, "minimum": number}) == [
        ("minimum", f"the number {number} may have lost digits: send it as a string")
    ]


@pytest.mark.parametrize("number", [
    "0", "-0", "007", "9" * 38, "0." + "1" * 38, "-" + "9" * 38 + "." + "9" * 38, 0, -5, 10**38 - 1,
])  # fmt: skip
def test_what_is_a_decimal(number: object) -> None:
    assert read_price({**PER_UNIT, "unit_amount": number})


@pytest.mark.parametrize(("price", "path", "message"), [
    pytest.param({**PACKAGE, "package_size": "0"},      "package_size", "must be greater than zero", id="a package of nothing"),
    pytest.param({**PACKAGE, "package_size": "-10"},    "package_size", "must be greater than zero", id="a package of less"),
    pytest.param({**PACKAGE, "free_units": "-1"},       "free_units",   "must not be negative",      id="negative free units"),
    pytest.param({**PACKAGE, "round": "half_up"},       "round",        "must be one of up, down",   id="an unknown rounding"),
    pytest.param({**PACKAGE, "round": 1},               "round",        "must be one of up, down",   id="rounding by number"),
    pytest.param({**PERCENTAGE, "free_events": "1.5"},  "free_events",  "must be a whole number of events", id="half an event"),
    pytest.param({**PERCENTAGE, "free_events": "-1"},   "free_events",  "must not be negative",      id="negative free events"),
    pytest.param({**PERCENTAGE, "free_amount": "-1"},   "free_amount",  "must not be negative",      id="a negative free amount"),
    pytest.param({**PERCENTAGE, "minimum_per_event": "-1"}, "minimum_per_event", "must not be negative", id="a negative event minimum"),
    pytest.param({**PERCENTAGE, "maximum_per_event": "-1"}, "maximum_per_event", "must not be negative", id="a negative event maximum"),
    pytest.param({**PER_UNIT, "included": "-1"},        "included",     "must not be negative",      id="negative included units"),
    pytest.param({**PER_UNIT, "discount_percent": "-1"},   "discount_percent", "must be from 0 to 100", id="a negative discount"),
    pytest.param({**PER_UNIT, "discount_percent": "100.01"}, "discount_percent", "must be from 0 to 100", id="a discount of more than all"),
    pytest.param({**PER_UNIT, "minimum": "-1"},         "minimum",      "must not be negative",      id="a negative minimum"),
    pytest.param({**PER_UNIT, "maximum": "-1"},         "maximum",      "must not be negative",      id="a negative maximum"),
    pytest.param({**PER_UNIT, "minimum": "5", "maximum": "4.99"}, "minimum", "must not be above the maximum", id="a minimum above the maximum"),
    pytest.param({**PER_UNIT, "unit": "credits"},       "unit_rate",    "is required for a custom unit", id="a unit without its worth"),
    pytest.param({**PER_UNIT, "unit": "credits", "unit_rate": None}, "unit_rate", "is required for a custom unit", id="a unit of null worth"),
    pytest.param({**PER_UNIT, "unit_rate": "2"},        "unit",         "is required where there is a unit_rate", id="a worth without a unit"),
    pytest.param({**PER_UNIT, "unit": "credits", "unit_rate": "0"}, "unit_rate", "must be greater than zero", id="a worthless unit"),
    pytest.param({**PER_UNIT, "unit": 5, "unit_rate": "1"}, "unit",     "must be text",              id="a unit by number"),
    pytest.param({**PERCENTAGE, "included": "1"},       "included", "is not taken by a price of groups or events", id="included in a percentage"),
    pytest.param({**MATRIX, "included": "0"},           "included", "is not taken by a price of groups or events", id="included in a matrix"),
    pytest.param({"model": "dynamic", "included": "1"}, "included", "is not taken by a price of groups or events", id="included in dynamic"),
])  # fmt: skip
def test_what_makes_no_sense(price: Document, path: str, message: str) -> None:
    assert faults(price) == [(path, message)]


@pytest.mark.parametrize("price", [
    pytest.param({**PER_UNIT, "unit_amount": "-1"},                  id="a negative rate is a credit"),
    pytest.param(tiered(to(None, unit_amount="-1", flat_amount="-2")), id="in tiers too"),
    pytest.param({**PER_UNIT, "minimum": "5", "maximum": "5"},       id="a minimum that is the maximum"),
    pytest.param({**PER_UNIT, "included": None, "minimum": None, "unit": None}, id="null is absent"),
    pytest.param({**PERCENTAGE, "rate": "250", "free_events": "2.0"}, id="percentages above a hundred, whole decimals"),
    pytest.param({**PERCENTAGE, "minimum_per_event": "5", "maximum_per_event": "4"}, id="event bounds that cross: the maximum is last"),
    pytest.param({**MATRIX, "included": None},                       id="null is absent even where it is not taken"),
    pytest.param(celled(),                                           id="no cells"),
    pytest.param(celled({"match": {}, "unit_amount": "1"}),          id="a cell of everything"),
])  # fmt: skip
def test_what_is_unusual_but_taken(price: Document) -> None:
    assert read_price(price)


LAST_HAS_NONE = "must be null: the last tier is without a bound"
ONLY_THE_LAST = "must not be null: only the last tier is without a bound"
ABOVE_ZERO = "must be greater than zero"
ABOVE_THE_LAST = "must be greater than the bound before it"


@pytest.mark.parametrize(("price", "expected"), [
    pytest.param(tiered(),                       [("tiers", "must have at least one tier")], id="no tiers"),
    pytest.param({"model": "volume", "tiers": {}}, [("tiers", "must be a list")],            id="no list"),
    pytest.param(tiered("10"),                   [("tiers.0", "must be an object")],         id="a bare bound"),
    pytest.param(tiered(to("10")),               [("tiers.0.up_to", LAST_HAS_NONE)],         id="a finite last tier"),
    pytest.param(tiered(to("10"), to("20")),     [("tiers.1.up_to", LAST_HAS_NONE)],         id="a finite last tier of two"),
    pytest.param(tiered(to(None), to("20")),     [("tiers.0.up_to", ONLY_THE_LAST), ("tiers.1.up_to", LAST_HAS_NONE)], id="the wrong way round"),
    pytest.param(tiered(to(None), to(None)),     [("tiers.0.up_to", ONLY_THE_LAST)],         id="two without a bound"),
    pytest.param(tiered(to("0"), to(None)),      [("tiers.0.up_to", ABOVE_ZERO)],            id="nothing in the first"),
    pytest.param(tiered(to("-5"), to(None)),     [("tiers.0.up_to", ABOVE_ZERO)],            id="less than nothing in the first"),
    pytest.param(tiered(to("20"), to("10"), to(None)), [("tiers.1.up_to", ABOVE_THE_LAST)],  id="falling bounds"),
    pytest.param(tiered(to("10"), to("10.0"), to(None)), [("tiers.1.up_to", ABOVE_THE_LAST)], id="equal bounds"),
    pytest.param(tiered(to("1"), to(9.5), to(None)), [("tiers.1.up_to", "the number 9.5 may have lost digits: send it as a string")], id="a float"),
    pytest.param(tiered(to(None, rate="1")),     [("tiers.0.rate", "is not a known field")], id="a percentage of units"),
    pytest.param(tiered(to(None, unit_price="1")), [("tiers.0.unit_price", "is not a known field")], id="a misspelt amount"),
    pytest.param({"model": "graduated_percentage", "tiers": [to(None)]}, [("tiers.0.rate", "is required")], id="no percentage"),
    pytest.param({"model": "graduated_percentage", "tiers": [to(None, rate="1", unit_amount="1")]}, [("tiers.0.unit_amount", "is not a known field")], id="an amount of a percentage"),
    pytest.param(tiered(to("1", unit_amount="x"), to("y")), [("tiers.0.unit_amount", A_DECIMAL), ("tiers.1.up_to", A_DECIMAL)], id="every fault is named"),
    pytest.param(tiered(to(None), flat_on_zero="yes"), [("flat_on_zero", "must be true or false")], id="flat on zero by text"),
])  # fmt: skip
def test_tiers(price: Document, expected: list[tuple[str, str]]) -> None:
    assert faults(price) == expected


def cell(unit_amount: str = "1", **match: object) -> Document:
    return {"match": match, "unit_amount": unit_amount}


A_KEY = "must be text, a number, true, false or null"


@pytest.mark.parametrize(("price", "expected"), [
    pytest.param({**MATRIX, "dimensions": []},         [("dimensions", "must have at least one dimension")], id="no dimensions"),
    pytest.param({**MATRIX, "dimensions": ["model", "model"]}, [("dimensions.1", "is there twice")], id="a dimension twice"),
    pytest.param({**MATRIX, "dimensions": "model"},    [("dimensions", "must be a list")],           id="dimensions that are no list"),
    pytest.param(celled(cell(colour="red")),           [("cells.0.match.colour", "is not one of the dimensions")], id="a match on no dimension"),
    pytest.param(celled(cell(model="a"), cell(model="b"), cell("2", model="a")), [("cells.2.match", "is matched by cell 0 already")], id="the same match twice"),
    pytest.param(celled(cell(model="a", region="b"), cell(region="b", model="a")), [("cells.1.match", "is matched by cell 0 already")], id="the same match in another order"),
    pytest.param(celled(cell(model=1), cell(model="1")), [("cells.1.match", "is matched by cell 0 already")], id="the same match as text"),
    pytest.param(celled(cell(model=["a"])),            [("cells.0.match.model", A_KEY)],            id="a list of keys"),
    pytest.param(celled(cell(model=InexactNumber("NaN"))), [("cells.0.match.model", "must be a number that exists, not NaN")], id="no number"),
    pytest.param(celled({"match": {"model": "a"}}),    [("cells.0.unit_amount", "is required")],     id="a cell without an amount"),
    pytest.param(celled({"unit_amount": "1"}),         [("cells.0.match", "is required")],           id="a cell without a match"),
    pytest.param(celled({**cell(), "flat_amount": "1"}), [("cells.0.flat_amount", "is not a known field")], id="a flat amount of a cell"),
    pytest.param({**MATRIX, "default_unit_amount": 1.5}, [("default_unit_amount", "the number 1.5 may have lost digits: send it as a string")], id="a float by default"),
])  # fmt: skip
def test_matrices(price: Document, expected: list[tuple[str, str]]) -> None:
    assert faults(price) == expected


class Untouchable(dict[object, object]):
    """A member of a list that is too long: nobody looks at it."""

    def __contains__(self, name: object) -> bool:
        raise AssertionError("was read")

    get = __contains__  # type: ignore[assignment]  # whatever is asked of it


@pytest.mark.parametrize("price", [
    pytest.param({"model": "graduated", "tiers": [Untouchable()] * 1_001},  id="tiers"),
    pytest.param({"model": "volume", "tiers": [Untouchable()] * 1_001},     id="tiers of a volume"),
    pytest.param({"model": "graduated_percentage", "tiers": [Untouchable()] * 1_001}, id="tiers of a percentage"),
    pytest.param({**MATRIX, "cells": [Untouchable()] * 1_001},              id="cells"),
])  # fmt: skip
def test_what_is_too_long_is_refused_without_reading_it(price: Document) -> None:
    [(_, message)] = faults(price)
    assert message == "must have at most 1000 entries"


def test_a_thousand_tiers_are_taken() -> None:
    assert read_price(tiered(*(to(bound) for bound in range(1, 1_000)), to(None)))


def test_all_faults_of_a_price_are_found_at_once() -> None:
    price = {
        **PACKAGE,
        "package_size": "0",
        "round": "?",
        "discount_percent": "101",
        "colour": "red",
    }
    assert [path for path, _ in faults(price)] == [
        "package_size",
        "round",
        "discount_percent",
        "colour",
    ]
