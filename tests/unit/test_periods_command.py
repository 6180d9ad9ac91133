import pytest

from domain.calculators.periods import answer_periods
from domain.errors import Invalid
from tests.public_cases import answered, differences

JANUARY = {"start": "2026-01-31T00:00:00Z", "interval": {"unit": "month", "count": 1}}


def test_the_public_cases() -> None:
    assert differences("periods", answer_periods) == []


def test_every_line_gets_one_answer() -> None:
    answers = answered(
        answer_periods,
        '{"id": 1, "start": "2026-01-31T01:00:00+01:00", "interval": {"unit": "month"}, "count": 3}',
        '{"id": "b", "start": "2026-01-31", "interval": {"unit": "month"}}',
        "no JSON",
    )
    assert answers[0] == {
        "id": 1,
        "starts": ["2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"],
    }
    assert [answer["id"] for answer in answers] == [1, "b", None]
    assert ["error" in answer for answer in answers] == [False, True, True]


@pytest.mark.parametrize(("given", "starts"), [
    pytest.param({},                                            ["2026-01-31T00:00:00Z"],                          id="one start, unless said"),
    pytest.param({"count": None, "anchor": None, "timezone": None}, ["2026-01-31T00:00:00Z"],                      id="null is as good as absent"),
    pytest.param({"anchor": "calendar", "count": 2},            ["2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z"],  id="calendar"),
    pytest.param({"anchor": "2026-02-15T00:00:00Z", "count": 2}, ["2026-01-31T00:00:00Z", "2026-02-15T00:00:00Z"], id="a time to count from"),
    pytest.param({"start": "2026-01-31T00:00:00.25Z", "count": 2}, ["2026-01-31T00:00:00.250000Z", "2026-02-28T00:00:00.250000Z"], id="parts of a second"),
])  # fmt: skip
def test_answers(given: dict[str, object], starts: list[str]) -> None:
    assert answer_periods({**JANUARY, **given}) == {"starts": starts}


@pytest.mark.parametrize(("given", "path"), [
    pytest.param({"start": None},                                      "start",           id="no start"),
    pytest.param({"start": "2026-01-31T00:00:00"},                     "start",           id="no offset"),
    pytest.param({"start": "2026-01-31T00:00:00+0100"},                "start",           id="an offset without a colon"),
    pytest.param({"start": "2026-01-31T00:00:00+01"},                  "start",           id="an offset without minutes"),
    pytest.param({"start": "2026-01-31T00:00:00+00:60"},               "start",           id="an offset of sixty minutes"),
    pytest.param({"start": "2026-01-31T00:00Z"},                       "start",           id="no seconds"),
    pytest.param({"start": "2026-02-30T00:00:00Z"},                    "start",           id="no such day"),
    pytest.param({"start": "2026-01-31T24:00:00Z"},                    "start",           id="no such hour"),
    pytest.param({"start": "2026-06-30T23:59:60Z"},                    "start",           id="a leap second"),
    pytest.param({"start": "0001-01-01T00:00:00+01:00"},               "start",           id="before the first year"),
    pytest.param({"start": 1769817600},                                "start",           id="a number"),
    pytest.param({"interval": None},                                   "interval",        id="no interval"),
    pytest.param({"interval": "month"},                                "interval",        id="a unit alone"),
    pytest.param({"interval": {"unit": "fortnight"}},                  "interval.unit",   id="no such unit"),
    pytest.param({"interval": {"unit": "day", "count": 0}},            "interval.count",  id="no time at all"),
    pytest.param({"interval": {"unit": "day", "counts": 2}},           "interval.counts", id="a misspelt field of the interval"),
    pytest.param({"interval": {"unit": "week", "count": 2}, "anchor": "calendar"},  "interval.count", id="fortnights of no calendar"),
    pytest.param({"interval": {"unit": "month", "count": 5}, "anchor": "calendar"}, "interval.count", id="five months of no calendar"),
    pytest.param({"interval": {"unit": "year", "count": 2}, "anchor": "calendar"},  "interval.count", id="two years of no calendar"),
    pytest.param({"anchor": "anniversery"},                            "anchor",          id="a misspelt anchor"),
    pytest.param({"anchor": "2026-02-15"},                             "anchor",          id="a date to count from"),
    pytest.param({"timezone": "Mars/Olympus"},                         "timezone",        id="no such timezone"),
    pytest.param({"timezone": "+01:00"},                               "timezone",        id="an offset for a timezone"),
    pytest.param({"count": 0},                                         "count",           id="no starts"),
    pytest.param({"count": -1},                                        "count",           id="less than none"),
    pytest.param({"count": "3"},                                       "count",           id="a count as text"),
    pytest.param({"count": 10**9},                                     "count",           id="too many starts"),
    pytest.param({"start": "9999-12-31T00:00:00Z", "count": 2},        "count",           id="beyond the last year"),
    pytest.param({"zone": "UTC"},                                      "zone",            id="an unknown field"),
])  # fmt: skip
def test_refused(given: dict[str, object], path: str) -> None:
    with pytest.raises(Invalid) as refused:
        answer_periods({**JANUARY, **given})
    assert [fault.path for fault in refused.value.faults] == [path]


def test_every_fault_is_named() -> None:
    with pytest.raises(Invalid) as refused:
        answer_periods({"interval": {"unit": "x", "count": 0}, "timezone": "x", "counts": 3})
    paths = [fault.path for fault in refused.value.faults]
    assert paths == ["start", "interval.unit", "interval.count", "timezone", "counts"]
