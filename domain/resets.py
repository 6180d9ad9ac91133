"""When limits begin anew: the windows of a limit follow on each other without a gap, each instant in one of them."""

from dataclasses import dataclass
from datetime import datetime

from domain.calendar import Cycle, Interval, Period
from domain.plans import Reset
from domain.subscription import Subscription

LONGEST_CARRY = 12
"""So many resets back it is looked at what was left: what is carried over does not last for ever."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The window of a limit that an instant lies in, and those before it, the oldest first. `ends` is false where it is
    never reset: then the window is only as long as the present answer is good for.
    """

    current: Period
    before: tuple[Period, ...] = ()
    ends: bool = True


def limited_period(subscription: Subscription, at: datetime) -> Period:
    """The period a limit is for: the trial, or the billing period that an instant lies in (which in a grace is the
    one after the period that is not yet closed).
    """
    if subscription.period is None:
        return Period(subscription.started_at, subscription.trial_end or at)
    if subscription.period.end <= at:
        _, period = subscription.cycle.period_containing(at)
        return period
    return subscription.period


def windows_of(subscription: Subscription, reset: Reset, at: datetime) -> Windows:
    """The windows of a limit of a subscription. Days are those of its timezone, hours full ones of UTC; both are counted
    from its start, periods from where its cycle began.
    """
    period = limited_period(subscription, at)
    match reset:
        case "period":
            earlier = () if subscription.period is None else _before(subscription.cycle, period)
            return Windows(period, earlier)
        case "never":
            return Windows(Period(subscription.started_at, period.end), ends=False)
        case "day" | "hour":
            return _clocked(subscription.started_at, subscription.timezone, reset, at)


def windows_since(since: datetime, timezone: str, reset: Reset, at: datetime) -> Windows:
    """The windows of a limit that belongs to no subscription: its periods are calendar months."""
    match reset:
        case "period":
            return _counted(Cycle(since, Interval("month", 1), "calendar", timezone), at)
        case "never":
            month = Cycle(since, Interval("month", 1), "calendar", timezone)
            return Windows(Period(since, _counted(month, at).current.end), ends=False)
        case "day" | "hour":
            return _clocked(since, timezone, reset, at)


def _clocked(since: datetime, timezone: str, unit: Reset, at: datetime) -> Windows:
    interval = Interval("day" if unit == "day" else "hour", 1)
    return _counted(Cycle(since, interval, "calendar", timezone), at)


def _counted(cycle: Cycle, at: datetime) -> Windows:
    _, current = cycle.period_containing(max(at, cycle.started_at))
    return Windows(current, _before(cycle, current))


def _before(cycle: Cycle, window: Period) -> tuple[Period, ...]:
    """The last few periods of a cycle before one of them."""
    if window.start <= cycle.started_at:
        return ()
    index, _ = cycle.period_containing(window.start)
    return tuple(cycle.period(earlier) for earlier in range(max(index - LONGEST_CARRY, 0), index))
