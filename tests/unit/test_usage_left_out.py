"""Which stretch of a subscription's time an invoice bills, and what of any stretch none does."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest

from domain.account import BilledUsage
from domain.calendar import Period
from domain.consumed import left_out, open_window
from domain.plans import PlanRef
from domain.subscription import Subscription
from tests.makings import JANUARY, day, plan, subscription

Days = tuple[int, int]


def living(pauses: Sequence[Days] = (), paused_on: int | None = None) -> Subscription:
    return replace(
        subscription(plan()),
        status="active",
        period=JANUARY,
        usage_from=JANUARY.start,
        pauses=tuple(between(*days) for days in pauses),
        paused_at=None if paused_on is None else day(paused_on),
    )


def between(first: int, last: int) -> Period:
    return Period(day(first), day(last))


def closed(*without: Days) -> BilledUsage:
    pauses = tuple(between(*days) for days in without)
    return BilledUsage("api", PlanRef("pro", 1), JANUARY, Fraction(1), Fraction(1), pauses)


def test_the_open_window_is_what_the_period_has_left_to_bill() -> None:
    assert open_window(living()) == JANUARY
    assert open_window(replace(living(), usage_from=day(10))) == Period(day(10), JANUARY.end)
    assert open_window(replace(living(), usage_from=JANUARY.end)) is None
    assert open_window(replace(living(), usage_from=None)) is None
    assert open_window(subscription(plan())) is None  # it has not begun


@pytest.mark.parametrize(("pauses", "paused_on", "in_closed", "out"), [
    pytest.param([],                 None, [],                 [],                 id="no pause"),
    pytest.param([(3, 5)],           None, [],                 [(3, 5)],           id="a pause"),
    pytest.param([],                 None, [(3, 5)],           [(3, 5)],           id="a pause of a closed window"),
    pytest.param([(3, 5)],           None, [(3, 5)],           [(3, 5)],           id="known twice"),
    pytest.param([(4, 8)],           None, [(3, 5)],           [(3, 8)],           id="overlapping"),
    pytest.param([(5, 8)],           None, [(3, 5)],           [(3, 8)],           id="touching"),
    pytest.param([(4, 5)],           None, [(3, 8)],           [(3, 8)],           id="one in another"),
    pytest.param([(12, 14), (3, 5)], None, [(7, 8)],           [(3, 5), (7, 8), (12, 14)], id="in order"),
    pytest.param([(1, 2), (20, 24)], None, [],                 [],                 id="before and after"),
    pytest.param([(1, 3), (15, 24)], None, [],                 [(1, 3), (15, 24)], id="in part"),
    pytest.param([],                 9,    [],                 [(9, 16)],          id="one that goes on"),
    pytest.param([],                 16,   [],                 [],                 id="one that begins after"),
])  # fmt: skip
def test_pauses_are_left_out_each_once(
    pauses: list[Days], paused_on: int | None, in_closed: list[Days], out: list[Days]
) -> None:
    """Of the stretch from the 2nd to the 16th."""
    found = left_out(living(pauses, paused_on), [closed(*in_closed)], between(2, 16))
    assert found == tuple(between(*days) for days in out)
