"""The usage of a simulated world: each event once by its id, measured as it is accepted."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import NamedTuple

from domain.account import Need
from domain.calendar import Period
from domain.errors import Conflict
from domain.metering.consumption import BEGINNING, consumption
from domain.metering.events import UsageEvent
from domain.metering.measuring import Measure, measured_by
from domain.metering.meter import Meter
from domain.metering.voiding import Known, Void, void_of
from domain.pricing.usage import Usage

_time = attrgetter("measure.time")


class Measured(NamedTuple):
    """A measure, and the subscription that its event names. There are as many as events: a tuple is made sooner."""

    measure: Measure
    subscription: str | None


class UsageLog:
    def __init__(self, meters: Mapping[str, Meter]) -> None:
        self._meters = meters
        self._events: dict[str, UsageEvent] = {}
        self._voids: dict[str, Void] = {}
        self._measured: dict[tuple[str, str], list[Measured]] = {}

    @property
    def arrivals(self) -> int:
        """How many events were accepted so far."""
        return len(self._events)

    def accept(self, event: UsageEvent) -> list[str] | None:
        """Keep an event, and tell which meters measure it; None where it is there already.

        Raises Conflict for an id that another content has, and Invalid for what a meter cannot read.
        """
        known = self._events.get(event.id)
        if known is not None:
            _require_same(known, event)
            return None
        measured = measured_by(self._meters.values(), event)
        self._events[event.id] = event
        for meter, found in measured:
            series = self._measured.setdefault((event.customer, meter.key), [])
            _put(series, Measured(found, event.subscription))
        return [meter.key for meter, _ in measured]

    def void(self, event: str, void: Void) -> tuple[UsageEvent, list[str]] | None:
        """Take an event back: it, and the meters that measured it; None where it was taken back already. Its id stays
        taken. Raises NotFound for an event that was never accepted.
        """
        found = self._events.get(event)
        known = None if found is None else Known(event, void=self._voids.get(event))
        if void_of(event, known, void) is not void or found is None:
            return None
        self._voids[event] = void
        of = {
            meter: series
            for (customer, meter), series in self._measured.items()
            if customer == found.customer
        }
        return found, [meter for meter, series in of.items() if _take_out(series, found)]

    def used(
        self,
        customers: Sequence[str],
        subscription: str | None,
        needs: Sequence[Need],
        timezone: str,
    ) -> dict[Need, Usage]:
        """The answer to each need, of all these customers together; without a subscription, of all their usage."""
        return {
            need: consumption(
                self._meters[need.meter],
                [
                    measure
                    for customer in customers
                    for measure in self._of(customer, subscription, need.meter, need.window)
                ],
                need.window,
                need.shape,
                timezone,
                need.without,
                need.closings,
            )
            for need in needs
        }

    def _of(
        self, customer: str, subscription: str | None, meter: str, window: Period
    ) -> list[Measure]:
        """The measures that count in a window: from the beginning, where a level is carried into it."""
        series = self._measured.get((customer, meter), [])
        start = BEGINNING if self._meters[meter].carry_over else window.start
        first = bisect_left(series, start, key=_time)
        last = bisect_left(series, window.end, key=_time)
        within = series[first:last]
        if subscription is None:
            return [each.measure for each in within]
        return [each.measure for each in within if each.subscription in (None, subscription)]


def _put(series: list[Measured], new: Measured) -> None:
    """In its place by time: mostly the last."""
    if not series or series[-1].measure.time < new.measure.time:
        series.append(new)
    else:
        series.insert(bisect_left(series, new.measure.time, key=_time), new)


def _take_out(series: list[Measured], event: UsageEvent) -> bool:
    """Take an event's measure out of a meter's; whether there was one."""
    place = bisect_left(series, event.time, key=_time)
    while place < len(series) and series[place].measure.time == event.time:
        if series[place].measure.arrival == event.arrival:
            del series[place]
            return True
        place += 1
    return False


def _require_same(known: UsageEvent, event: UsageEvent) -> None:
    """The same content, whenever it arrives; an event that was sent without a time happened when it was sent."""
    if replace(event, arrival=known.arrival) != known:
        raise Conflict("this id was already used for an event with other content")
