from datetime import UTC, datetime, timedelta

import pytest

from domain.calendar import Period
from domain.errors import Invalid
from domain.metering.meter import Window
from domain.metering.windows import window_containing, windows_of


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(("instant", "window", "timezone", "start", "end"), [
    pytest.param("2026-01-02T10:05:30Z", "minute", "UTC",                 "2026-01-02T10:05Z", "2026-01-02T10:06Z", id="a minute"),
    pytest.param("2026-01-02T10:05:30Z", "hour",   "UTC",                 "2026-01-02T10:00Z", "2026-01-02T11:00Z", id="an hour"),
    pytest.param("2026-01-02T10:00Z",    "hour",   "UTC",                 "2026-01-02T10:00Z", "2026-01-02T11:00Z", id="the start is within"),
    pytest.param("2026-01-02T10:05:30Z", "hour",   "Asia/Kolkata",        "2026-01-02T09:30Z", "2026-01-02T10:30Z", id="an hour of Kolkata"),
    pytest.param("2026-01-02T10:05:30Z", "day",    "America/New_York",    "2026-01-02T05:00Z", "2026-01-03T05:00Z", id="a day"),
    pytest.param("2026-11-01T12:00Z",    "day",    "America/New_York",    "2026-11-01T04:00Z", "2026-11-02T05:00Z", id="a day of 25 hours"),
    pytest.param("2026-01-01T12:00Z",    "week",   "UTC",                 "2025-12-29T00:00Z", "2026-01-05T00:00Z", id="a week over the end of a year"),
    pytest.param("2026-02-28T12:00Z",    "month",  "UTC",                 "2026-02-01T00:00Z", "2026-03-01T00:00Z", id="a month"),
    pytest.param("2026-11-01T05:30Z",    "hour",   "America/New_York",    "2026-11-01T05:00Z", "2026-11-01T06:00Z", id="the first hour of two"),
    pytest.param("2026-11-01T06:30Z",    "hour",   "America/New_York",    "2026-11-01T06:00Z", "2026-11-01T07:00Z", id="the second hour of two"),
    pytest.param("2026-04-04T14:50Z",    "hour",   "Australia/Lord_Howe", "2026-04-04T14:00Z", "2026-04-04T15:00Z", id="an hour whose second half comes again"),
    pytest.param("2026-04-04T15:10Z",    "hour",   "Australia/Lord_Howe", "2026-04-04T15:00Z", "2026-04-04T15:30Z", id="that second half"),
    pytest.param("2026-10-03T15:10Z",    "hour",   "Australia/Lord_Howe", "2026-10-03T14:30Z", "2026-10-03T15:30Z", id="the hour before a gap"),
    pytest.param("2026-10-03T15:40Z",    "hour",   "Australia/Lord_Howe", "2026-10-03T15:30Z", "2026-10-03T16:00Z", id="what the gap left of the next"),
    pytest.param("2009-11-01T02:45Z",    "day",    "America/St_Johns",    "2009-11-01T02:30Z", "2009-11-02T03:30Z", id="put back over midnight: the day had begun"),
])  # fmt: skip
def test_window_containing(
    instant: str, window: Window, timezone: str, start: str, end: str
) -> None:
    assert window_containing(at(instant), window, timezone) == Period(at(start), at(end))


def test_windows_are_cut_at_the_ends_of_the_period() -> None:
    period = Period(at("2026-01-02T10:20Z"), at("2026-01-02T12:10Z"))
    assert list(windows_of(period, "hour", "UTC")) == [
        Period(at("2026-01-02T10:20Z"), at("2026-01-02T11:00Z")),
        Period(at("2026-01-02T11:00Z"), at("2026-01-02T12:00Z")),
        Period(at("2026-01-02T12:00Z"), at("2026-01-02T12:10Z")),
    ]
    assert list(windows_of(period, "month", "UTC")) == [period]


def test_the_end_of_time() -> None:
    last = Period(at("9999-12-31T22:00Z"), at("9999-12-31T23:59Z"))
    with pytest.raises(Invalid, match="beyond the years 1 to 9999"):
        list(windows_of(last, "hour", "UTC"))


@pytest.mark.parametrize("window", ["minute", "hour", "day", "week", "month"])
@pytest.mark.parametrize(
    "timezone", ["America/New_York", "Australia/Lord_Howe", "America/St_Johns"]
)
def test_every_instant_is_in_one_window(window: Window, timezone: str) -> None:
    start = datetime(2009, 10, 31, 20, tzinfo=UTC)
    for minutes in range(0, 12 * 60, 7):
        instant = start + timedelta(minutes=minutes)
        found = window_containing(instant, window, timezone)
        last = found.end - timedelta(microseconds=1)
        assert found.contains(instant)
        assert found == window_containing(found.start, window, timezone)
        assert found == window_containing(last, window, timezone)
