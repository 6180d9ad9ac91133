"""Laws of what is carried over: held against the arithmetic of a household, period by period."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain import ledger
from domain.scenarios.scenario import read_scenario
from domain.simulation.acting import act
from domain.simulation.dues import Moment
from domain.simulation.world import World
from domain.subscription import Phase
from tests.makings import CALLS, JAN

cents = st.integers(0, 2_000)
HOUR = {"unit": "hour"}


def money(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02}"


def story(amount: int, rollover: dict[str, str], used: list[int]) -> dict[str, Any]:
    """A plan of one credit that ends with its period of an hour, and what is used in each."""
    credit = {"key": "c", "amount": money(amount), "expires_after": HOUR, "rollover": rollover}
    calls = {**CALLS, "price": {"model": "per_unit", "unit_amount": "0.01"}}
    subscribe = {"at": JAN, "subscribe": {"key": "s1", "customer": "acme", "plan": "pro"}}
    usage = [
        {
            "at": f"2026-01-01T{hour:02}:30:00Z",
            "usage": {"customer": "acme", "event_name": "call", "properties": {"n": n}},
        }
        for hour, n in enumerate(used)
    ]
    return {
        "currency": "USD",
        "meters": [{"key": "calls", "event_name": "call", "aggregation": "sum", "value": "n"}],
        "plans": [{"key": "pro", "interval": HOUR, "items": [calls], "credits": [credit]}],
        "customers": [{"key": "acme"}],
        "timeline": [subscribe, *usage],
        "until": f"2026-01-01T{len(used):02}:00:00Z",
    }


@settings(max_examples=80, deadline=None)
@given(
    amount=st.integers(1, 1_000),
    bounds=st.tuples(cents, cents).map(sorted),
    bounded=st.tuples(st.booleans(), st.booleans()),
    used=st.lists(cents, min_size=1, max_size=12),
)
def test_each_grant_has_its_amount_and_what_is_left_within_its_bounds(
    amount: int, bounds: list[int], bounded: tuple[bool, bool], used: list[int]
) -> None:
    minimum = bounds[0] if bounded[0] else 0
    maximum = bounds[1] if bounded[1] else 10**9
    rollover = {"minimum": money(minimum)} if bounded[0] else {}
    rollover |= {"maximum": money(maximum)} if bounded[1] else {}
    world = World(scenario := read_scenario(story(amount, rollover, used)))
    for entry in scenario.timeline:
        world.live_until(Moment(entry.at, Phase.ARRIVED))
        act(world, entry)
    world.live_until(Moment(scenario.until, Phase.DONE))

    held = amount
    for n in used:
        left = max(held - n, 0)
        held = amount + max(min(left, maximum), minimum)
    balances = list(world.books.grants.values())
    assert [each.remaining.minor for each in balances] == [0] * len(used) + [held]
    assert len(world.books.standing) == 1
    for balance in balances:
        account = ledger.credits_of(balance.grant.id)
        kept = ledger.balance(world.books.transactions, account, "USD")
        assert kept.minor == -balance.remaining.minor
