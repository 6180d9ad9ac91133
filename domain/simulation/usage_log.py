"""The usage of a simulated world: each event once by its id, measured as it is accepted."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from domain.account import Need
from domain.calendar import Period
from domain.errors import Conflict
from domain.metering.consumption import BEGINNING, consumption
from domain.metering.events import UsageEvent
from domain.metering.measuring import Measure, measured_by
from domain.metering.meter import Meter
from domain.pricing.usage import Usage

_time = attrgetter("measure.time")


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure, and the subscription that its event names."""

    measure: Measure
    subscription: str | None

    def is_of(self, subscription: str | None) -> bool:
        return subscription is None or self.subscription in (None, subscription)


class UsageLog:
    def __init__(self, meters: Mapping[str, Meter]) -> None:
        self._meters = meters
        self._events: dict[str, UsageEvent] = {}
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
            place = bisect_left(series, found.time, key=_time)
            series.insert(place, Measured(found, event.subscription))
        return [meter.key for meter, _ in measured]

    def used(
        self, customer: str, subscription: str | None, needs: Sequence[Need], timezone: str
    ) -> dict[Need, Usage]:
        """The answer to each need; without a subscription, of all usage of the customer."""
        return {
            need: consumption(
                self._meters[need.meter],
                list(self._of(customer, subscription, need.meter, need.window)),
                need.window,
                need.shape,
                timezone,
                need.without,
            )
            for need in needs
        }

    def _of(
        self, customer: str, subscription: str | None, meter: str, window: Period
    ) -> Iterator[Measure]:
        """The measures that count in a window: from the beginning, where a level is carried into it."""
        series = self._measured.get((customer, meter), [])
        start = BEGINNING if self._meters[meter].carry_over else window.start
        first = bisect_left(series, start, key=_time)
        for index in range(first, bisect_left(series, window.end, key=_time)):
            if series[index].is_of(subscription):
                yield series[index].measure


def _require_same(known: UsageEvent, event: UsageEvent) -> None:
    """The same content, whenever it arrives; an event that was sent without a time happened when it was sent."""
    if replace(event, arrival=known.arrival) != known:
        raise Conflict("this id was already used for an event with other content")
