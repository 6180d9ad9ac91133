from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction as F

import pytest

from domain.errors import Invalid
from domain.metering.events import UsageEvent
from domain.metering.expressions import Number, Operation
from domain.metering.filters import Filter, In
from domain.metering.measuring import GroupKey, measure
from domain.metering.meter import Meter, Rounding, read_meter
from domain.metering.properties import Property
from domain.reading import InexactNumber

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def document(**given: object) -> dict[str, object]:
    return {
        "key": "tokens",
        "event_name": "llm.completion",
        "aggregation": "sum",
        "value": "v",
        **given,
    }


def event(properties: Mapping[str, object], name: str = "llm.completion") -> UsageEvent:
    return UsageEvent("e1", name, "acme", NOON, properties, arrival=7)


def test_the_meter_of_the_contract() -> None:
    example = document(
        value="tokens",
        filters=[{"property": "model", "in": ["large"]}],
        group_by=["model", "region"],
        rounding={"mode": "up", "scale": 0},
        carry_over=False,
        window=None,
        level="change",
    )
    assert read_meter(example) == Meter(
        key="tokens",
        event_name="llm.completion",
        aggregation="sum",
        value=Property(("tokens",)),
        filters=(Filter(Property(("model",)), (In(frozenset({"large"})),)),),
        group_by=(Property(("model",)), Property(("region",))),
        rounding=Rounding("up", 0),
    )


def test_a_meter_says_no_more_than_it_must() -> None:
    assert read_meter({"key": "calls", "event_name": "call", "aggregation": "count"}) == Meter(
        "calls", "call", "count"
    )


def test_a_name_is_let_through() -> None:
    assert read_meter(document(name="Tokens, large")) == read_meter(document())


@pytest.mark.parametrize(("given", "field", "read"), [
    pytest.param({"value": "v * 2"},                     "value",      Operation("*", Property(("v",)), Number(F(2))), id="an expression"),
    pytest.param({"rounding": {"mode": "half_up"}},      "rounding",   Rounding("half_up", 0),   id="whole numbers, unless said"),
    pytest.param({"rounding": {"mode": "down", "scale": -3}}, "rounding", Rounding("down", -3),  id="thousands"),
    pytest.param({"group_by": ["usage.kind"]},           "group_by",   (Property(("usage", "kind")),), id="groups by a path"),
    pytest.param({"carry_over": True},                   "carry_over", True,                     id="a sum that goes on"),
    pytest.param({"aggregation": "max", "carry_over": True}, "carry_over", True,                 id="a maximum that goes on"),
    pytest.param({"aggregation": "latest", "carry_over": True}, "carry_over", True,              id="a level that goes on"),
    pytest.param({"aggregation": "weighted_sum", "carry_over": True}, "carry_over", True,        id="a held level that goes on"),
    pytest.param({"aggregation": "weighted_sum", "level": "set"}, "level", "set",                id="a level that is set"),
    pytest.param({"aggregation": "percentile", "percentile": "99.9"}, "percentile", F("99.9"),   id="a percentile"),
    pytest.param({"aggregation": "percentile", "percentile": 95}, "percentile", F(95),           id="a whole percentile"),
    pytest.param({"window": "week"},                     "window",     "week",                   id="a window"),
    pytest.param({"filters": None, "group_by": None, "rounding": None}, "filters", (),           id="null is as good as absent"),
])  # fmt: skip
def test_read_meter(given: dict[str, object], field: str, read: object) -> None:
    assert getattr(read_meter(document(**given)), field) == read


@pytest.mark.parametrize(("given", "path"), [
    pytest.param({"aggregation": "median"},                                "aggregation",         id="no such aggregation"),
    pytest.param({"aggregation": None},                                    "aggregation",         id="no aggregation"),
    pytest.param({"key": "a b"},                                           "key",                 id="a key with a space"),
    pytest.param({"event_name": ""},                                       "event_name",          id="no event name"),
    pytest.param({"value": None},                                          "value",               id="a sum of nothing"),
    pytest.param({"value": "a / b"},                                       "value",               id="a division"),
    pytest.param({"aggregation": "count", "value": "("},                   "value",               id="a bad expression, though unused"),
    pytest.param({"aggregation": "unique_count", "value": "a + b"},        "value",               id="distinct sums"),
    pytest.param({"aggregation": "unique_count", "value": None},           "value",               id="distinct nothing"),
    pytest.param({"filters": [{"property": "v", "like": "1"}]},            "filters.0.like",      id="an unknown operator"),
    pytest.param({"filters": {"property": "v", "gt": "1"}},                "filters",             id="a filter without a list"),
    pytest.param({"filters": [{"property": "v", "gt": "1"}] * 101},        "filters",             id="too many filters"),
    pytest.param({"group_by": "model"},                                    "group_by",            id="a group without a list"),
    pytest.param({"group_by": ["model", "model"]},                         "group_by.1",          id="a dimension twice"),
    pytest.param({"group_by": ["a.b", 'a["b"]']},                          "group_by.1",          id="a dimension twice, in two spellings"),
    pytest.param({"group_by": [""]},                                       "group_by.0",          id="an empty dimension"),
    pytest.param({"group_by": [f"d{n}" for n in range(11)]},               "group_by",            id="too many dimensions"),
    pytest.param({"rounding": {"mode": "sideways", "scale": 0}},           "rounding.mode",       id="no such rounding"),
    pytest.param({"rounding": {"scale": 0}},                               "rounding.mode",       id="no mode"),
    pytest.param({"rounding": {"mode": "up", "scale": "0"}},               "rounding.scale",      id="a scale as text"),
    pytest.param({"rounding": {"mode": "up", "scale": InexactNumber("0.5")}}, "rounding.scale",   id="half a decimal"),
    pytest.param({"rounding": {"mode": "up", "scale": 39}},                "rounding.scale",      id="too fine a scale"),
    pytest.param({"rounding": {"mode": "up", "scale": 0, "to": 1}},        "rounding.to",         id="an unknown field of rounding"),
    pytest.param({"rounding": "up"},                                       "rounding",            id="rounding without a scale"),
    pytest.param({"carry_over": "true"},                                   "carry_over",          id="text instead of true"),
    pytest.param({"carry_over": True, "window": "day"},                    "carry_over",          id="a level over windows"),
    pytest.param({"carry_over": True, "aggregation": "avg"},               "carry_over",          id="an average has no level"),
    pytest.param({"carry_over": True, "aggregation": "count"},             "carry_over",          id="a count has no level"),
    pytest.param({"carry_over": True, "aggregation": "min"},               "carry_over",          id="a minimum has no level"),
    pytest.param({"carry_over": True, "aggregation": "unique_count"},      "carry_over",          id="distinct values are no level"),
    pytest.param({"carry_over": True, "aggregation": "percentile", "percentile": "95"}, "carry_over", id="a percentile has no level"),
    pytest.param({"window": "year"},                                       "window",              id="no such window"),
    pytest.param({"level": "hold"},                                        "level",               id="no such level"),
    pytest.param({"level": "set"},                                         "level",               id="a sum cannot be set"),
    pytest.param({"aggregation": "percentile"},                            "percentile",          id="which percentile?"),
    pytest.param({"percentile": "95"},                                     "percentile",          id="a percentile of a sum"),
    pytest.param({"aggregation": "percentile", "percentile": "100.1"},     "percentile",          id="beyond all"),
    pytest.param({"aggregation": "percentile", "percentile": "-1"},        "percentile",          id="below all"),
    pytest.param({"aggregation": "percentile", "percentile": InexactNumber("0.95")}, "percentile", id="a float"),
    pytest.param({"agregation": "sum"},                                    "agregation",          id="a misspelt field"),
])  # fmt: skip
def test_what_is_no_meter(given: dict[str, object], path: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_meter(document(**given))
    assert [fault.path for fault in refused.value.faults] == [path]


def test_every_fault_is_named() -> None:
    with pytest.raises(Invalid) as refused:
        read_meter(
            {"aggregation": "sum", "value": "(", "rounding": {"mode": "x"}, "windows": "day"}
        )
    paths = [fault.path for fault in refused.value.faults]
    assert paths == ["key", "event_name", "value", "rounding.mode", "windows"]


@pytest.mark.parametrize("value", [None, "tokens", [], 5])
def test_a_meter_is_an_object(value: object) -> None:
    with pytest.raises(Invalid, match="must be an object"):
        read_meter(value)


@pytest.mark.parametrize(("given", "properties", "value"), [
    pytest.param({},                                                    {"v": "2.50"},             F("2.5"), id="a decimal"),
    pytest.param({},                                                    {"v": 3},                  F(3),     id="a whole number"),
    pytest.param({},                                                    {"v": "-3"},               F(-3),    id="a correction"),
    pytest.param({"aggregation": "count", "value": None},               {},                        F(1),     id="an event counts one"),
    pytest.param({"aggregation": "count"},                              {"v": "ten"},              F(1),     id="whatever it says"),
    pytest.param({"aggregation": "unique_count"},                       {"v": " A "},              " A ",    id="text as it comes"),
    pytest.param({"aggregation": "unique_count"},                       {"v": "1.0"},              "1.0",    id="digits are text too"),
    pytest.param({"aggregation": "unique_count"},                       {"v": 1},                  "1",      id="a number is text"),
    pytest.param({"aggregation": "unique_count"},                       {"v": False},              "false",  id="false is text"),
    pytest.param({"aggregation": "unique_count"},                       {"v": ""},                 "",       id="empty text is a value"),
])  # fmt: skip
def test_measure(
    given: dict[str, object], properties: Mapping[str, object], value: F | str
) -> None:
    measured = measure(read_meter(document(**given)), event(properties))
    assert measured is not None
    assert (measured.time, measured.arrival, measured.group) == (NOON, 7, ())
    assert measured.value == value


@pytest.mark.parametrize(("properties", "group"), [
    pytest.param({"model": "large", "region": "eu"},    (("model", "large"), ("region", "eu")),   id="sorted by dimension"),
    pytest.param({"model": "large"},                    (("model", "large"), ("region", None)),   id="a missing one is null"),
    pytest.param({"model": None, "region": ""},         (("model", None), ("region", "")),        id="null is missing, empty is not"),
    pytest.param({"model": 4, "region": True},          (("model", "4"), ("region", "true")),     id="numbers and booleans are text"),
])  # fmt: skip
def test_the_group_of_a_measure(properties: dict[str, object], group: GroupKey) -> None:
    measured = measure(
        read_meter(document(group_by=["region", "model"])), event({"v": "1", **properties})
    )
    assert measured is not None
    assert measured.group == group


def test_what_is_of_another_meter_or_filtered_out_is_not_looked_at() -> None:
    large_only = read_meter(document(filters=[{"property": "model", "in": ["large"]}]))
    assert measure(large_only, event({"v": "nonsense"}, "llm.embedding")) is None
    assert measure(large_only, event({"model": "small", "v": "nonsense"})) is None


@pytest.mark.parametrize(("given", "properties", "path"), [
    pytest.param({},                                {"other": "1"},                       "properties.v",      id="missing"),
    pytest.param({},                                {"v": InexactNumber("1.5")},          "properties.v",      id="a float"),
    pytest.param({"aggregation": "unique_count"},   {},                                   "properties.v",      id="nothing to tell apart"),
    pytest.param({"aggregation": "unique_count"},   {"v": {"id": "1"}},                   "properties.v",      id="an object is no text"),
    pytest.param({"group_by": ["model"]},           {"v": "1", "model": ["large"]},       "properties.model",  id="a list is no group"),
    pytest.param({"filters": [{"property": "t", "gt": "1"}]}, {"v": "1", "t": InexactNumber("2.5")}, "properties.t", id="a float to compare"),
])  # fmt: skip
def test_an_event_that_cannot_be_measured(
    given: dict[str, object], properties: Mapping[str, object], path: str
) -> None:
    with pytest.raises(Invalid) as refused:
        measure(read_meter(document(**given)), event(properties))
    assert refused.value.faults[0].path == path
