"""When limits begin anew: by period, day, hour or never, and what was before."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from domain import lifecycle
from domain.calendar import Period
from domain.plans import Reset
from domain.resets import LONGEST_CARRY, limited_period, windows_of, windows_since
from tests.makings import FEB, FEBRUARY, JAN, JANUARY, MAR, day, facts, plan, subscription

PLAN, TRIAL = plan(), plan(trial={"unit": "day", "count": 14})
LIVING = lifecycle.begin(facts(PLAN), subscription(PLAN), JAN).subscription
NOON = datetime(2026, 1, 10, 12, 30, tzinfo=UTC)
IN_VIENNA = replace(LIVING, timezone="Europe/Vienna")


def test_the_period_of_a_limit() -> None:
    trialing = lifecycle.begin(facts(TRIAL), subscription(TRIAL), JAN).subscription
    assert limited_period(trialing, day(3)) == Period(JAN, day(15))
    assert limited_period(LIVING, day(3)) == JANUARY
    assert limited_period(LIVING, FEB) == FEBRUARY  # though the period is not closed yet


@pytest.mark.parametrize(("reset", "start", "end"), [
    ("period", JAN, FEB),
    ("day", datetime(2026, 1, 9, 23, tzinfo=UTC), datetime(2026, 1, 10, 23, tzinfo=UTC)),
    ("hour", datetime(2026, 1, 10, 12, tzinfo=UTC), datetime(2026, 1, 10, 13, tzinfo=UTC)),
    ("never", JAN, FEB),
])  # fmt: skip
def test_windows_of_a_subscription(reset: Reset, start: datetime, end: datetime) -> None:
    windows = windows_of(IN_VIENNA, reset, NOON)
    assert windows.current == Period(start, end)
    assert windows.ends == (reset != "never")
    assert len(windows.before) == {"period": 0, "day": 9, "hour": LONGEST_CARRY, "never": 0}[reset]
    stretches = [*windows.before, windows.current]
    assert all(a.end == b.start for a, b in pairwise(stretches))


def test_a_day_of_a_changed_clock_is_as_long_as_it_is() -> None:
    spring = replace(LIVING, timezone="Europe/Vienna", started_at=day(1))
    windows = windows_of(spring, "day", datetime(2026, 3, 29, 12, tzinfo=UTC))
    assert windows.current.length == timedelta(hours=23)


def test_the_first_window_begins_with_the_subscription() -> None:
    late = replace(LIVING, started_at=NOON)
    assert windows_of(late, "day", NOON).current == Period(NOON, day(11))
    assert (
        windows_of(late, "day", NOON - timedelta(seconds=1)).current.start == NOON
    )  # a clock that lags


@pytest.mark.parametrize(("reset", "window"), [
    ("period", FEBRUARY),
    ("day", Period(day(34), day(35))),
    ("never", Period(NOON, MAR)),
])  # fmt: skip
def test_without_a_subscription_periods_are_months(reset: Reset, window: Period) -> None:
    assert windows_since(NOON, "UTC", reset, day(34)).current == window
