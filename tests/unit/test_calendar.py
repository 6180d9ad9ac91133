from datetime import UTC, datetime, timedelta

import pytest

from domain.calendar import (
    Anchor,
    Cycle,
    Interval,
    Period,
    Unit,
    add_interval,
    read_anchor,
    read_interval,
    require_alignment,
)
from domain.errors import Invalid
from domain.reading import InexactNumber, instant, written

MONTHLY = Interval("month", 1)
DAILY = Interval("day", 1)
WEEKLY = Interval("week", 1)
YEARLY = Interval("year", 1)
HOURLY = Interval("hour", 1)


def at(text: str) -> datetime:
    """`2026-01-31`, `2026-01-31T10:00` or a whole RFC 3339 time; UTC unless it says otherwise."""
    parsed = datetime.fromisoformat(text)
    return instant(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))


def anchor_at(text: str) -> Anchor:
    return read_anchor(text) if text in ("anniversary", "calendar") else at(text)


def check_starts(cycle: Cycle, *later: str) -> None:
    expected = [cycle.started_at, *map(at, later)]
    assert list(map(written, cycle.starts(len(expected)))) == list(map(written, expected))
    assert [cycle.start(index) for index in range(len(expected))] == expected


@pytest.mark.parametrize(("start", "interval", "later"), [
    pytest.param("2023-01-31", MONTHLY,             ["2023-02-28", "2023-03-31", "2023-04-30", "2023-05-31"], id="the 31st comes back"),
    pytest.param("2024-01-31", MONTHLY,             ["2024-02-29", "2024-03-31"],                             id="the 31st in a leap year"),
    pytest.param("2023-01-30", MONTHLY,             ["2023-02-28", "2023-03-30", "2023-04-30"],               id="the 30th comes back"),
    pytest.param("2025-01-29", MONTHLY,             ["2025-02-28", "2025-03-29"],                             id="the 29th comes back"),
    pytest.param("2025-02-28", MONTHLY,             ["2025-03-28", "2025-04-28"],                             id="the 28th is not the last day"),
    pytest.param("2026-04-30", MONTHLY,             ["2026-05-30", "2026-06-30"],                             id="nor is the 30th"),
    pytest.param("2026-12-31", MONTHLY,             ["2027-01-31", "2027-02-28"],                             id="over the end of a year"),
    pytest.param("2023-11-30", Interval("month", 3), ["2024-02-29", "2024-05-30", "2024-08-30"],              id="quarters from the 30th"),
    pytest.param("2023-08-31", Interval("month", 3), ["2023-11-30", "2024-02-29", "2024-05-31"],              id="quarters from the 31st"),
    pytest.param("2026-01-31", Interval("month", 13), ["2027-02-28", "2028-03-31"],                           id="13 months"),
    pytest.param("2024-02-29", YEARLY,              ["2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"], id="29 February returns"),
    pytest.param("2096-02-29", Interval("year", 4), ["2100-02-28", "2104-02-29"],                             id="no leap year in 2100"),
    pytest.param("2000-02-29", Interval("month", 12), ["2001-02-28", "2002-02-28", "2003-02-28", "2004-02-29"], id="12 months are a year"),
    pytest.param("2026-01-01", Interval("week", 2), ["2026-01-15", "2026-01-29"],                             id="weeks from any weekday"),
    pytest.param("2024-02-27", Interval("day", 2),  ["2024-02-29", "2024-03-02"],                             id="days over a leap day"),
    pytest.param("2026-01-01T22:30", Interval("hour", 36), ["2026-01-03T10:30", "2026-01-04T22:30"],          id="hours"),
    pytest.param("2026-01-31T23:59:59.999999", MONTHLY, ["2026-02-28T23:59:59.999999"],                       id="to the microsecond"),
])  # fmt: skip
def test_anniversaries(start: str, interval: Interval, later: list[str]) -> None:
    check_starts(Cycle(at(start), interval, "anniversary", "UTC"), *later)


@pytest.mark.parametrize(("start", "unit", "timezone", "later"), [
    pytest.param("2012-07-16T21:17:03",       "month", "Asia/Tokyo",          ["2012-08-16T21:17:03", "2012-09-16T21:17:03"], id="the 17th in Tokyo"),
    pytest.param("2026-01-08T00:00-05:00",    "month", "America/New_York",    ["2026-02-08T05:00", "2026-03-08T05:00", "2026-04-08T04:00"], id="the same local midnight"),
    pytest.param("2026-02-08T02:30-05:00",    "month", "America/New_York",    ["2026-03-08T07:00", "2026-04-08T06:30"], id="in a gap, and back"),
    pytest.param("2026-03-07T02:30-05:00",    "day",   "America/New_York",    ["2026-03-08T07:00", "2026-03-09T06:30"], id="a day in a gap"),
    pytest.param("2026-10-01T01:30-04:00",    "month", "America/New_York",    ["2026-11-01T05:30", "2026-12-01T06:30"], id="twice: the first"),
    pytest.param("2026-11-01T01:30-05:00",    "day",   "America/New_York",    ["2026-11-02T06:30", "2026-11-03T06:30"], id="a start given as the second"),
    pytest.param("2025-11-01T01:30-04:00",    "year",  "America/New_York",    ["2026-11-01T05:30", "2027-11-01T05:30"], id="a year later, twice"),
    pytest.param("2026-10-25T00:30+00:00",    "week",  "Europe/London",       ["2026-11-01T01:30", "2026-11-08T01:30"], id="the first of two, then in winter"),
    pytest.param("2026-10-02T15:45",          "day",   "Australia/Lord_Howe", ["2026-10-03T15:30", "2026-10-04T15:15"], id="a gap of half an hour"),
    pytest.param("2026-04-03T14:45",          "day",   "Australia/Lord_Howe", ["2026-04-04T14:45", "2026-04-05T15:15"], id="an overlap of half an hour"),
    pytest.param("2026-09-05T00:00-04:00",    "day",   "America/Santiago",    ["2026-09-06T04:00", "2026-09-07T03:00"], id="a midnight that does not exist"),
    pytest.param("2011-12-29T09:00-10:00",    "day",   "Pacific/Apia",        ["2011-12-30T10:00", "2011-12-30T19:00"], id="on the day that never was"),
    pytest.param("2011-12-29T00:00-10:00",    "day",   "Pacific/Apia",        ["2011-12-30T10:00", "2011-12-31T10:00"], id="two boundaries in one are one"),
    pytest.param("2011-11-30T09:00-10:00",    "month", "Pacific/Apia",        ["2011-12-30T10:00", "2012-01-29T19:00"], id="a month later, on the day that never was"),
    pytest.param("2026-03-08T01:30-05:00",    "hour",  "America/New_York",    ["2026-03-08T07:30", "2026-03-08T08:30"], id="hours are elapsed time"),
])  # fmt: skip
def test_anniversaries_by_the_local_clock(
    start: str, unit: Unit, timezone: str, later: list[str]
) -> None:
    check_starts(Cycle(at(start), Interval(unit, 1), "anniversary", timezone), *later)


@pytest.mark.parametrize(("start", "interval", "timezone", "later"), [
    pytest.param("2026-01-15T10:20:30",    MONTHLY,             "UTC",              ["2026-02-01", "2026-03-01"],             id="months"),
    pytest.param("2026-01-01",             MONTHLY,             "UTC",              ["2026-02-01"],                           id="from a boundary"),
    pytest.param("2026-01-31T23:59:59.999999", MONTHLY,         "UTC",              ["2026-02-01"],                           id="just before a boundary"),
    pytest.param("2026-02-01T04:59",       MONTHLY,             "America/New_York", ["2026-02-01T05:00", "2026-03-01T05:00"], id="local months"),
    pytest.param("2026-02-14",             Interval("month", 3), "UTC",             ["2026-04-01", "2026-07-01"],             id="quarters from January"),
    pytest.param("2026-02-14",             Interval("month", 2), "UTC",             ["2026-03-01", "2026-05-01"],             id="two months from January"),
    pytest.param("2026-06-30",             Interval("month", 4), "UTC",             ["2026-09-01", "2027-01-01"],             id="thirds of a year"),
    pytest.param("2026-06-30",             Interval("month", 6), "UTC",             ["2026-07-01", "2027-01-01"],             id="half years"),
    pytest.param("2026-06-30",             Interval("month", 12), "UTC",            ["2027-01-01", "2028-01-01"],             id="twelve months"),
    pytest.param("2026-06-30",             YEARLY,              "Asia/Tokyo",       ["2026-12-31T15:00", "2027-12-31T15:00"], id="local years"),
    pytest.param("2026-01-01",             WEEKLY,              "UTC",              ["2026-01-05", "2026-01-12"],             id="weeks start on Monday"),
    pytest.param("2026-01-05",             WEEKLY,              "UTC",              ["2026-01-12"],                           id="from a Monday"),
    pytest.param("2026-03-29",             DAILY,               "Europe/Vienna",    ["2026-03-29T22:00", "2026-03-30T22:00"], id="a day of 23 hours"),
    pytest.param("2026-09-05T12:00",       DAILY,               "America/Santiago", ["2026-09-06T04:00", "2026-09-07T03:00"], id="a midnight that does not exist"),
    pytest.param("2026-10-15",             MONTHLY,             "America/Havana",   ["2026-11-01T04:00", "2026-12-01T05:00"], id="a midnight that occurs twice"),
    pytest.param("2009-11-01T03:00",       DAILY,               "America/St_Johns", ["2009-11-02T03:30"],                     id="after midnight, for the second time in the hour before it"),
    pytest.param("2011-12-29T22:00",       DAILY,               "Pacific/Apia",     ["2011-12-30T10:00", "2011-12-31T10:00"], id="a day that never was"),
    pytest.param("2026-01-01T10:20:30",    HOURLY,              "Asia/Kolkata",     ["2026-01-01T11:00", "2026-01-01T12:00"], id="the full hour of UTC"),
])  # fmt: skip
def test_calendar_periods(start: str, interval: Interval, timezone: str, later: list[str]) -> None:
    check_starts(Cycle(at(start), interval, "calendar", timezone), *later)


@pytest.mark.parametrize(("start", "interval", "anchor", "timezone", "later"), [
    pytest.param("2026-01-10", MONTHLY,            "2026-01-31",       "UTC",              ["2026-01-31", "2026-02-28", "2026-03-31"],   id="ahead"),
    pytest.param("2026-01-31", MONTHLY,            "2026-01-31",       "UTC",              ["2026-02-28", "2026-03-31"],                 id="at the start"),
    pytest.param("2026-02-10", MONTHLY,            "2025-08-31",       "UTC",              ["2026-02-28", "2026-03-31", "2026-04-30"],   id="long ago"),
    pytest.param("2026-01-20", MONTHLY,            "2026-06-15",       "UTC",              ["2026-02-15", "2026-03-15"],                 id="far ahead: the first is short all the same"),
    pytest.param("2026-02-20", MONTHLY,            "2026-08-31",       "UTC",              ["2026-02-28", "2026-03-31"],                 id="counted backwards from the 31st"),
    pytest.param("2026-02-20", YEARLY,             "2028-02-29",       "UTC",              ["2026-02-28", "2027-02-28", "2028-02-29"],   id="counted backwards from 29 February"),
    pytest.param("2026-02-10", MONTHLY,            "2026-01-31T23:00-05:00", "America/New_York", ["2026-03-01T04:00", "2026-04-01T03:00"], id="local time"),
    pytest.param("2026-01-07", Interval("week", 2), "2026-01-01",      "UTC",              ["2026-01-15", "2026-01-29"],                 id="fortnights"),
    pytest.param("2026-01-01T02:00", Interval("hour", 6), "2026-01-01T00:30", "Asia/Kolkata", ["2026-01-01T06:30", "2026-01-01T12:30"],  id="hours"),
    pytest.param("2026-10-20", DAILY,              "2026-11-01T06:30", "America/New_York", ["2026-10-20T05:30", "2026-10-21T05:30"],     id="the second of two"),
])  # fmt: skip
def test_periods_from_a_given_time(
    start: str, interval: Interval, anchor: str, timezone: str, later: list[str]
) -> None:
    check_starts(Cycle(at(start), interval, at(anchor), timezone), *later)


@pytest.mark.parametrize(("start", "interval", "anchor", "whole"), [
    pytest.param("2026-01-17", MONTHLY,              "calendar",    ("2026-01-01", "2026-02-01"), id="the rest of a month"),
    pytest.param("2026-01-01", MONTHLY,              "calendar",    ("2026-01-01", "2026-02-01"), id="a whole month"),
    pytest.param("2026-02-14", Interval("month", 3), "calendar",    ("2026-01-01", "2026-04-01"), id="the rest of a quarter"),
    pytest.param("2026-01-07", WEEKLY,               "calendar",    ("2026-01-05", "2026-01-12"), id="the rest of a week"),
    pytest.param("2026-01-17T10:20", HOURLY,         "calendar",    ("2026-01-17T10:00", "2026-01-17T11:00"), id="the rest of an hour"),
    pytest.param("2026-02-20", MONTHLY,              "2026-08-31",  ("2026-01-31", "2026-02-28"), id="the rest of a month to the 31st"),
    pytest.param("2026-01-31", MONTHLY,              "2026-01-31",  ("2026-01-31", "2026-02-28"), id="from its own anchor"),
    pytest.param("2026-01-17", MONTHLY,              "anniversary", ("2026-01-17", "2026-02-17"), id="always whole"),
])  # fmt: skip
def test_what_a_first_period_is_the_rest_of(
    start: str, interval: Interval, anchor: str, whole: tuple[str, str]
) -> None:
    cycle = Cycle(at(start), interval, anchor_at(anchor), "UTC")
    assert cycle.full_period(0) == Period(at(whole[0]), at(whole[1]))
    assert cycle.full_period(1) == cycle.period(1)


def test_a_start_from_its_own_anchor_is_whole_though_its_local_time_occurred_before() -> None:
    second = at("2026-11-01T06:30")
    cycle = Cycle(second, DAILY, second, "America/New_York")
    assert cycle.full_period(0) == cycle.period(0) == Period(second, at("2026-11-02T06:30"))


@pytest.mark.parametrize(("instant_", "index"), [
    pytest.param("2026-01-17",                 0, id="the start"),
    pytest.param("2026-01-31T23:59:59.999999", 0, id="the end of a short first period"),
    pytest.param("2026-02-01",                 1, id="a boundary belongs to what follows"),
    pytest.param("2126-02-01",              1201, id="a century later"),
])  # fmt: skip
def test_the_period_of_an_instant(instant_: str, index: int) -> None:
    cycle = Cycle(at("2026-01-17"), MONTHLY, "calendar", "UTC")
    found, period = cycle.period_containing(at(instant_))
    assert (found, period) == (index, cycle.period(index))
    assert period.contains(at(instant_))


def test_there_is_no_period_before_the_first() -> None:
    cycle = Cycle(at("2026-01-17"), MONTHLY, "calendar", "UTC")
    with pytest.raises(ValueError, match="before the first"):
        cycle.period_containing(at("2026-01-16"))
    with pytest.raises(ValueError, match="from 0"):
        cycle.start(-1)


def test_a_period_is_half_open() -> None:
    january = Period(at("2026-01-01"), at("2026-02-01"))
    assert january.contains(january.start)
    assert not january.contains(january.end)
    assert january.length == timedelta(days=31)


@pytest.mark.parametrize(("start", "interval", "timezone", "later"), [
    pytest.param("2026-01-31",             MONTHLY,              "UTC",              "2026-02-28",       id="clamped"),
    pytest.param("2026-01-17T10:00",       Interval("day", 14),  "UTC",              "2026-01-31T10:00", id="a fortnight's trial"),
    pytest.param("2017-03-01T23:30-08:00", Interval("day", 30),  "America/Los_Angeles", "2017-04-01T06:30", id="30 local days over a clock change"),
    pytest.param("2026-03-01T02:30-05:00", WEEKLY,               "America/New_York", "2026-03-08T07:00", id="into a gap"),
    pytest.param("2026-03-08T01:30-05:00", Interval("hour", 24), "America/New_York", "2026-03-09T06:30", id="24 hours are elapsed time"),
    pytest.param("2024-02-29",             YEARLY,               "UTC",              "2025-02-28",       id="a year from 29 February"),
])  # fmt: skip
def test_add_interval(start: str, interval: Interval, timezone: str, later: str) -> None:
    assert add_interval(at(start), interval, timezone) == at(later)


@pytest.mark.parametrize(
    "interval", [MONTHLY, Interval("hour", 1_000_000), Interval("year", 1_000_000)]
)
def test_the_end_of_time(interval: Interval) -> None:
    cycle = Cycle(at("9999-12-15"), interval, "anniversary", "UTC")
    assert list(cycle.starts(1)) == [cycle.started_at]
    for reach in (
        lambda: list(cycle.starts(2)),
        lambda: cycle.period(0),
        lambda: cycle.start(10**9),
    ):
        with pytest.raises(Invalid, match="beyond the years 1 to 9999"):
            reach()
    with pytest.raises(Invalid):
        add_interval(cycle.started_at, interval, "UTC")


@pytest.mark.parametrize(("value", "interval"), [
    pytest.param({"unit": "month", "count": 3},    Interval("month", 3),     id="a quarter"),
    pytest.param({"unit": "hour"},                 Interval("hour", 1),      id="one, unless said"),
    pytest.param({"unit": "day", "count": 10_000}, Interval("day", 10_000),  id="any count"),
])  # fmt: skip
def test_read_interval(value: object, interval: Interval) -> None:
    assert read_interval(value) == interval


@pytest.mark.parametrize(("value", "path"), [
    pytest.param({"unit": "fortnight", "count": 1},                  "unit",  id="no such unit"),
    pytest.param({"unit": "months", "count": 1},                     "unit",  id="a plural"),
    pytest.param({"count": 1},                                       "unit",  id="no unit"),
    pytest.param({"unit": "month", "count": 0},                      "count", id="none"),
    pytest.param({"unit": "month", "count": -1},                     "count", id="backwards"),
    pytest.param({"unit": "month", "count": "1"},                    "count", id="text"),
    pytest.param({"unit": "month", "count": True},                   "count", id="true"),
    pytest.param({"unit": "month", "count": InexactNumber("1.0")},   "count", id="a point"),
    pytest.param({"unit": "month", "count": 10**30},                 "count", id="beyond measure"),
    pytest.param({"unit": "month", "step": 1},                       "step",  id="an unknown field"),
    pytest.param("month",                                            "",      id="no object"),
    pytest.param(None,                                               "",      id="null"),
])  # fmt: skip
def test_what_is_no_interval(value: object, path: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_interval(value)
    assert refused.value.faults[0].path == path


def test_read_anchor() -> None:
    assert read_anchor("anniversary") == "anniversary"
    assert read_anchor("calendar") == "calendar"
    assert read_anchor("2026-01-31T00:00:00+01:00") == at("2026-01-30T23:00")


@pytest.mark.parametrize(
    "value", ["", "Calendar", "2026-01-31", "2026-01-31T00:00:00", 31, None, [], {}]
)
def test_what_is_no_anchor(value: object) -> None:
    with pytest.raises(Invalid, match="anniversary, calendar"):
        read_anchor(value)


@pytest.mark.parametrize(
    "interval", [Interval("month", n) for n in (1, 2, 3, 4, 6, 12)] + [WEEKLY, HOURLY]
)
def test_intervals_that_a_calendar_has(interval: Interval) -> None:
    require_alignment(interval, "calendar")


@pytest.mark.parametrize(
    "interval",
    [Interval("month", n) for n in (5, 7, 13, 24)] + [Interval("week", 2), Interval("year", 2)],
)
def test_intervals_that_no_calendar_has(interval: Interval) -> None:
    require_alignment(interval, "anniversary")
    require_alignment(interval, at("2026-01-01"))
    with pytest.raises(Invalid) as refused:
        require_alignment(interval, "calendar")
    assert refused.value.faults[0].path == "interval.count"
