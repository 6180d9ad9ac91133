"""Usage as it is written, for the price that is applied to it."""

from fractions import Fraction as F

import pytest

from domain.errors import Invalid
from domain.pricing.usage import (
    Events,
    Group,
    Groups,
    PricedEvent,
    Quantity,
    Usage,
    UsageShape,
    read_usage,
    shape_of,
)
from domain.reading import InexactNumber

Document = dict[str, object]


def of_keys(**key: object) -> Document:
    return {"groups": [{"key": key, "quantity": "1"}]}


@pytest.mark.parametrize(("document", "usage"), [
    pytest.param({"quantity": "-1.50"},        Quantity(F("-1.5")),          id="a quantity"),
    pytest.param({"quantity": 12},             Quantity(F(12)),              id="a whole number"),
    pytest.param({"groups": []},               Groups(()),                   id="no groups"),
    pytest.param(of_keys(region="eu", model="a"), Groups((Group((("model", "a"), ("region", "eu")), F(1)),)), id="keys are sorted"),
    pytest.param(of_keys(a=1, b=True, c=None, d=InexactNumber("1.50")), Groups((Group((("a", "1"), ("b", "true"), ("c", None), ("d", "1.50")), F(1)),)), id="keys are text as it is written, or nothing"),
    pytest.param(of_keys(),                    Groups((Group((), F(1)),)),   id="a group of everything"),
    pytest.param({"events": []},               Events(()),                   id="no events"),
    pytest.param({"events": [{"quantity": "1"}, {"amount": "2"}, {}]}, Events((PricedEvent(F(1), None), PricedEvent(None, F(2)), PricedEvent(None, None))), id="events"),
])  # fmt: skip
def test_usage(document: Document, usage: Usage) -> None:
    assert read_usage(document) == usage
    assert read_usage(document, shape_of(usage)) == usage


ONE_OF = "must have one of quantity, groups and events"
A_DECIMAL = "must be a decimal like 12.5, with at most 38 digits before and after the point"


@pytest.mark.parametrize(("document", "path", "message"), [
    pytest.param(None,                              "",                  "must be an object", id="nothing"),
    pytest.param("5",                               "",                  "must be an object", id="a bare quantity"),
    pytest.param({},                                "",                  ONE_OF,              id="no shape"),
    pytest.param({"amount": "5"},                   "",                  ONE_OF,              id="an unknown shape"),
    pytest.param({"quantity": "1", "events": []},   "",                  ONE_OF,              id="two shapes"),
    pytest.param({"quantity": "1", "unit": "x"},    "unit",              "is not a known field", id="an unknown field"),
    pytest.param({"quantity": None},                "quantity",          "must be a decimal string", id="a null quantity"),
    pytest.param({"quantity": "1e3"},               "quantity",          A_DECIMAL,           id="no decimal"),
    pytest.param({"groups": {}},                    "groups",            "must be a list",    id="groups that are no list"),
    pytest.param({"groups": [5]},                   "groups.0",          "must be an object", id="a bare group"),
    pytest.param({"groups": [{"quantity": "1"}]},   "groups.0.key",      "is required",       id="a group without a key"),
    pytest.param({"groups": [{"key": {}}]},         "groups.0.quantity", "is required",       id="a group without a quantity"),
    pytest.param({"groups": [{"key": "a", "quantity": "1"}]}, "groups.0.key", "must be an object", id="a bare key"),
    pytest.param({"groups": [{"key": {}, "quantity": "1", "amount": "1"}]}, "groups.0.amount", "is not a known field", id="an amount of a group"),
    pytest.param(of_keys(model={}),                 "groups.0.key.model", "must be text, a number, true, false or null", id="an object as key"),
    pytest.param({"events": [{"quantity": "x"}]},   "events.0.quantity", A_DECIMAL,           id="an event's quantity"),
    pytest.param({"events": [{}, {"amount": ""}]},  "events.1.amount",   A_DECIMAL,           id="an event's amount"),
    pytest.param({"events": [{"qty": "1"}]},        "events.0.qty",      "is not a known field", id="an event's unknown field"),
])  # fmt: skip
def test_faults(document: object, path: str, message: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_usage(document)
    assert [(fault.path, fault.message) for fault in refused.value.faults] == [(path, message)]


@pytest.mark.parametrize(("document", "shape"), [
    pytest.param({"quantity": "x"},               "events",   id="a quantity for events"),
    pytest.param({"quantity": "1"},               "groups",   id="a quantity for groups"),
    pytest.param({"events": [{"nonsense": "1"}]}, "quantity", id="events for a quantity"),
    pytest.param({"quantity": "1", "events": []}, "quantity", id="events with a quantity"),
    pytest.param({},                              "quantity", id="nothing for a quantity"),
])  # fmt: skip
def test_another_shape_is_refused_before_it_is_looked_into(
    document: Document, shape: UsageShape
) -> None:
    with pytest.raises(Invalid) as refused:
        read_usage(document, shape)
    assert [fault.path for fault in refused.value.faults] == [""]
    assert str(refused.value) == f"must have {shape} under this price, and no other kind of usage"
