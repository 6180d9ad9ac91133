"""The calendar of a subscription: intervals, periods, and the instants at which one follows another.

Every boundary is counted from one origin, as local time, and only then becomes an instant: what was the 28th in
February is the 31st again in March, and a clock change moves no later period.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import count, islice
from typing import Literal, assert_never, cast

from domain.errors import Invalid
from domain.reading import Fields, instant, integer, one_of
from domain.timezones import instant_of, local_time, out_of_time, skipped_dates

Unit = Literal["hour", "day", "week", "month", "year"]
Anchor = Literal["anniversary", "calendar"] | datetime

ANNIVERSARY: Anchor = "anniversary"
LONGEST_INTERVAL = 1_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """So many hours of elapsed time, or days, weeks, months or years of a local calendar."""

    unit: Unit
    count: int


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open stretch of time `[start, end)`, in UTC."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def contains(self, at: datetime) -> bool:
        return self.start <= at < self.end


def read_interval(value: object) -> Interval:
    """`{"unit": "month", "count": 1}`; the count is 1 unless given."""
    fields = Fields(value)
    unit = fields.required("unit", one_of("hour", "day", "week", "month", "year"))
    number = fields.optional("count", integer(1, LONGEST_INTERVAL), 1)
    fields.done()
    return Interval(cast(Unit, unit), number)


def read_anchor(value: object) -> Anchor:
    """`anniversary`, `calendar`, or an RFC 3339 time from which periods are counted."""
    if value in ("anniversary", "calendar"):
        return cast(Anchor, value)
    try:
        return instant(value)
    except Invalid:
        expected = "anniversary, calendar, or an RFC 3339 time with an offset"
        raise Invalid.at("", f"must be {expected}") from None


def require_alignment(interval: Interval, anchor: Anchor) -> None:
    """Raise Invalid, at `interval.count`, for calendar periods that no calendar has."""
    if anchor != "calendar" or interval.count == 1:
        return
    if interval.unit != "month" or interval.count not in (2, 3, 4, 6, 12):
        allowed = "1 with a calendar anchor, or a number of months that divides 12"
        raise Invalid.at("interval.count", f"must be {allowed}")


def add_interval(at: datetime, interval: Interval, timezone: str) -> datetime:
    """The instant one interval later: the same local time, on the last day of a month that is too short.

    Raises Invalid beyond the year 9999.
    """
    clock = _clock(interval, timezone)
    return Boundaries(local_time(at, clock), interval, clock).at(1)


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Local times at even distances, without beginning or end. The boundary of a number is the origin plus so
    many intervals, whatever lies between: nothing is chained.

    All raise Invalid outside the years 1 to 9999.
    """

    origin: datetime  # number 0: a local time, without an offset
    interval: Interval
    timezone: str

    def at(self, number: int) -> datetime:
        """The instant, in UTC, of a boundary. One on a day that never was is its neighbour's instant."""
        try:
            local = _shifted(self.origin, self.interval, number)
        except (OverflowError, ValueError):
            raise out_of_time() from None
        return instant_of(local, self.timezone)

    def latest(self, at: datetime) -> int:
        """The number of the last boundary that is not after an instant: a guess, put right in a step or two."""
        number = self._guess(at)
        while self.at(number) > at:
            number -= 1
        while self.at(number + 1) <= at:
            number += 1
        return number

    def repeated(self) -> list[int]:
        """The numbers, rising, whose boundary is no later than the one before: hardly ever any."""
        if self.interval != Interval("day", 1):
            return []
        days = [day - self.origin.date() for day in skipped_dates(self.timezone)]
        return [n for n in (passed.days + 1 for passed in days) if self.at(n) == self.at(n - 1)]

    def _guess(self, at: datetime) -> int:
        local, interval = local_time(at, self.timezone), self.interval
        match interval.unit:
            case "hour" | "day" | "week":
                return (local - self.origin) // _length(interval.unit, interval.count)
            case "month" | "year":
                years, months = local.year - self.origin.year, local.month - self.origin.month
                return (12 * years + months) // _months(interval.unit, interval.count)
            case _:
                assert_never(interval.unit)


@dataclass(frozen=True, slots=True)
class Cycle:
    """The periods of a subscription, numbered from 0, which starts at `started_at`.

    With an `anniversary` anchor they are counted from that start. With `calendar`, or an instant to count from,
    the first is what is left of a whole one. All raise Invalid outside the years 1 to 9999.
    """

    started_at: datetime
    interval: Interval
    anchor: Anchor
    timezone: str

    def start(self, index: int) -> datetime:
        """When a period starts: as quick for the thousandth as for the first."""
        if index < 0:
            raise ValueError("periods are numbered from 0")
        return self.started_at if index == 0 else _start(self, index)

    def starts(self, number: int) -> Iterator[datetime]:
        """The starts of the first so many periods."""
        return islice(self._all_starts(), number)

    def period(self, index: int) -> Period:
        return _period(self, index)

    def period_containing(self, at: datetime) -> tuple[int, Period]:
        """The period of an instant, and its index; raises ValueError before the first."""
        if at < self.started_at:
            raise ValueError(f"{at} is before the first period")
        boundaries = self.boundaries()
        first, number = boundaries.latest(self.started_at), boundaries.latest(at)
        index = number - first - sum(first < n <= number for n in boundaries.repeated())
        return index, self.period(index)

    def full_period(self, index: int) -> Period:
        """The whole period that a short first one is left of; any other period is whole itself."""
        if index > 0 or self.anchor in ("anniversary", self.started_at):
            return self.period(index)
        boundaries = self.boundaries()
        return Period(boundaries.at(boundaries.latest(self.started_at)), self.start(1))

    def _all_starts(self) -> Iterator[datetime]:
        boundaries = self.boundaries()
        latest = self.started_at
        yield latest
        for number in count(boundaries.latest(latest) + 1):
            boundary = boundaries.at(number)
            if boundary > latest:
                yield boundary
                latest = boundary

    def boundaries(self) -> Boundaries:
        clock = _clock(self.interval, self.timezone)
        match self.anchor:
            case "anniversary":
                origin = local_time(self.started_at, clock)
            case "calendar":
                origin = _calendar_start(local_time(self.started_at, clock), self.interval.unit)
            case datetime() as counted_from:
                origin = local_time(counted_from, clock)
            case _:
                assert_never(self.anchor)
        return Boundaries(origin, self.interval, clock)


@lru_cache(maxsize=10_000)  # a step of a life asks for the same few again and again
def _period(cycle: Cycle, index: int) -> Period:
    return Period(cycle.start(index), cycle.start(index + 1))


@lru_cache(maxsize=10_000)  # the end of one is the start of the next
def _start(cycle: Cycle, index: int) -> datetime:
    boundaries = cycle.boundaries()
    first = boundaries.latest(cycle.started_at)
    number = first + index
    for repeated in boundaries.repeated():
        number += first < repeated <= number
    return boundaries.at(number)


def _clock(interval: Interval, timezone: str) -> str:
    """Hours are elapsed time: they follow the one clock that is never set."""
    return "UTC" if interval.unit == "hour" else timezone


def _calendar_start(local: datetime, unit: Unit) -> datetime:
    """Where calendar periods can be counted from: months from January, so that quarters are the year's quarters."""
    hour = local.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    match unit:
        case "hour":
            return hour
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month" | "year":
            return day.replace(month=1, day=1)
        case _:
            assert_never(unit)


def _shifted(local: datetime, interval: Interval, times: int) -> datetime:
    """A local time so many intervals later, on the last day of a month that is too short for its day."""
    steps = interval.count * times
    match interval.unit:
        case "hour" | "day" | "week":
            return local + _length(interval.unit, steps)
        case "month" | "year":
            years, month = divmod(local.month - 1 + _months(interval.unit, steps), 12)
            year = local.year + years
            day = min(local.day, monthrange(year, month + 1)[1])
            return local.replace(year=year, month=month + 1, day=day)
        case _:
            assert_never(interval.unit)


def _length(unit: Literal["hour", "day", "week"], steps: int) -> timedelta:
    match unit:
        case "hour":
            return timedelta(hours=steps)
        case "day":
            return timedelta(days=steps)
        case "week":
            return timedelta(weeks=steps)
        case _:
            assert_never(unit)


def _months(unit: Literal["month", "year"], steps: int) -> int:
    return steps if unit == "month" else 12 * steps
