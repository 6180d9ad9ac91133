"""A subscription-year with daily usage, simulated purely, against the rating of its twelve periods alone: at most 3 times.

The yardstick measures the same events of each period and rates each item of the plan by them: what any bill needs. Both
are timed in one process, by turns, in processor time; of each the least disturbed run counts.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from operator import attrgetter
from time import process_time
from typing import Any

from domain.calendar import Cycle, Period
from domain.metering.consumption import consumption
from domain.metering.events import UsageEvent
from domain.metering.measuring import measured_by
from domain.pricing.price import usage_shape
from domain.pricing.usage import Quantity, Usage
from domain.rating import rate
from domain.scenarios.actions import Usage as Used
from domain.scenarios.scenario import Scenario, read_scenario
from domain.simulation.run import simulate

BEST_OF = 40
_time = attrgetter("time")
START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 365
TIERS = [
    {"up_to": "1000", "unit_amount": "0.002"},
    {"up_to": "20000", "unit_amount": "0.001", "flat_amount": "1"},
    {"up_to": None, "unit_amount": "0.0005"},
]
METERS = [
    {"key": "tokens", "event_name": "use", "aggregation": "sum", "value": "tokens"},
    {"key": "peak", "event_name": "use", "aggregation": "max", "value": "tokens"},
]
PLAN: Mapping[str, Any] = {
    "key": "pro",
    "interval": {"unit": "month"},
    "items": [
        {"key": "base", "kind": "recurring", "price": {"model": "flat", "amount": "20"}},
        {
            "key": "tokens",
            "kind": "usage",
            "meter": "tokens",
            "price": {"model": "graduated", "tiers": TIERS},
        },
        {
            "key": "peak",
            "kind": "usage",
            "meter": "peak",
            "price": {"model": "volume", "tiers": TIERS},
        },
    ],
}


def measure() -> Iterator[str]:
    simulated, rated = [], []
    for turn in range(BEST_OF):
        start = START + turn * timedelta(days=1)  # no turn knows the dates of another
        scenario = _year_from(start)
        begun = process_time()
        simulate(scenario)
        simulated.append(process_time() - begun)
        begun = process_time()
        _rate_periods(scenario, start)
        rated.append(process_time() - begun)
    ratio = min(simulated) / min(rated)
    yield (
        f"a year of {DAYS} events: {ratio:.2f} times the rating of its periods (at most 3),"
        f" {1_000 * min(simulated):.1f} ms"
    )


def _year_from(start: datetime) -> Scenario:
    use = {"customer": "acme", "event_name": "use", "properties": {"tokens": "1234.5"}}
    every_day = {"every": {"unit": "day", "count": 1}, "times": DAYS}
    return read_scenario(
        {
            "currency": "USD",
            "meters": METERS,
            "plans": [PLAN],
            "customers": [{"key": "acme"}],
            "timeline": [
                {"at": start, "subscribe": {"key": "s1", "customer": "acme", "plan": "pro"}},
                {"at": start, "usage": {**use, **every_day}},
            ],
            "until": start.replace(year=start.year + 1),
        }
    )


def _rate_periods(scenario: Scenario, start: datetime) -> None:
    """Every event is measured once, every item of every period rated."""
    plan = scenario.plans["pro"]
    starts = list(Cycle(start, plan.interval, plan.anchor, "UTC").starts(13))
    periods = [Period(*each) for each in pairwise(starts)]
    events = [
        UsageEvent(str(place), used.event_name, used.customer, entry.at, used.properties)
        for place, entry in enumerate(scenario.timeline)
        if isinstance(used := entry.action, Used)
    ]
    measures: dict[str, list[Any]] = {meter: [] for meter in scenario.meters}
    for event in events:
        for meter, found in measured_by(scenario.meters.values(), event):
            measures[meter.key].append(found)
    for period in periods:
        for item in plan.items:
            usage: Usage = Quantity(item.quantity)
            if item.meter is not None:
                meter = scenario.meters[item.meter]
                series = measures[meter.key]  # in the order of their times
                first, last = (
                    bisect_left(series, at, key=_time) for at in (period.start, period.end)
                )
                within = series[first:last]
                usage = consumption(meter, within, period, usage_shape(item.price), "UTC")
            rate(item.price, usage)
