from datetime import date, datetime

import pytest

from domain.errors import Invalid
from domain.reading import InexactNumber, instant
from domain.timezones import instant_of, local_time, read_timezone, skipped_dates


@pytest.mark.parametrize(("local",             "timezone",            "at"), [
    pytest.param("2026-01-31T10:00:00", "UTC",                 "2026-01-31T10:00:00Z",        id="no offset"),
    pytest.param("2026-07-01T10:00:00", "Asia/Kolkata",        "2026-07-01T04:30:00Z",        id="an offset of half an hour"),
    pytest.param("2026-03-08T02:30:00", "America/New_York",    "2026-03-08T07:00:00Z",        id="in a gap of an hour: 03:00"),
    pytest.param("2026-03-08T02:00:00", "America/New_York",    "2026-03-08T07:00:00Z",        id="the first time of a gap"),
    pytest.param("2026-03-08T03:00:00", "America/New_York",    "2026-03-08T07:00:00Z",        id="the first time after a gap"),
    pytest.param("2026-03-08T01:59:59", "America/New_York",    "2026-03-08T06:59:59Z",        id="the last second before a gap"),
    pytest.param("2026-03-08T02:30:00.000001", "America/New_York", "2026-03-08T07:00:00Z",    id="a gap ends on the second"),
    pytest.param("2026-11-01T01:30:00", "America/New_York",    "2026-11-01T05:30:00Z",        id="twice: the first"),
    pytest.param("2026-11-01T02:00:00", "America/New_York",    "2026-11-01T07:00:00Z",        id="the first time after an overlap"),
    pytest.param("2026-10-04T02:15:00", "Australia/Lord_Howe", "2026-10-03T15:30:00Z",        id="in a gap of half an hour"),
    pytest.param("2026-04-05T01:45:00", "Australia/Lord_Howe", "2026-04-04T14:45:00Z",        id="twice within half an hour"),
    pytest.param("2026-03-29T01:45:00", "Antarctica/Troll",    "2026-03-29T01:00:00Z",        id="in a gap of two hours"),
    pytest.param("2026-09-06T00:00:00", "America/Santiago",    "2026-09-06T04:00:00Z",        id="a midnight that does not exist"),
    pytest.param("2026-11-01T00:00:00", "America/Havana",      "2026-11-01T04:00:00Z",        id="a midnight that occurs twice"),
    pytest.param("2011-12-30T09:00:00", "Pacific/Apia",        "2011-12-30T10:00:00Z",        id="on a day that never was"),
    pytest.param("1883-11-18T12:03:57", "America/New_York",    "1883-11-18T16:59:59Z",        id="local mean time: twice"),
])  # fmt: skip
def test_instant_of(local: str, timezone: str, at: str) -> None:
    assert instant_of(datetime.fromisoformat(local), timezone) == instant(at)


def test_local_time_of_both_occurrences() -> None:
    first, second = instant("2026-11-01T05:30:00Z"), instant("2026-11-01T06:30:00Z")
    assert local_time(first, "America/New_York") == local_time(second, "America/New_York")


@pytest.mark.parametrize(("timezone", "dates"), [
    pytest.param("Pacific/Apia",       [date(2011, 12, 30)], id="Samoa"),
    pytest.param("Pacific/Kwajalein",  [date(1993, 8, 21)],  id="Kwajalein, after a day it had twice"),
    pytest.param("Pacific/Kiritimati", [date(1994, 12, 31)], id="on the last day of a year"),
    pytest.param("Asia/Manila",        [date(1844, 12, 31)], id="the Philippines"),
    pytest.param("America/Juneau",     [],                   id="Alaska had a day twice"),
    pytest.param("America/Santiago",   [],                   id="a midnight is not a day"),
    pytest.param("UTC",                [],                   id="UTC"),
])  # fmt: skip
def test_skipped_dates(timezone: str, dates: list[date]) -> None:
    assert skipped_dates(timezone) == tuple(dates)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Mars/Olympus",
        "Europe",
        "europe/vienna",
        "../Europe/Vienna",
        "right/UTC",
        "posix/UTC",
        "localtime",
        "zone.tab",
        "+02:00",
        "UTC+2",
        "A" * 5_000,
        "UTC\x00",
        InexactNumber("1.5"),
        0,
        None,
        True,
        ["UTC"],
        {},
    ],
)
def test_what_is_no_timezone(value: object) -> None:
    with pytest.raises(Invalid):
        read_timezone(value)


@pytest.mark.parametrize("name", ["UTC", "Etc/GMT+5", "America/Argentina/Buenos_Aires", "EST5EDT"])
def test_what_is_a_timezone(name: str) -> None:
    assert read_timezone(name) == name


@pytest.mark.parametrize(("at", "beyond", "within"), [
    pytest.param("0001-01-01T00:00:00Z", "America/New_York", "Asia/Tokyo",       id="the first year"),
    pytest.param("9999-12-31T23:59:59Z", "Asia/Tokyo",       "America/New_York", id="the last year"),
])  # fmt: skip
def test_the_ends_of_time(at: str, beyond: str, within: str) -> None:
    assert instant_of(local_time(instant(at), within), within) == instant(at)
    with pytest.raises(Invalid, match="beyond the years 1 to 9999"):
        local_time(instant(at), beyond)
    with pytest.raises(Invalid, match="beyond the years 1 to 9999"):
        instant_of(instant(at).replace(tzinfo=None), within)
