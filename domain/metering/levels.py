"""Levels that are held over time: seats, storage, running machines."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from domain.calendar import Period
from domain.metering.grains import left_of
from domain.metering.meter import Level

_MICROSECOND = timedelta(microseconds=1)

Change = tuple[datetime, Fraction]
"""When an event came, and its value; in the order in which the events count."""


def level_after(changes: Iterable[Change], initial: Fraction, level: Level) -> Fraction:
    """The level when all has happened: each value changes it, or sets it."""
    for _, value in changes:
        initial = value if level == "set" else initial + value
    return initial


class HeldLevel:
    """A level from an instant on, known to the microsecond, as its changes left it."""

    def __init__(
        self, since: datetime, changes: Iterable[Change], initial: Fraction, level: Level
    ) -> None:
        self._times = [since]
        self._levels = [initial]
        self._sums = [Fraction(0)]  # of level x microseconds, up to each time
        for time, value in changes:
            self._sums.append(self._sum_until(time))
            self._times.append(time)
            self._levels.append(value if level == "set" else self._levels[-1] + value)

    def average(self, stretch: Period, without: Sequence[Period] = ()) -> Fraction:
        """The level held over a stretch, integrated and divided by its whole length; what it was in the periods
        `without`, which may overlap, counts nothing. Over no time at all it is 0.
        """
        if stretch.start == stretch.end:
            return Fraction(0)
        held = sum((self._held(part) for part in left_of(stretch, without)), Fraction(0))
        return held / (stretch.length // _MICROSECOND)

    def _held(self, stretch: Period) -> Fraction:
        return self._sum_until(stretch.end) - self._sum_until(stretch.start)

    def _sum_until(self, time: datetime) -> Fraction:
        last = bisect_right(self._times, time) - 1
        passed = (time - self._times[last]) // _MICROSECOND
        return self._sums[last] + self._levels[last] * passed
