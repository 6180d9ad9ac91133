"""Proration: which share of a whole period's amount a part of it bears."""

from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Literal, assert_never

from domain.calendar import Period
from domain.timezones import local_time, skipped_dates

Mode = Literal["second", "day", "none"]

_MICROSECOND = timedelta(microseconds=1)


def share_of(part: Period, whole: Period, mode: Mode, timezone: str) -> Fraction:
    """The share of `whole` that `part` is, exactly; the shares of parts that make up the whole add up to 1.

    `second` compares elapsed time. `day` counts the local dates that begin in each, so that the date of a change
    belongs to what comes after it; a period too short to hold one is compared by elapsed time. `none` divides
    nothing: a first period that is short is charged whole, and a change within a period (see `share_of_change`)
    moves nothing.
    """
    match mode:
        case "second":
            return _elapsed(part, whole)
        case "day":
            days = _days(whole, timezone)
            return Fraction(_days(part, timezone), days) if days else _elapsed(part, whole)
        case "none":
            return Fraction(1)
        case _:
            assert_never(mode)


def share_of_change(rest: Period, whole: Period, mode: Mode, timezone: str) -> Fraction:
    """The share of `whole` that is credited and charged anew by a change at the start of `rest`: none of it where
    nothing is prorated, since what is charged for a period then stays until the next.
    """
    return Fraction(0) if mode == "none" else share_of(rest, whole, mode, timezone)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a share was counted in; where nothing is prorated, both parts are 1 and there is no unit."""

    part: Fraction
    whole: Fraction
    unit: Literal["second", "day"] | None


def parts_of(part: Period, whole: Period, mode: Mode, timezone: str) -> Parts:
    """How much of `whole` is `part`, as `share_of` counts it."""
    if mode == "none":
        return Parts(Fraction(1), Fraction(1), None)
    if mode == "day" and (days := _days(whole, timezone)):
        return Parts(Fraction(_days(part, timezone)), Fraction(days), "day")
    return Parts(_seconds(part), _seconds(whole), "second")


def _seconds(period: Period) -> Fraction:
    return Fraction(period.length // _MICROSECOND, 1_000_000)


def _elapsed(part: Period, whole: Period) -> Fraction:
    return Fraction(part.length // _MICROSECOND, whole.length // _MICROSECOND)


def _days(period: Period, timezone: str) -> int:
    """How many local dates there are from the one of the start to the one before that of the end."""
    first, end = (local_time(at, timezone).date() for at in (period.start, period.end))
    return (end - first).days - sum(first <= day < end for day in skipped_dates(timezone))
