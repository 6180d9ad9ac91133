from datetime import datetime
from fractions import Fraction as F

import pytest

from domain.calendar import Interval, Period
from domain.charges import Stretch
from domain.plans import Plan
from domain.proration import Mode, share_of, share_of_change


def period(start: str, end: str) -> Period:
    return Period(datetime.fromisoformat(start), datetime.fromisoformat(end))


JANUARY = period("2026-01-01T00:00Z", "2026-02-01T00:00Z")
MARCH_IN_NEW_YORK = period("2026-03-01T00:00-05:00", "2026-04-01T00:00-04:00")
ANNIVERSARY = period("2026-01-15T10:20Z", "2026-02-15T10:20Z")


@pytest.mark.parametrize(("part", "whole", "mode", "timezone", "share"), [
    pytest.param(("2026-01-17T00:00Z", "2026-02-01T00:00Z"), JANUARY, "second", "UTC", F(15, 31),          id="half a month"),
    pytest.param(("2026-01-31T23:59:59Z", "2026-02-01T00:00Z"), JANUARY, "second", "UTC", F(1, 2_678_400), id="one second"),
    pytest.param(("2026-01-31T23:59:59.999999Z", "2026-02-01T00:00Z"), JANUARY, "second", "UTC", F(1, 2_678_400_000_000), id="one microsecond"),
    pytest.param(("2026-01-17T00:00Z", "2026-01-17T00:00Z"), JANUARY, "second", "UTC", F(0),               id="nothing"),
    pytest.param(("2026-03-08T00:00-05:00", "2026-03-09T00:00-04:00"), MARCH_IN_NEW_YORK, "second", "America/New_York", F(23, 743), id="a day of 23 hours, by the second"),
    pytest.param(("2026-03-08T00:00-05:00", "2026-03-09T00:00-04:00"), MARCH_IN_NEW_YORK, "day", "America/New_York", F(1, 31), id="a day of 23 hours, by days"),
    pytest.param(("2026-01-17T00:00Z", "2026-02-01T00:00Z"), JANUARY, "day", "UTC", F(15, 31),             id="from midnight"),
    pytest.param(("2026-01-17T23:59Z", "2026-02-01T00:00Z"), JANUARY, "day", "UTC", F(15, 31),             id="the day of a change belongs to the new"),
    pytest.param(("2026-01-01T00:00Z", "2026-01-17T23:59Z"), JANUARY, "day", "UTC", F(16, 31),             id="and not to the old"),
    pytest.param(("2026-01-17T02:00Z", "2026-02-01T00:00Z"), JANUARY, "day", "America/New_York", F(15, 31), id="still the 16th in New York, and 31 January at the end"),
    pytest.param(("2026-01-15T10:20Z", "2026-01-15T23:00Z"), ANNIVERSARY, "day", "UTC", F(0),              id="changed on its first day"),
    pytest.param(("2026-02-15T01:00Z", "2026-02-15T10:20Z"), ANNIVERSARY, "day", "UTC", F(0),              id="changed on the day it ends"),
    pytest.param(("2011-12-29T00:00-10:00", "2012-01-01T00:00+14:00"), period("2011-12-01T00:00-10:00", "2012-01-01T00:00+14:00"), "day", "Pacific/Apia", F(2, 30), id="a day that never was is none"),
    pytest.param(("2026-01-01T00:15Z", "2026-01-01T01:00Z"), period("2026-01-01T00:00Z", "2026-01-01T01:00Z"), "day", "UTC", F(3, 4), id="no day in an hour"),
    pytest.param(("2026-01-17T00:00Z", "2026-02-01T00:00Z"), JANUARY, "none", "UTC", F(1),                 id="charged whole"),
])  # fmt: skip
def test_share_of(
    part: tuple[str, str], whole: Period, mode: Mode, timezone: str, share: F
) -> None:
    assert share_of(period(*part), whole, mode, timezone) == share


@pytest.mark.parametrize(
    ("mode", "share"), [("second", F(1, 62)), ("day", F(1, 31)), ("none", F(0))]
)
def test_a_change_moves_nothing_where_nothing_is_prorated(mode: Mode, share: F) -> None:
    rest = period("2026-01-31T12:00Z", "2026-02-01T00:00Z")
    assert share_of_change(rest, JANUARY, mode, "UTC") == share


@pytest.mark.parametrize(("part", "mode", "changes_plan", "has_lines"), [
    pytest.param(("2026-01-15T10:20Z", "2026-01-15T23:00Z"), "day", True, True,     id="less than a day"),
    pytest.param(("2026-01-15T10:20Z", "2026-01-15T10:20Z"), "day", True, False,    id="no time at all"),
    pytest.param(("2026-01-15T10:20Z", "2026-01-15T10:20Z"), "second", True, False, id="no time, by the second"),
    pytest.param(("2026-01-15T10:20Z", "2026-01-20T10:20Z"), "none", True, False,   id="a change moves nothing"),
    pytest.param(("2026-01-15T10:20Z", "2026-01-20T10:20Z"), "none", False, True,   id="a short period is charged whole"),
])  # fmt: skip
def test_a_stretch_has_lines_of_nothing_where_it_has_no_whole_day(
    part: tuple[str, str], mode: Mode, changes_plan: bool, has_lines: bool
) -> None:
    plan = Plan("pro", 1, "Pro", "USD", Interval("month", 1), "anniversary", mode, ())
    assert Stretch(period(*part), ANNIVERSARY, "UTC", changes_plan).has_lines(plan) is has_lines
