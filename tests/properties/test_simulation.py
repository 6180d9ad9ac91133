"""Laws of whole lives: neither the order in which usage arrives nor its lateness changes what it costs."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.documents import Document
from domain.reading import written
from domain.scenarios.scenario import read_scenario
from domain.simulation.run import simulate
from tests.makings import BASE, JAN, SEATS

GRADUATED = {
    "model": "graduated",
    "tiers": [
        {"up_to": "10", "unit_amount": "0.123"},
        {"up_to": "50", "unit_amount": "0.0456", "flat_amount": "0.5"},
        {"up_to": None, "unit_amount": "0.01"},
    ],
}
METERS: list[dict[str, Any]] = [
    {"key": "sum", "event_name": "use", "aggregation": "sum", "value": "n"},
    {"key": "peak", "event_name": "use", "aggregation": "max", "value": "n"},
    {"key": "last", "event_name": "use", "aggregation": "latest", "value": "n"},
    {"key": "level", "event_name": "use", "aggregation": "sum", "value": "n", "carry_over": True},
]
ITEMS = [
    {"key": meter["key"], "kind": "usage", "meter": meter["key"], "price": GRADUATED}
    for meter in METERS
]
UNTIL = datetime(2026, 4, 2, tzinfo=JAN.tzinfo)

Use = tuple[int, datetime]  # how much, and when it happened

uses = st.lists(
    st.tuples(
        st.integers(-5, 40), st.integers(0, 31 * 24).map(lambda hours: JAN + timedelta(hours=hours))
    ),
    max_size=8,
    unique_by=lambda use: use[1],
)


def story(timeline: Sequence[tuple[datetime, Use]], items: Sequence[object]) -> Document:
    """Live through a story in which usage arrives at the given times."""
    entries: list[dict[str, Any]] = [
        {"at": JAN, "subscribe": {"key": "s1", "customer": "acme", "plan": "pro"}},
        {"at": JAN, "subscribe": {"key": "s2", "customer": "acme", "plan": "pro"}},
    ]
    for number, (at, (n, time)) in enumerate(timeline):
        usage = {"customer": "acme", "event_name": "use", "properties": {"n": n}, "time": time}
        entries.append({"at": at, "usage": {**usage, "id": f"e{number}"}})
    plan = {"key": "pro", "interval": {"unit": "month"}, "items": list(items)}
    document = {
        "currency": "USD",
        "meters": METERS,
        "plans": [plan],
        "customers": [{"key": "acme"}],
        "timeline": entries,
        "until": UNTIL,
    }
    return simulate(read_scenario(document))


def billed(document: Document, period_start: datetime) -> dict[tuple[str, str], Fraction]:
    """The exact amounts billed for a period, late lines included, by subscription and item."""
    totals: dict[tuple[str, str], Fraction] = {}
    for invoice in _list(document["invoices"]):
        for line in _list(invoice["lines"]):
            if line["period"] and line["period"][0] == written(period_start):
                place = invoice["subscription"], line["item"]
                exact = Fraction(line["exact_amount"])
                totals[place] = totals.get(place, Fraction(0)) + exact
    return {place: amount for place, amount in totals.items() if amount}


def _list(value: object) -> list[dict[str, Any]]:
    assert isinstance(value, list)
    return value


@settings(max_examples=60)
@given(uses, st.randoms())
def test_the_order_in_which_usage_arrives_does_not_matter(used: list[Use], chance: Any) -> None:
    arrives = JAN + timedelta(days=31, hours=1)
    shuffled = list(used)
    chance.shuffle(shuffled)
    items = [BASE, SEATS, *ITEMS]
    one = story([(arrives, use) for use in used], items)
    other = story([(arrives, use) for use in shuffled], items)
    assert one["invoices"] == other["invoices"]


@settings(max_examples=60)
@given(uses, st.lists(st.integers(0, 50), min_size=8, max_size=8))
def test_usage_costs_the_same_however_late_it_is_told(used: list[Use], delays: list[int]) -> None:
    in_time = [(time, (n, time)) for n, time in used]
    late = [
        (time + timedelta(days=delay), (n, time))
        for (n, time), delay in zip(used, delays, strict=False)
    ]
    assert billed(story(late, ITEMS), JAN) == billed(story(in_time, ITEMS), JAN)


@settings(max_examples=60)
@given(uses)
def test_subscriptions_to_the_same_plan_are_billed_alike(used: list[Use]) -> None:
    totals = billed(story([(time, (n, time)) for n, time in used], ITEMS), JAN)
    first = {item: amount for (key, item), amount in totals.items() if key == "s1"}
    second = {item: amount for (key, item), amount in totals.items() if key == "s2"}
    assert first == second


@settings(max_examples=40)
@given(st.lists(st.integers(0, 40), max_size=12))
def test_usage_in_advance_bills_the_rounded_whole(amounts: list[int]) -> None:
    """However many events there were, what they were billed is what all of them cost, rounded once."""
    used = [(n, JAN + timedelta(hours=hour)) for hour, n in enumerate(amounts)]
    in_arrears = {"key": "sum", "kind": "usage", "meter": "sum", "price": GRADUATED}
    in_advance = {**in_arrears, "charged": "in_advance"}
    timeline = [(time, (n, time)) for n, time in used]
    at_once, at_the_end = story(timeline, [in_advance]), story(timeline, [in_arrears])
    assert _totals(at_once) == _totals(at_the_end)


def _totals(document: Document) -> Fraction:
    invoices = _list(document["invoices"])
    return sum((Fraction(invoice["total"]) for invoice in invoices), Fraction(0))
