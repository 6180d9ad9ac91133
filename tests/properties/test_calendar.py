from calendar import monthrange
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import Anchor, Cycle, Interval, Unit, require_alignment
from domain.errors import Invalid
from domain.timezones import local_time

ZONES = (
    "UTC",
    "America/New_York",
    "America/Havana",
    "America/Santiago",
    "America/St_Johns",
    "America/Sao_Paulo",
    "Antarctica/Troll",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Europe/London",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Kwajalein",
)
UNITS: tuple[Unit, ...] = ("hour", "day", "week", "month", "year")

zones = st.sampled_from(ZONES)
instants = st.datetimes(
    datetime(1960, 1, 1),  # noqa: DTZ001 - the bounds of a strategy have no offset
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
on_the_half_hour = instants.map(
    lambda at: at.replace(minute=at.minute // 30 * 30, second=0, microsecond=0)
)
starts = instants | on_the_half_hour
intervals = st.builds(Interval, st.sampled_from(UNITS), st.integers(1, 12))


def is_aligned(cycle: Cycle) -> bool:
    try:
        require_alignment(cycle.interval, cycle.anchor)
    except Invalid:
        return False
    return True


names: tuple[Anchor, ...] = ("anniversary", "calendar")
anchors = st.sampled_from(names) | starts
cycles = st.builds(Cycle, starts, intervals, anchors, zones).filter(is_aligned)


@given(cycles)
def test_periods_follow_one_another_without_gap_or_overlap(cycle: Cycle) -> None:
    periods = [cycle.period(index) for index in range(15)]
    assert periods[0].start == cycle.started_at
    assert all(period.start < period.end for period in periods)
    assert all(one.end == next_.start for one, next_ in pairwise(periods))
    assert [period.start for period in periods] == list(cycle.starts(15))


@given(cycles, st.integers(0, 400))
def test_every_instant_is_in_the_period_it_is_said_to_be_in(cycle: Cycle, index: int) -> None:
    period = cycle.period(index)
    last = period.end - timedelta(microseconds=1)
    assert cycle.period_containing(period.start) == (index, period)
    assert cycle.period_containing(last) == (index, period)


@given(cycles)
def test_a_short_first_period_is_a_part_of_a_whole_one(cycle: Cycle) -> None:
    whole, first = cycle.full_period(0), cycle.period(0)
    assert whole.start <= first.start
    assert whole.end == first.end


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("day", [1, 28, 29, 30, 31])
def test_a_century_of_monthly_renewals_never_drifts(zone: str, day: int) -> None:
    started_at = datetime(1980, 1, day, 2, 30, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    cycle = Cycle(started_at, Interval("month", 1), "anniversary", zone)
    for index, start in enumerate(cycle.starts(1201)):
        year, month = 1980 + index // 12, index % 12 + 1
        due = datetime(year, month, min(day, monthrange(year, month)[1]), 2, 30, tzinfo=UTC)
        local = local_time(start, zone).replace(tzinfo=UTC)
        assert local == due or (due < local and not exists(due, zone))


@pytest.mark.parametrize("zone", ZONES)
def test_a_century_of_daily_renewals_never_drifts(zone: str) -> None:
    started_at = datetime(1980, 1, 1, 2, 30, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    cycle = Cycle(started_at, Interval("day", 1), "anniversary", zone)
    for start in (cycle.start(index) for index in range(0, 36_525, 97)):
        local = local_time(start, zone)
        assert (local.hour, local.minute) == (2, 30) or not exists(
            local.replace(hour=2, minute=30, tzinfo=UTC), zone
        )


@given(starts, zones, st.integers(1, 28), st.integers(1, 200))
def test_where_a_cycle_is_taken_up_does_not_matter(
    at: datetime, zone: str, day: int, index: int
) -> None:
    started_at = at.replace(day=day)
    cycle = Cycle(started_at, Interval("month", 1), started_at, zone)
    taken_up = Cycle(cycle.start(index), Interval("month", 1), started_at, zone)
    assert [cycle.start(index + later) for later in range(5)] == list(taken_up.starts(5))


def exists(local: datetime, zone: str) -> bool:
    """Whether a clock on the wall ever showed a time."""
    readings = (local.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
    instants = (reading.astimezone(UTC) for reading in readings)
    return any(local_time(at, zone) == local.replace(tzinfo=None) for at in instants)
