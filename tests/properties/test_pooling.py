"""A pool is what one customer would be who did it all: whoever of a family used what, and in whatever order it came."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.scenarios.scenario import read_scenario
from domain.simulation.run import simulate

METERS: list[dict[str, Any]] = [
    {"key": "sum", "event_name": "used", "aggregation": "sum", "value": "n"},
    {"key": "peak", "event_name": "used", "aggregation": "max", "value": "n", "window": "day"},
    {"key": "users", "event_name": "used", "aggregation": "unique_count", "value": "who"},
    {"key": "level", "event_name": "used", "aggregation": "latest", "value": "n", "carry_over": True},
]  # fmt: skip
TIERS = [{"up_to": "10", "unit_amount": "1"}, {"up_to": None, "unit_amount": "0.37"}]
PRICE = {"model": "graduated", "tiers": TIERS}
FAMILY = ("group", "north", "south")

events = st.fixed_dictionaries(
    {
        "whose": st.sampled_from(FAMILY),
        "sent": st.integers(1, 28),
        "happened": st.integers(1, 28),
        "month": st.integers(1, 2),
        "n": st.integers(-3, 20),
        "who": st.sampled_from(["ann", "bob"]),
    }
)


def story(used: list[dict[str, Any]], charged: str, pooled: bool) -> dict[str, Any]:
    """The group's subscription, with usage of its family or all of it its own."""
    items = [
        {"key": meter["key"], "kind": "usage", "meter": meter["key"], "charged": charged, "price": PRICE}
        for meter in METERS
    ]  # fmt: skip
    plan = {"key": "pool", "interval": {"unit": "month"}, "items": items}
    wanted = {"key": "s1", "customer": "group", "plan": "pool", "pools_usage": pooled}
    timeline: list[dict[str, Any]] = [{"at": "2026-01-01T00:00:00Z", "subscribe": wanted}]
    for number, event in enumerate(used):
        sent = f"2026-{event['month']:02}-{event['sent']:02}T12:00:00Z"
        event_of = {
            "id": f"e{number}",
            "customer": event["whose"] if pooled else "group",
            "event_name": "used",
            "time": f"2026-01-{event['happened']:02}T06:00:00Z",
            "properties": {"n": event["n"], "who": event["who"]},
        }
        timeline.append({"at": sent, "usage": event_of})
    return {
        "currency": "USD",
        "meters": METERS,
        "plans": [plan],
        "customers": [{"key": "group"}, *({"key": k, "parent": "group"} for k in FAMILY[1:])],
        "timeline": timeline,
        "until": "2026-03-02T00:00:00Z",
    }


@given(st.lists(events, max_size=8), st.sampled_from(["in_arrears", "in_advance"]))
def test_a_family_that_pools_is_billed_as_one(used: list[dict[str, Any]], charged: str) -> None:
    pooled, alone = (simulate(read_scenario(story(used, charged, each))) for each in (True, False))
    assert pooled == alone
