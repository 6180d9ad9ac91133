from collections.abc import Mapping

import pytest

from domain.errors import Invalid
from domain.metering.filters import read_filter
from domain.reading import InexactNumber

EVENT: Mapping[str, object] = {
    "model": "large",
    "tokens": "10",
    "seats": 3,
    "minus": "-2",
    "cached": True,
    "empty": "",
    "nothing": None,
    "usage": {"kind": "gpu"},
    "list": ["large"],
    "latency": InexactNumber("1.5"),
}


@pytest.mark.parametrize(("condition", "passes"), [
    pytest.param({"property": "model", "in": ["large", "small"]},     True,  id="one of these"),
    pytest.param({"property": "model", "in": ["small"]},              False, id="none of these"),
    pytest.param({"property": "model", "in": ["Large"]},              False, id="capitals count"),
    pytest.param({"property": "model", "in": []},                     False, id="one of none"),
    pytest.param({"property": "missing", "in": ["large"]},            False, id="a missing one is none of these"),
    pytest.param({"property": "seats", "in": ["3"]},                  True,  id="a number as text"),
    pytest.param({"property": "seats", "in": [3]},                    True,  id="a number"),
    pytest.param({"property": "tokens", "in": ["10.0"]},              False, id="not as a number"),
    pytest.param({"property": "cached", "in": ["true"]},              True,  id="true as text"),
    pytest.param({"property": "cached", "in": [True]},                True,  id="true"),
    pytest.param({"property": "cached", "in": [1]},                   False, id="true is not 1"),
    pytest.param({"property": "list", "in": ["large"]},               False, id="a list is no text"),
    pytest.param({"property": "model", "not_in": ["small"]},          True,  id="not one of these"),
    pytest.param({"property": "model", "not_in": ["large"]},          False, id="one of those to leave out"),
    pytest.param({"property": "missing", "not_in": ["large"]},        True,  id="a missing one is not one of these"),
    pytest.param({"property": "nothing", "not_in": ["large"]},        True,  id="null is missing"),
    pytest.param({"property": "tokens", "gt": "9"},                   True,  id="10 is greater than 9"),
    pytest.param({"property": "tokens", "gt": "10"},                  False, id="and not than itself"),
    pytest.param({"property": "tokens", "gte": "10.0"},               True,  id="but not less"),
    pytest.param({"property": "tokens", "lt": "10.000000000001"},     True,  id="less by very little"),
    pytest.param({"property": "tokens", "lt": 10},                    False, id="not less than itself"),
    pytest.param({"property": "tokens", "lte": 10},                   True,  id="nor more"),
    pytest.param({"property": "minus", "lt": "-1"},                   True,  id="negative numbers"),
    pytest.param({"property": "seats", "gte": "3"},                   True,  id="a number to compare"),
    pytest.param({"property": "missing", "gt": "-1"},                 False, id="a missing one is not greater"),
    pytest.param({"property": "missing", "lt": "1"},                  False, id="nor less"),
    pytest.param({"property": "model", "gt": "0"},                    False, id="nor is a word"),
    pytest.param({"property": "cached", "gte": "0"},                  False, id="nor is true"),
    pytest.param({"property": "usage", "lte": "0"},                   False, id="nor is an object"),
    pytest.param({"property": "model", "exists": True},               True,  id="is there"),
    pytest.param({"property": "empty", "exists": True},               True,  id="empty text is there"),
    pytest.param({"property": "missing", "exists": True},             False, id="is not there"),
    pytest.param({"property": "nothing", "exists": True},             False, id="null is not there"),
    pytest.param({"property": "missing", "exists": False},            True,  id="is not there, as it should be"),
    pytest.param({"property": "model", "exists": False},              False, id="is there, as it should not be"),
    pytest.param({"property": "usage.kind", "in": ["gpu"]},           True,  id="a dot is a path"),
    pytest.param({"property": "usage.missing", "exists": True},       False, id="a path that leads nowhere"),
    pytest.param({"property": "model.kind", "exists": True},          False, id="a path through text"),
    pytest.param({"property": "tokens", "gt": "5", "lte": "10"},      True,  id="both conditions hold"),
    pytest.param({"property": "tokens", "gt": "5", "lt": "10"},       False, id="one of two conditions holds"),
])  # fmt: skip
def test_passes(condition: object, passes: bool) -> None:
    assert read_filter(condition).passes(EVENT) is passes


def test_a_number_that_may_have_lost_digits_is_not_compared() -> None:
    with pytest.raises(Invalid, match="lost digits") as refused:
        read_filter({"property": "latency", "gt": "1"}).passes(EVENT)
    assert refused.value.faults[0].path == "properties.latency"


@pytest.mark.parametrize(("value", "path"), [
    pytest.param({"property": "v", "like": "1"},                        "like",     id="an unknown operator"),
    pytest.param({"property": "v", "gt": "1", "eq": "1"},               "eq",       id="an unknown operator beside a known one"),
    pytest.param({"property": "v"},                                     "",         id="no operator"),
    pytest.param({"property": "v", "gt": None},                         "",         id="null instead of a bound"),
    pytest.param({"in": ["a"]},                                         "property", id="no property"),
    pytest.param({"property": "a..b", "in": ["a"]},                     "property", id="a path with a hole"),
    pytest.param({"property": "v", "in": "large"},                      "in",       id="text instead of a list"),
    pytest.param({"property": "v", "in": [None]},                       "in.0",     id="null in a list"),
    pytest.param({"property": "v", "in": ["a", {}]},                    "in.1",     id="an object in a list"),
    pytest.param({"property": "v", "not_in": [InexactNumber("1.5")]},   "not_in.0", id="a float in a list"),
    pytest.param({"property": "v", "gt": "ten"},                        "gt",       id="a word as a bound"),
    pytest.param({"property": "v", "lte": InexactNumber("1.5")},        "lte",      id="a float as a bound"),
    pytest.param({"property": "v", "exists": "true"},                   "exists",   id="text instead of true"),
    pytest.param("v",                                                   "",         id="no object"),
])  # fmt: skip
def test_what_is_no_filter(value: object, path: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_filter(value)
    assert refused.value.faults[0].path == path
