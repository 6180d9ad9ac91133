"""Lines that are made to cost: each is refused with its path, after little work and in few words, and the rest go on."""

import json
from collections.abc import Callable, Mapping

import pytest

from domain.calculators.aggregating import answer_aggregate
from domain.calculators.periods import answer_periods
from domain.calculators.rating import answer_rate
from domain.errors import Invalid
from domain.pricing.tiers import MOST_TIERS
from domain.reading import LONGEST_LIST, MOST_FAULTS, Fields, InexactNumber, list_of, text
from tests.public_cases import answered

Document = dict[str, object]
Answer = Callable[[Mapping[str, object]], Mapping[str, object]]

MANY = 10_000
LONGEST_ANSWER = 50_000  # characters, of the error to a line of whatever length

PER_UNIT: Document = {"model": "per_unit", "unit_amount": "1"}
PERCENTAGE: Document = {"model": "percentage", "rate": "1"}
MATRIX: Document = {"model": "matrix", "dimensions": ["m"], "cells": [], "default_unit_amount": "1"}
RATE: Document = {"currency": "USD", "price": PER_UNIT, "usage": {"quantity": "1"}}
METER: Document = {"key": "m", "event_name": "e", "aggregation": "sum", "value": "v"}
EVENT: Document = {"time": "2026-01-02T00:00:00Z", "properties": {"v": "1"}}
PERIOD = ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]
AGGREGATE: Document = {"meter": METER, "period": PERIOD, "events": [EVENT]}
PERIODS: Document = {
    "start": "2026-01-31T00:00:00Z",
    "interval": {"unit": "month", "count": 1},
    "count": 2,
}


def price(**members: object) -> Document:
    return {**RATE, "price": {**PER_UNIT, **members}}


def graduated(tiers: list[Document]) -> Document:
    return {**RATE, "price": {"model": "graduated", "tiers": tiers}}


def events(*given: object) -> Document:
    return {**RATE, "price": PERCENTAGE, "usage": {"events": given}}


def meter(**members: object) -> Document:
    return {**AGGREGATE, "meter": {**METER, **members}}


def error(answer: Answer, good: Document, line: str) -> Document:
    """The error to a line, which the line after it does not feel."""
    refused, rated = answered(answer, line, json.dumps({**good, "id": "after"}))
    assert "error" not in rated
    assert rated["id"] == "after"
    assert len(json.dumps(refused)) < LONGEST_ANSWER
    found: Document = refused["error"]  # type: ignore[assignment]  # an object
    assert found["message"]
    return found


@pytest.mark.parametrize(("line", "path"), [
    pytest.param(graduated([{"up_to": str(n)} for n in range(1, MANY)]),       "price.tiers",         id="tiers"),
    pytest.param(graduated([{"upto": n} for n in range(MOST_TIERS)]),          "price.tiers.0.upto",  id="tiers that are all wrong"),
    pytest.param(price(**{f"x{n}": n for n in range(MANY)}),                   "price.x0",            id="unknown fields"),
    pytest.param(price(unit_amount="9" * 10**6),                               "price.unit_amount",   id="digits"),
    pytest.param(price(unit_amount="0." + "9" * 10**6),                        "price.unit_amount",   id="decimals"),
    pytest.param(price(unit_amount="1e400"),                                   "price.unit_amount",   id="an exponent in text"),
    pytest.param(events(*[{"quantity": "x"}] * MANY),                          "usage.events.0.quantity", id="events that are all wrong"),
    pytest.param({**RATE, "price": {**MATRIX, "dimensions": [f"d{n}" for n in range(MANY)]}}, "price.dimensions", id="dimensions"),
    pytest.param({**RATE, "price": {**MATRIX, "cells": [{"match": {f"d{n}": "x" for n in range(MANY)}, "unit_amount": "1"}] * 9}}, "price.cells.0.match.d0", id="cells of dimensions that there are not"),
    pytest.param({**RATE, "price": {**MATRIX, "default_unit_amount": None}, "usage": {"groups": [{"key": {"m": str(n)}, "quantity": "1"} for n in range(MANY)]}}, "usage.groups.0", id="groups without a price"),
])  # fmt: skip
def test_lines_to_rate(line: Document, path: str) -> None:
    assert error(answer_rate, RATE, json.dumps(line))["path"] == path


@pytest.mark.parametrize(("line", "path"), [
    pytest.param(meter(value="(" * MANY + "v" + ")" * MANY),                   "meter.value",         id="parentheses"),
    pytest.param(meter(value="(" * 500 + "v" + ")" * 500),                     "meter.value",         id="parentheses within the length of a text"),
    pytest.param(meter(value="+".join("a" * MANY)),                            "meter.value",         id="operands"),
    pytest.param(meter(value="*".join("a" * 500)),                             "meter.value",         id="operands within the length of a text"),
    pytest.param(meter(value="-" * 999 + "v"),                                 "meter.value",         id="signs"),
    pytest.param(meter(filters=[{"property": "v", "exists": True}] * MANY),    "meter.filters",       id="filters"),
    pytest.param(meter(filters=[{"property": "v", "in": ["x"] * MANY}]),       "meter.filters.0.in",  id="choices of a filter"),
    pytest.param(meter(filters=[{"property": "v", "in": [[]] * LONGEST_LIST}]), "meter.filters.0.in.0", id="choices that are all wrong"),
    pytest.param(meter(aggregation="percentile", percentile="9" * 10**6),      "meter.percentile",    id="a percentile of many digits"),
    pytest.param(meter(aggregation="percentile", percentile="9" * 38),         "meter.percentile",    id="a percentile beyond all"),
    pytest.param(meter(rounding={"mode": "up", "scale": 10**9}),               "meter.rounding.scale", id="a rounding to many digits"),
    pytest.param({**AGGREGATE, "events": [{**EVENT, "properties": {}}] * MANY}, "events.0.properties.v", id="events that are all wrong"),
    pytest.param({**AGGREGATE, "events": [{"time": "x"}] * MANY},              "events.0.time",       id="times that are all wrong"),
])  # fmt: skip
def test_lines_to_aggregate(line: Document, path: str) -> None:
    assert error(answer_aggregate, AGGREGATE, json.dumps(line))["path"] == path


@pytest.mark.parametrize(("members", "path"), [
    pytest.param({"count": 10**9},                                   "count",          id="periods"),
    pytest.param({"interval": {"unit": "month", "count": 10**30}},   "interval.count", id="an interval beyond all time"),
    pytest.param({"interval": {"unit": "year", "count": 9_000}},     "count",          id="an interval beyond the calendar"),
    pytest.param({"timezone": "../../etc/passwd"},                   "timezone",       id="a timezone that is a file"),
    pytest.param({"timezone": "A" * 10**6},                          "timezone",       id="a timezone without end"),
    pytest.param({"start": "2" * 10**6},                             "start",          id="a start without end"),
])  # fmt: skip
def test_lines_to_divide_into_periods(members: Document, path: str) -> None:
    assert error(answer_periods, PERIODS, json.dumps({**PERIODS, **members}))["path"] == path


@pytest.mark.parametrize("line", [
    pytest.param("[" * 100_000,                                      id="brackets"),
    pytest.param('{"price": ' * 100_000,                             id="objects"),
    pytest.param("{" + ", ".join(f'"m{n}": 1' for n in range(MANY)) + ', "m9999": 2}', id="a member twice among many"),
])  # fmt: skip
def test_lines_that_are_no_good_for_any_command(line: str) -> None:
    assert error(answer_rate, RATE, line)["path"] == ""


@pytest.mark.parametrize("number", ["1e400", "NaN", "-Infinity", "9" * 10**6, "0." + "1" * 10**6])
def test_numbers_that_no_one_can_count(number: str) -> None:
    line = json.dumps(price(unit_amount="?")).replace('"?"', number)
    assert error(answer_rate, RATE, line)["path"] == "price.unit_amount"


def test_reading_a_list_stops_where_enough_is_wrong() -> None:
    tried: list[object] = []

    def refuse(value: object) -> object:
        tried.append(value)
        raise Invalid.at("", "is wrong")

    with pytest.raises(Invalid) as refused:
        list_of(refuse, MANY)([0] * MANY)
    assert len(tried) == MOST_FAULTS
    assert len(refused.value.faults) == MOST_FAULTS


def test_a_list_that_is_too_long_is_not_read() -> None:
    def read(value: object) -> object:
        raise AssertionError("not even its first entry")

    with pytest.raises(Invalid, match="must have at most 3 entries"):
        list_of(read, 3)([0] * 4)


def test_of_unknown_fields_the_first_are_told() -> None:
    fields = Fields({"known": "x", **{str(n): n for n in range(MANY)}})
    fields.required("known", text)
    with pytest.raises(Invalid) as refused:
        fields.done()
    assert [fault.path for fault in refused.value.faults] == [str(n) for n in range(MOST_FAULTS)]


def test_a_number_is_told_by_its_first_digits() -> None:
    with pytest.raises(Invalid) as refused:
        answer_rate(price(minimum=InexactNumber("1." + "0" * 10**6)))
    assert len(str(refused.value)) < 200
