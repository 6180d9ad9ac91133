"""Tallies: what was used of a limit, where that is one sum of what a meter measured in a window. Whatever comes after it is
added, and what is taken back is taken off, so nothing need be summed again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import cast

from domain.calendar import Period
from domain.entitlements import Claim
from domain.metering.measuring import readable
from domain.metering.meter import Meter

_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Arrived:
    """An event as it came; with `is_void`, one that takes back an event that is like it."""

    event_name: str
    subscription: str | None
    time: datetime
    properties: Mapping[str, object]
    is_void: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """The sum of what a meter measured, of events that name this subscription or none; of all, where it is None. It is
    exact: neither rounded nor cut at 0.
    """

    meter: Meter
    window: Period
    subscription: str | None
    measured: Fraction

    @property
    def used(self) -> Fraction:
        """As it is billed: all groups together, rounded, and never below 0."""
        rounding = self.meter.rounding
        total = rounding.applied(self.measured) if rounding else self.measured
        return max(total, _ZERO)

    def with_arrived(self, events: Iterable[Arrived]) -> "Tally":
        """The sum with what came since."""
        return replace(self, measured=sum(map(self._counted, events), self.measured))

    def _counted(self, event: Arrived) -> Fraction:
        is_other = event.event_name != self.meter.event_name or (
            None not in (self.subscription, event.subscription)
            and self.subscription != event.subscription
        )
        if is_other or not self.window.contains(event.time):
            return _ZERO
        found = readable(self.meter, event.time, 0, event.properties)
        if found is None:
            return _ZERO
        value = cast(Fraction, found.value)  # of a meter that adds up
        return -value if event.is_void else value


def is_one_sum(meter: Meter, claims: Sequence[Claim]) -> bool:
    """Whether what was used of some claims is a tally: one claim, on what is counted or added up in its window alone."""
    adds = meter.aggregation in ("count", "sum") and not meter.carry_over
    return adds and len(claims) == 1 and len(claims[0].measured) == 1
