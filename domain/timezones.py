"""Local clocks: names of timezones, and the instants that local times stand for."""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from domain.errors import Invalid

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_ACROSS_THE_DATE_LINE = timedelta(hours=20)
_YEARS_OF_IRREGULAR_CHANGES = range(1840, 2040)  # local mean time before, rules without end after
_NAMES_OF_THE_MACHINE = {"localtime", "Factory"}


def read_timezone(value: object) -> str:
    """A name of the IANA database, like `Europe/Vienna`."""
    if not isinstance(value, str) or value not in _names():
        raise Invalid.at("", "must be the name of a timezone, like UTC or America/New_York")
    return value


def local_time(at: datetime, timezone: str) -> datetime:
    """What the clock on the wall shows at an instant, without an offset.

    Raises Invalid outside the years 1 to 9999, as `instant_of` does.
    """
    try:
        return at.astimezone(ZoneInfo(timezone)).replace(tzinfo=None, fold=0)
    except OverflowError:
        raise out_of_time() from None


def instant_of(local: datetime, timezone: str) -> datetime:
    """The instant, in UTC, of a local time without an offset.

    A local time that occurs twice is its first occurrence; one that does not exist is the first instant after
    the gap.
    """
    zone = ZoneInfo(timezone)
    try:
        instant = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    except OverflowError:
        raise out_of_time() from None
    if instant.astimezone(zone).replace(tzinfo=None) == local:
        return instant
    before_the_gap = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return offset_change(before_the_gap, instant, zone)


def offset_change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first instant, a whole second, with the offset of `after`, where the clock was set once in between."""
    first = before.replace(microsecond=0)
    offset = after.astimezone(zone).utcoffset()

    def is_set(seconds: int) -> bool:
        return (first + seconds * _SECOND).astimezone(zone).utcoffset() == offset

    return first + _SECOND * bisect_left(range((after - first) // _SECOND), True, key=is_set)


@cache
def skipped_dates(timezone: str) -> tuple[date, ...]:
    """The local dates that never were, because a place changed its side of the date line (Apia, 2011-12-30)."""
    years = [year for year in _YEARS_OF_IRREGULAR_CHANGES if _moves_west(year, timezone)]
    return tuple(
        day.date()
        for year in years
        for day in _days_of(year)
        if instant_of(day, timezone) == instant_of(day + _DAY, timezone)
    )


def out_of_time() -> Invalid:
    return Invalid.at("", "reaches beyond the years 1 to 9999")


def _moves_west(year: int, timezone: str) -> bool:
    """Whether a place is on the other, earlier, side of the date line when a year is over."""
    first, last = (
        datetime(year_, 1, 1, tzinfo=ZoneInfo(timezone)).utcoffset() for year_ in (year, year + 1)
    )
    return first is not None and last is not None and last - first > _ACROSS_THE_DATE_LINE


def _days_of(year: int) -> Iterator[datetime]:
    first = datetime.combine(date(year, 1, 1), time())
    return (first + _DAY * number for number in range(366))


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones() - _NAMES_OF_THE_MACHINE)
