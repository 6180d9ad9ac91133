"""A stretch of the usage log on its way into rollups: measures by their places, and the grains to measure again."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from db.usage_rollups import NewRollup, RollupKey
from db.usage_values import NewValues
from domain.errors import Invalid
from domain.metering.events import UsageEvent
from domain.metering.grains import grain_at, grain_of
from domain.metering.measuring import GroupKey, Measure, measure
from domain.metering.meter import Meter
from domain.metering.rollups import Rollup, keeps_values, roll_up, roll_up_in_order, sets_level

_Place = tuple[str, str, str, datetime, GroupKey]

Reached = tuple[str, str, datetime]
"""The customer, the meter and the start of a grain."""


class LoggedEvent(NamedTuple):
    """A row of the usage log. `is_void` where it takes another event back, with the time and the properties of that
    one; `voided_in` is the transaction that took this one back.
    """

    tx: int
    voided_in: int | None
    seq: int
    event_name: str
    customer: str
    subscription: str
    time: datetime
    properties: Mapping[str, object]
    is_void: bool = False

    @property
    def as_usage(self) -> UsageEvent:
        return UsageEvent(
            "", self.event_name, self.customer, self.time, self.properties, arrival=self.seq
        )


class Gathered:
    """Measures of events of transactions before `until`. An event that a meter made later cannot read is skipped and
    counted: it was accepted, and no meter then asked for what this one does.
    """

    def __init__(self, meters: Sequence[Meter], until: int) -> None:
        self.unreadable: Counter[str] = Counter()
        self.reached: dict[Reached, int] = {}  # with the last transaction that made it so
        self._until = until
        self._kept = {meter.key: _kept(meter) for meter in meters}
        self._meters: dict[str, list[Meter]] = defaultdict(list)
        for meter in meters:
            self._meters[meter.event_name].append(meter)
        self._measures: dict[_Place, list[Measure]] = {}
        self._last_tx: dict[_Place, int] = {}

    def take(self, event: LoggedEvent) -> None:
        """Measure an event, or note what a void reaches."""
        if event.voided_in is not None and event.voided_in < self._until:
            return
        for meter in self._meters[event.event_name]:
            try:
                measured = measure(meter, event.as_usage)
            except Invalid:
                self.unreadable[meter.key] += not event.is_void
                continue
            if measured is not None:
                place = self._add(meter, event, measured)
                if event.is_void:
                    self.reached[_reached(place)] = event.tx

    def in_order(self) -> dict[RollupKey, tuple[datetime, int]]:
        """The time and the arrival of the first measure of each rollup that must come after what is kept."""
        return {
            RollupKey(*place): min((m.time, m.arrival) for m in measures)
            for place, measures in self._measures.items()
            if measures and self._kept[place[2]].roll_up is roll_up_in_order
        }

    def reach(self, key: RollupKey) -> None:
        """Have a grain measured again, as if something in it had been voided."""
        reached = (key.customer, key.meter, key.grain)
        self.reached[reached] = max(self.reached.get(reached, 0), self._last_tx[_place(key)])

    def begin_anew(self) -> None:
        """Forget the measures of the grains that were reached, so that `again` can measure all that stands there. Where
        nothing does, a rollup of nothing says which transaction it was that left it so.
        """
        for place, measures in self._measures.items():
            if (tx := self.reached.get(_reached(place))) is not None:
                measures.clear()
                self._last_tx[place] = max(self._last_tx[place], tx)

    def again(self, meter: Meter, events: Iterable[LoggedEvent]) -> None:
        for event in events:
            try:
                measured = measure(meter, event.as_usage)
            except Invalid:
                continue  # it was counted when it first came by
            if measured is not None:
                self._add(meter, event, measured)

    def rollups(self) -> Iterator[NewRollup]:
        for place, measures in self._measures.items():
            key = RollupKey(*place)
            roll = self._kept[key.meter].roll_up
            sums = roll(measures) if measures and roll else None
            yield NewRollup(key, len(measures), self._last_tx[place], sums)

    def values(self) -> Iterator[NewValues]:
        for place, measures in self._measures.items():
            key = RollupKey(*place)
            if self._kept[key.meter].roll_up is None:
                yield NewValues(key, Counter(measure.value for measure in measures))

    def _add(self, meter: Meter, event: LoggedEvent, measured: Measure) -> _Place:
        grain = grain_at(event.time, self._kept[meter.key].grain)
        place = (event.customer, event.subscription, meter.key, grain, measured.group)
        measures = self._measures.setdefault(place, [])
        if not event.is_void:
            measures.append(measured)
        self._last_tx[place] = max(event.tx, self._last_tx.get(place, 0))
        return place


class _Kept(NamedTuple):
    """By what grains a meter is kept, and how measures are summed; None where their values are kept."""

    grain: timedelta
    roll_up: Callable[[Iterable[Measure]], Rollup] | None


def _kept(meter: Meter) -> _Kept:
    if keeps_values(meter):
        return _Kept(grain_of(meter), None)
    return _Kept(grain_of(meter), roll_up_in_order if sets_level(meter) else roll_up)


def _place(key: RollupKey) -> _Place:
    return key.customer, key.subscription, key.meter, key.grain, key.group


def _reached(place: _Place) -> Reached:
    customer, _, meter, grain, _ = place
    return customer, meter, grain
