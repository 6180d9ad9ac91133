"""The windows that a period is aggregated in, on the clock of a timezone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import assert_never
from zoneinfo import ZoneInfo

from domain.calendar import Cycle, Interval, Period, Unit
from domain.metering.meter import Window
from domain.timezones import local_time, offset_change, out_of_time

_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Run:
    """Windows of one length that follow on each other and fill a period."""

    period: Period
    length: timedelta


def runs_of(period: Period, window: Window | None, timezone: str) -> Iterator[Run]:
    """The windows of a period, those of one length together: a month of minutes is a run or two. Without a window, the
    period is one.
    """
    match window:
        case None:
            return _joined([Run(period, period.length)])
        case "minute":
            hours = windows_of(period, "hour", timezone)
            return _joined(chain.from_iterable(_minutes_of(hour, timezone) for hour in hours))
        case "hour" | "day" | "week" | "month":
            return _joined(Run(each, each.length) for each in windows_of(period, window, timezone))
        case _:
            assert_never(window)


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


def _joined(runs: Iterable[Run]) -> Iterator[Run]:
    """Runs in order, without empty ones, and neighbours of one length as one."""
    last: Run | None = None
    for run in runs:
        if run.period.start == run.period.end:
            continue
        if last is not None and last.length == run.length:
            last = Run(Period(last.period.start, run.period.end), run.length)
            continue
        if last is not None:
            yield last
        last = run
    if last is not None:
        yield last


def _minutes_of(hour: Period, timezone: str) -> Iterator[Run]:
    """The minutes of (a part of) an hour in which the local clock runs evenly."""
    local = local_time(hour.start, timezone)
    first = min(hour.start + (local.min - local) % _MINUTE, hour.end)
    last = first + (hour.end - first) // _MINUTE * _MINUTE
    yield Run(Period(hour.start, first), first - hour.start)
    yield Run(Period(first, last), _MINUTE)
    yield Run(Period(last, hour.end), hour.end - last)


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
