"""Grains: the short stretches of time, on the clock of UTC, by which rollups are kept, and how a period is read by them."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from domain.calendar import Period
from domain.metering.meter import Meter, Window
from domain.metering.windows import Run, runs_of

MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)
LONGEST_GRAIN = HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a period, and its windows: they are `length` long, counted from `origin`."""

    stretch: Period
    origin: datetime
    length: timedelta

    def window_of(self, at: datetime) -> datetime:
        """The start of the window of an instant: what rollups are taken together by."""
        return self.origin + (at - self.origin) // self.length * self.length


@dataclass(frozen=True, slots=True)
class Held:
    """A stretch in which a level is held: each microsecond of it counts for one of `length`, or for nothing in what
    is left out.
    """

    stretch: Period
    length: timedelta
    counts: bool


def grain_of(meter: Meter) -> timedelta:
    """An hour, or as short as it takes to put windows together from grains: offsets from UTC are quarters of an hour, and
    a level is cut where a period, a day or a clock is, not each minute.
    """
    window = _window_of(meter)
    if window is None:
        return HOUR
    return MINUTE if window == "minute" and meter.aggregation != "weighted_sum" else QUARTER


def grain_at(at: datetime, grain: timedelta) -> datetime:
    """The start of the grain that an instant belongs to."""
    return at - (at - _EPOCH) % grain


def parts_of(
    meter: Meter, period: Period, timezone: str, without: Sequence[Period] = ()
) -> list[Part]:
    """What of a period counts, in order. A level held over time goes on in what is left out, as parts of their own."""
    if meter.aggregation == "weighted_sum":
        held = held_of(meter, period, timezone, without)
        return [Part(h.stretch, h.stretch.start, h.stretch.length) for h in held]
    return [
        Part(stretch, run.period.start, run.length)
        for run in runs_of(period, _window_of(meter), timezone)
        for stretch in left_of(run.period, without)
    ]


def held_of(
    meter: Meter, period: Period, timezone: str, without: Sequence[Period] = ()
) -> list[Held]:
    """The whole of a period, in order, for a level that is held over time."""
    return [
        Held(stretch, run.length, counts)
        for run in runs_of(period, meter.window, timezone)
        for stretch, counts in _cut(run, without)
    ]


def by_grains(
    parts: Iterable[Part], grain: timedelta, stale: Iterable[datetime] = ()
) -> tuple[list[Part], list[Period]]:
    """What of some parts whole grains cover, and the edges of these, whose events must be read: those of the grains in
    `stale` too, and of all windows that grains do not fit into.
    """
    apart = [Period(start, start + grain) for start in sorted(set(stale))]
    starts = [period.start for period in apart]
    whole: list[Part] = []
    edges: list[Period] = []
    for part in parts:
        first, last = part.stretch.start, part.stretch.end
        touched = apart[max(0, bisect_right(starts, first) - 1) : bisect_right(starts, last)]
        inner = _covered(part, grain)
        if inner is None:
            edges.append(part.stretch)
            continue
        whole.extend(replace(part, stretch=stretch) for stretch in left_of(inner, touched))
        around = (Period(first, inner.start), Period(inner.end, last))
        edges.extend(edge for edge in around if edge.start < edge.end)
        edges.extend(period for period in touched if inner.contains(period.start))
    return whole, edges


def whole_grains(period: Period, grain: timedelta) -> tuple[list[Period], list[Period]]:
    """The stretches of whole grains in a period, and its edges."""
    parts = [Part(run.period, run.period.start, run.length) for run in runs_of(period, None, "UTC")]
    whole, edges = by_grains(parts, grain)
    return [part.stretch for part in whole], edges


def left_of(period: Period, without: Iterable[Period]) -> Iterator[Period]:
    """A period but for some parts of it, which may overlap."""
    start = period.start
    for left_out in sorted(without, key=lambda left_out: left_out.start):
        if start < min(left_out.start, period.end):
            yield Period(start, min(left_out.start, period.end))
        start = max(start, left_out.end)
    if start < period.end:
        yield Period(start, period.end)


def _window_of(meter: Meter) -> Window | None:
    """None where windows make no difference: numbers that are added, and a level that is cut where it needs to be."""
    return None if meter.aggregation in ("count", "sum") else meter.window


def _covered(part: Part, grain: timedelta) -> Period | None:
    """The whole grains in a part; None without any, or where one could lie in two windows."""
    first = grain_at(part.stretch.start + grain - _MICROSECOND, grain)
    last = grain_at(part.stretch.end, grain)
    fits = grain_at(part.origin, grain) == part.origin and not part.length % grain
    in_one = part.window_of(part.stretch.start) == part.window_of(part.stretch.end - _MICROSECOND)
    return Period(first, last) if first < last and (fits or in_one) else None


def _cut(run: Run, without: Sequence[Period]) -> Iterator[tuple[Period, bool]]:
    counted = list(left_of(run.period, without))
    left_out = list(left_of(run.period, counted))
    ordered = sorted([*counted, *left_out], key=lambda stretch: stretch.start)
    return ((stretch, stretch in counted) for stretch in ordered)
