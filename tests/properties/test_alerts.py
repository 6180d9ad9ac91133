"""A threshold is told of exactly at its crossings, however often and whenever it is looked at."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from domain.alerts import (
    FORESEEABLE,
    Crossing,
    Spent,
    Standing,
    forecast,
    forecast_changes,
    looked_at,
)
from domain.calendar import Period

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)

periods = st.integers(0, 3)
looks = st.lists(st.tuples(periods, st.booleans()), max_size=30).map(
    lambda found: sorted(found, key=lambda look: look[0])
)


def told(looks: list[tuple[int, bool]]) -> list[tuple[int, Crossing]]:
    standing, heard = Standing(), []
    for number, reached in looks:
        standing, crossing = looked_at(standing, reached, JANUARY + timedelta(days=number))
        if crossing is not None:
            heard.append((number, crossing))
    return heard


@given(looks)
def test_exactly_at_crossings(looks: list[tuple[int, bool]]) -> None:
    """Within a period, one triggering for each stretch of looks that reached it."""
    heard = told(looks)
    for number, in_period in groupby(looks, key=lambda look: look[0]):
        stretches = [reached for reached, _ in groupby(in_period, key=lambda look: look[1])]
        numbers = [c.number for n, c in heard if n == number and c.status == "triggered"]
        assert numbers == list(range(1, sum(stretches) + 1))


@given(looks)
def test_looking_again_tells_nothing_and_nothing_is_told_twice(
    looks: list[tuple[int, bool]],
) -> None:
    heard = told([look for look in looks for _ in range(2)])
    assert heard == told(looks)
    assert len(set(heard)) == len(heard)


@given(looks)
def test_who_listens_knows_how_it_stands(looks: list[tuple[int, bool]]) -> None:
    heard = told(looks)
    last = heard[-1][1].status if heard else "recovered"
    assert (last == "triggered") == (bool(looks) and looks[-1][1])


@given(
    st.fractions(min_value=0, max_value=1_000),
    st.integers(1, 10**12),
    st.integers(0, 10**12),
)
def test_a_forecast_is_never_less_than_what_was_spent_and_time_goes_on(
    amount: Fraction, length: int, gone: int
) -> None:
    period = Period(JANUARY, JANUARY + timedelta(microseconds=length))
    at = JANUARY + timedelta(microseconds=gone)
    assert forecast([Spent(amount, period)], at) >= amount
    again = forecast_changes([period], at)
    assert (again is None) == (at >= period.end)
    if again is not None:
        assert at < again <= period.end
        assert again - at <= period.length * FORESEEABLE.numerator / FORESEEABLE.denominator + (
            timedelta(microseconds=1)
        )
