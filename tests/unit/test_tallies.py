"""What was used of a limit, as one sum that goes on: case by case, what came since is added or taken off."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction as F

import pytest

from domain.calendar import Period
from domain.entitlements import Claim
from domain.metering.meter import read_meter
from domain.plans import Entitlement
from domain.reading import instant
from domain.resets import Windows
from domain.tallies import Arrived, Tally, is_one_sum

JANUARY = Period(instant("2026-01-01T00:00:00Z"), instant("2026-02-01T00:00:00Z"))
DECEMBER = Period(instant("2025-12-01T00:00:00Z"), JANUARY.start)
SUM: Mapping[str, object] = {
    "key": "m", "event_name": "llm", "aggregation": "sum", "value": "tokens",
}  # fmt: skip
COUNT: Mapping[str, object] = {"key": "m", "event_name": "llm", "aggregation": "count"}
LARGE = {"filters": [{"property": "model", "in": ["large"]}]}
UP = {"rounding": {"mode": "up", "scale": 0}}


def arrived(tokens: str = "2.5", **more: object) -> Arrived:
    event = Arrived("llm", None, JANUARY.start, {"tokens": tokens, "model": "large"})
    return replace(event, **more)  # type: ignore[arg-type]  # of the test


EVENT = arrived()


@pytest.mark.parametrize(
    ("meter", "measured", "events", "used"),
    [
        (SUM, 10, [], F(10)),
        (SUM, 10, [EVENT, EVENT], F(15)),
        (COUNT, 10, [EVENT, EVENT], F(12)),
        (SUM, 10, [arrived(is_void=True)], F("7.5")),
        (COUNT, 10, [arrived(is_void=True)], F(9)),
        (SUM, 10, [EVENT, arrived(is_void=True)], F(10)),
        (SUM, 10, [arrived("-12")], F(0)),  # a correction: never below 0
        (SUM, 10, [arrived("-12"), arrived("3")], F(1)),  # which takes nothing from what comes
        (SUM, -5, [arrived("6")], F(1)),
        (SUM, 10, [arrived(event_name="other")], F(10)),
        (SUM, 10, [arrived(subscription="s")], F("12.5")),
        (SUM, 10, [arrived(subscription="another")], F(10)),
        (SUM, 10, [arrived(time=JANUARY.end)], F(10)),
        (SUM, 10, [arrived(time=DECEMBER.start)], F(10)),
        (SUM, 10, [arrived(properties={})], F(10)),  # sent before there was the meter
        ({**SUM, **LARGE}, 10, [EVENT], F("12.5")),
        ({**SUM, **LARGE}, 10, [arrived(properties={"tokens": "3", "model": "small"})], F(10)),
        ({**SUM, **UP}, 10, [EVENT], F(13)),
        ({**SUM, **UP}, 10, [EVENT, EVENT], F(15)),  # all of it is rounded, once
        ({**SUM, "value": "2 * tokens + 1", "group_by": ["model"]}, 10, [EVENT], F(16)),
    ],
)
def test_what_came_since_is_added(
    meter: Mapping[str, object], measured: int, events: list[Arrived], used: F
) -> None:
    tally = Tally(read_meter(meter), JANUARY, "s", F(measured))
    assert tally.with_arrived(events).used == used


def test_without_a_subscription_all_events_of_the_customer_count() -> None:
    tally = Tally(read_meter(SUM), JANUARY, None, F(0))
    assert tally.with_arrived([EVENT, arrived(subscription="another")]).used == 5


def claim(**more: object) -> Claim:
    entitlement = Entitlement("f", "metered", limit=F(5), **more)  # type: ignore[arg-type]  # of the test
    return Claim(None, entitlement, Windows(JANUARY, (DECEMBER,)))


@pytest.mark.parametrize(
    ("meter", "claims", "expected"),
    [
        (SUM, [claim()], True),
        (COUNT, [claim()], True),
        ({**SUM, **LARGE, **UP, "window": "day"}, [claim()], True),
        ({**SUM, "aggregation": "max"}, [claim()], False),
        ({**SUM, "carry_over": True}, [claim()], False),
        (SUM, [claim(carry_over=True)], False),  # what was used before counts, too
        (SUM, [claim(), claim()], False),
    ],
)
def test_what_is_one_sum(meter: Mapping[str, object], claims: list[Claim], expected: bool) -> None:
    assert is_one_sum(read_meter(meter), claims) is expected
