import pytest

from domain.calculators.aggregating import answer_aggregate
from domain.errors import Invalid
from domain.reading import InexactNumber
from tests.public_cases import answered, differences

METER = {"key": "m", "event_name": "e", "aggregation": "sum", "value": "v"}
JANUARY = ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]
SECOND = "2026-01-02T10:00:00Z"
THIRD = "2026-01-03T10:00:00Z"


def use(time: str, **properties: object) -> dict[str, object]:
    return {"time": time, "properties": properties}


def line(
    *events: object, meter: dict[str, object] | None = None, **given: object
) -> dict[str, object]:
    return {"meter": {**METER, **(meter or {})}, "period": JANUARY, "events": list(events), **given}


def test_the_public_cases() -> None:
    assert differences("aggregate", answer_aggregate) == []


def test_every_line_gets_one_answer() -> None:
    answers = answered(
        answer_aggregate,
        '{"id": 1, "meter": {"key": "m", "event_name": "e", "aggregation": "sum", "value": "v"},'
        ' "period": ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"],'
        ' "events": [{"time": "2026-01-02T00:00:00Z", "properties": {"v": 3}}]}',
        '{"id": 2, "meter": {"key": "m", "event_name": "e", "aggregation": "sum", "value": "v"},'
        ' "period": ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"],'
        ' "events": [{"time": "2026-01-02T00:00:00Z", "properties": {"v": 1.5}}]}',
    )
    assert answers[0] == {"id": 1, "quantity": "3"}
    assert answers[1] == {
        "id": 2,
        "error": {
            "path": "events.0.properties.v",
            "message": "the number 1.5 may have lost digits: send it as a string",
        },
    }


BY_REGION: dict[str, object] = {"group_by": ["region"]}
HELD_BY_MINUTE: dict[str, object] = {"aggregation": "weighted_sum", "window": "minute"}
CARRYING: dict[str, object] = {"carry_over": True}
CARRYING_BY_REGION: dict[str, object] = {"carry_over": True, "group_by": ["region"]}
EU = {"key": {"region": "eu"}, "quantity": "5"}


@pytest.mark.parametrize(("asked", "answer"), [
    pytest.param(line(use(SECOND, v="0.10"), use(THIRD, v=2)), {"quantity": "2.1"}, id="a quantity"),
    pytest.param(line(), {"quantity": "0"}, id="no events"),
    pytest.param(line(meter=BY_REGION), {"groups": []}, id="no groups"),
    pytest.param(line(meter={"group_by": []}), {"quantity": "0"}, id="grouped by nothing"),
    pytest.param(line(use(SECOND, v="-0"), use(THIRD, v="0.0")), {"quantity": "0"}, id="never -0"),
    pytest.param(line({"time": SECOND}, meter={"aggregation": "count"}), {"quantity": "1"}, id="an event without properties"),
    pytest.param(line(use("2026-02-01T00:00:00Z", v="nonsense"), use("2025-12-31T23:59:59.999999Z")), {"quantity": "0"}, id="what the period excludes is not looked at"),
    pytest.param(line(use("2026-01-31T18:59:59-05:00", v="1"), use("2026-01-31T19:00:00-05:00", v="2")), {"quantity": "1"}, id="times with an offset"),
    pytest.param(line(use(SECOND, v="1"), use(THIRD, v="2"), use(THIRD, v="2"), meter={"aggregation": "avg"}), {"quantity": "1.666666666666666666666666666667"}, id="what does not end has 30 decimals"),
    pytest.param(line(use(SECOND, v="3"), use(THIRD, v="5"), meter={"aggregation": "max", "window": "day"}, timezone="Asia/Tokyo"), {"quantity": "8"}, id="windows in a timezone"),
    pytest.param(line(use(SECOND, v="1", region="us"), use(SECOND, v="2"), use(THIRD, v="3", region=7), meter=BY_REGION),
                 {"groups": [{"key": {"region": "7"}, "quantity": "3"}, {"key": {"region": "us"}, "quantity": "1"}, {"key": {"region": None}, "quantity": "2"}]}, id="groups"),
    pytest.param(line(use(SECOND, v="1", a={"b": "x"}), meter={"group_by": ["a.b"]}), {"groups": [{"key": {"a.b": "x"}, "quantity": "1"}]}, id="a group by a path"),
    pytest.param(line(use(SECOND, v="1"), meter=CARRYING, carried_in="5"), {"quantity": "6"}, id="a level carried in"),
    pytest.param(line(use(SECOND, v="1"), meter=CARRYING), {"quantity": "1"}, id="none carried in"),
    pytest.param(line(use(SECOND, v="1"), carried_in="nonsense"), {"quantity": "1"}, id="without carry_over it is ignored"),
    pytest.param(line(use(SECOND, v="1", region="us"), meter=CARRYING_BY_REGION, carried_in=[EU]),
                 {"groups": [{"key": {"region": "eu"}, "quantity": "5"}, {"key": {"region": "us"}, "quantity": "1"}]}, id="a level of a group"),
    pytest.param(line(meter=CARRYING_BY_REGION, carried_in=[EU, EU]), {"groups": [{"key": {"region": "eu"}, "quantity": "10"}]}, id="a group that occurs twice is added"),
    pytest.param(line(use(SECOND, v="1"), meter=CARRYING_BY_REGION, carried_in=[{"key": {}, "quantity": 5}]), {"groups": [{"key": {"region": None}, "quantity": "6"}]}, id="a group of what is missing"),
    pytest.param(line(meter=CARRYING_BY_REGION, carried_in="0"), {"groups": []}, id="nothing carried in for any group"),
])  # fmt: skip
def test_answers(asked: dict[str, object], answer: dict[str, object]) -> None:
    assert answer_aggregate(asked) == answer


@pytest.mark.parametrize(("asked", "path"), [
    pytest.param(line(use(SECOND, v="1"), use(THIRD)),                         "events.1.properties.v",     id="a missing value"),
    pytest.param(line(use(SECOND, v="ten")),                                   "events.0.properties.v",     id="a value that is no number"),
    pytest.param(line(use(SECOND, v="1", region=["eu"]), meter=BY_REGION),     "events.0.properties.region", id="a group that is no text"),
    pytest.param(line({"time": "2026-01-02", "properties": {"v": "1"}}),       "events.0.time",             id="a date for a time"),
    pytest.param(line({"properties": {"v": "1"}}),                             "events.0.time",             id="no time"),
    pytest.param(line({"time": SECOND, "properties": [1]}),                    "events.0.properties",       id="properties in a list"),
    pytest.param(line({"time": SECOND, "properties": {"v": "1"}, "v": "1"}),   "events.0.v",                id="an unknown field of an event"),
    pytest.param(line("an event"),                                             "events.0",                  id="an event that is no object"),
    pytest.param(line(events={"time": SECOND}),                                "events",                    id="one event instead of a list"),
    pytest.param(line(events=None),                                            "events",                    id="null instead of events"),
    pytest.param(line(meter={"aggregation": "median"}),                        "meter.aggregation",         id="no such aggregation"),
    pytest.param(line(meter={"value": "v / 2"}),                               "meter.value",               id="a division"),
    pytest.param(line(meter={"filters": [{"property": "v", "like": "1"}]}),    "meter.filters.0.like",      id="an unknown operator"),
    pytest.param(line(meter={"agregation": "sum"}),                            "meter.agregation",          id="a misspelt field of the meter"),
    pytest.param(line(period=JANUARY[:1]),                                     "period",                    id="half a period"),
    pytest.param(line(period=JANUARY * 2),                                     "period",                    id="two periods"),
    pytest.param(line(period=JANUARY[::-1]),                                   "period",                    id="backwards"),
    pytest.param(line(period=[SECOND, SECOND]),                                "period",                    id="a period without length"),
    pytest.param(line(period=[SECOND, "2026-02-01"]),                          "period.1",                  id="a date for an end"),
    pytest.param(line(period="2026-01"),                                       "period",                    id="a month for a period"),
    pytest.param(line(timezone="CEST"),                                        "timezone",                  id="no such timezone"),
    pytest.param(line(meter=CARRYING, carried_in="NaN"),                       "carried_in",                id="a level that is no number"),
    pytest.param(line(meter=CARRYING, carried_in=InexactNumber("1.5")),        "carried_in",                id="a level that is a float"),
    pytest.param(line(meter=CARRYING, carried_in=[EU]),                        "carried_in",                id="groups for a meter without groups"),
    pytest.param(line(meter=CARRYING_BY_REGION, carried_in="5"),               "carried_in",                id="a level without a group"),
    pytest.param(line(meter=CARRYING_BY_REGION, carried_in=[{"key": {"model": "x"}, "quantity": "5"}]), "carried_in.0.key", id="a level of another dimension"),
    pytest.param(line(meter=CARRYING_BY_REGION, carried_in=[{"key": {"region": "eu"}}]), "carried_in.0.quantity", id="a group without a level"),
    pytest.param(line(meter=HELD_BY_MINUTE, period=["0001-01-01T00:00:00Z", "9000-01-01T00:00:00Z"]), "period",      id="more windows than can be counted"),
    pytest.param(line(carry_in="5"),                                           "carry_in",                  id="an unknown field"),
])  # fmt: skip
def test_refused(asked: dict[str, object], path: str) -> None:
    with pytest.raises(Invalid) as refused:
        answer_aggregate(asked)
    assert [fault.path for fault in refused.value.faults] == [path]


def test_every_bad_event_is_named() -> None:
    with pytest.raises(Invalid) as refused:
        answer_aggregate(line(use(SECOND, v="x"), use(SECOND, v="1"), use(THIRD)))
    paths = [fault.path for fault in refused.value.faults]
    assert paths == ["events.0.properties.v", "events.2.properties.v"]
