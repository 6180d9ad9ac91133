"""Laws of what customers may use: a source never takes anything away, and resets part time without a gap."""

from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain import lifecycle
from domain.allowances import Allowance, carried, check_allowance
from domain.entitlements import Override, Source, Standing, Use, allowance, entitled
from domain.plans import Combine, Entitlement, Feature, OnLimit, Reset
from domain.resets import windows_of
from tests.makings import JAN, day, facts, plan, subscription

PLAN = plan()
LIVING = lifecycle.begin(facts(PLAN), subscription(PLAN), JAN).subscription
CALLS = Feature("calls", "metered", "calls")

amounts = st.integers(0, 40).map(lambda n: Fraction(n, 4))
combines = st.sampled_from(list[Combine](("maximum", "sum")))
resets = st.sampled_from(list[Reset](("period", "day", "hour", "never")))
zones = st.sampled_from(["UTC", "Europe/Vienna", "America/New_York", "Pacific/Apia"])
moments = st.integers(0, 40 * 24 * 60).map(lambda minutes: JAN + timedelta(minutes=minutes))


@st.composite
def limits(draw: st.DrawFn) -> Entitlement:
    limit = draw(st.none() | amounts)
    soft = draw(st.none() | amounts)
    return Entitlement(
        "calls",
        "metered",
        limit=limit,
        soft_limit=soft if limit is None or soft is None else min(limit, soft),
        on_limit=draw(st.sampled_from(list[OnLimit](("block", "notify", "allow")))),
        reset=draw(resets),
        carry_over=limit is not None and draw(st.booleans()),
    )


sources = st.lists(limits().map(lambda each: Source("plan", each)), max_size=3).map(tuple)
standings = st.lists(
    st.builds(lambda given, own: Standing(LIVING, given, is_own=own), sources, st.booleans()),
    max_size=3,
)


def may(
    combine: Combine, given: list[Standing], override: Override | None, used: dict[Reset, Fraction]
) -> Allowance:
    """Where usage is a matter of the window alone: whoever looks at the same one sees the same."""
    feature = replace(CALLS, combine=combine)
    has = entitled(feature, given, override, day(10))
    uses = [
        Use(used[c.entitlement.reset], (Fraction(3),) * (len(c.measured) - 1)) for c in has.claims
    ]
    return allowance(feature, has, uses)


uses = st.fixed_dictionaries(
    dict.fromkeys(list[Reset](("period", "day", "hour", "never")), amounts)
)


@given(combines, standings, limits(), st.integers(0, 3), uses, amounts, amounts)
def test_a_source_never_takes_anything_away(
    combine: Combine,
    given: list[Standing],
    more: Entitlement,
    where: int,
    used: dict[Reset, Fraction],
    quantity: Fraction,
    reserved: Fraction,
) -> None:
    """Neither one more of a subscription, nor another subscription, nor an override for the customer."""
    before = check_allowance(may(combine, given, None, used), quantity, reserved)
    add_on = Source("add_on", more)
    with_add_on = [
        replace(each, sources=(*each.sources, add_on)) if n == where else each
        for n, each in enumerate(given)
    ]
    for after in (
        may(combine, with_add_on, None, used),
        may(combine, [*given, Standing(LIVING, (add_on,))], None, used),
        may(combine, given, Override(more, JAN), used),
    ):
        assert check_allowance(after, quantity, reserved).allowed >= before.allowed


@given(combines, standings, uses, amounts, amounts)
def test_what_is_used_and_held_and_what_remains_are_the_limit(
    combine: Combine,
    given: list[Standing],
    used: dict[Reset, Fraction],
    quantity: Fraction,
    reserved: Fraction,
) -> None:
    checked = check_allowance(may(combine, given, None, used), quantity, reserved)
    if checked.limit is None or checked.used is None:
        return
    assert checked.remaining == max(checked.limit - checked.used - reserved, 0)
    if checked.allowed and checked.reason != "limit_reached":
        assert quantity <= checked.remaining


@given(resets, zones, moments)
def test_resets_part_time(reset: Reset, zone: str, at: datetime) -> None:
    """An instant is in one window, and where that ends the next one begins."""
    living = replace(LIVING, timezone=zone)
    windows = windows_of(living, reset, at)
    assert windows.current.contains(at)
    assert all(a.end == b.start for a, b in pairwise([*windows.before, windows.current]))
    following = windows_of(living, reset, windows.current.end)
    if windows.ends:
        assert following.current.start == windows.current.end
        assert following.before[-1:] == (windows.current,)
    for earlier in windows.before:
        assert windows_of(living, reset, earlier.start).current == earlier


@given(amounts, st.lists(amounts, max_size=8), st.none() | amounts, amounts)
def test_more_use_never_carries_more_over(
    limit: Fraction, used: list[Fraction], maximum: Fraction | None, more: Fraction
) -> None:
    left = carried(limit, used, maximum)
    assert 0 <= left <= (limit * len(used) if maximum is None else maximum)
    for n in range(len(used)):
        assert carried(limit, [*used[:n], used[n] + more, *used[n + 1 :]], maximum) <= left
