"""The windows that a period is aggregated in, on the clock of a timezone."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import assert_never
from zoneinfo import ZoneInfo

from domain.calendar import Cycle, Interval, Period, Unit
from domain.metering.meter import Window
from domain.timezones import local_time, offset_change, out_of_time

_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)


def windows_of(period: Period, window: Window, timezone: str) -> Iterator[Period]:
    """All windows of a period, in order, the first and the last cut at its ends."""
    start = period.start
    while start < period.end:
        end = min(window_containing(start, window, timezone).end, period.end)
        yield Period(start, end)
        start = end


def window_containing(at: datetime, window: Window, timezone: str) -> Period:
    """The window of an instant: every instant is in one. Weeks begin on Monday.

    An hour that the local clock shows twice is two windows; one that is cut by a clock change is so much shorter.
    """
    match window:
        case "minute":
            return _stretch(at, _MINUTE, timezone)
        case "hour":
            return _stretch(at, _HOUR, timezone)
        case "day" | "week" | "month":
            return _calendar_window(at, window, timezone)
        case _:
            assert_never(window)


def _calendar_window(at: datetime, unit: Unit, timezone: str) -> Period:
    return Cycle(at, Interval(unit, 1), "calendar", timezone).full_period(0)


def _stretch(at: datetime, length: timedelta, timezone: str) -> Period:
    """The full minute or hour of the local clock, as far as that clock runs evenly."""
    local = local_time(at, timezone)
    try:
        start = at - (local - local.min) % length
        end = start + length
        return _evenly(start, at, end, ZoneInfo(timezone))
    except OverflowError:
        raise out_of_time() from None


def _evenly(start: datetime, at: datetime, end: datetime, zone: ZoneInfo) -> Period:
    """What of a stretch around an instant has the offset of that instant."""
    before, now, after = (moment.astimezone(zone).utcoffset() for moment in (start, at, end))
    return Period(
        start if before == now else offset_change(start, at, zone),
        end if after == now else offset_change(at, end, zone),
    )
