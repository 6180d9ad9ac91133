"""Laws of whole lives: neither the order in which usage arrives nor its lateness changes what it costs."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.documents import Document
from domain.money import settle
from domain.reading import written
from domain.scenarios.scenario import read_scenario
from domain.simulation.run import simulate
from tests.makings import BASE, FEB, JAN, SEATS

GRADUATED = {
    "model": "graduated",
    "tiers": [
        {"up_to": "10", "unit_amount": "0.123"},
        {"up_to": "50", "unit_amount": "0.0456", "flat_amount": "0.5"},
        {"up_to": None, "unit_amount": "0.01"},
    ],
}
TIERS = GRADUATED["tiers"]
PRICES: dict[str, dict[str, Any]] = {
    "flat": {"model": "flat", "amount": "3.333"},
    "per_unit": {"model": "per_unit", "unit_amount": "0.0375", "included": "3", "maximum": "2"},
    "package": {"model": "package", "package_size": "7", "package_amount": "0.995"},
    "graduated": GRADUATED,
    "volume": {"model": "volume", "tiers": TIERS, "minimum": "0.777"},
    "graduated_percentage": {
        "model": "graduated_percentage",
        "tiers": [
            {"up_to": "25", "rate": "12.5"},
            {"up_to": None, "rate": "3", "flat_amount": "1"},
        ],
        "discount_percent": "15",
    },
    "percentage": {"model": "percentage", "rate": "2.9", "fixed_amount": "0.305", "free_events": 1},
    "matrix": {
        "model": "matrix",
        "dimensions": ["parity"],
        "cells": [{"match": {"parity": "odd"}, "unit_amount": "0.125"}],
        "default_unit_amount": "0.0625",
    },
    "dynamic": {"model": "dynamic", "multiplier": "1.175", "unit": "credits", "unit_rate": "0.1"},
}
METERS: list[dict[str, Any]] = [
    {"key": "use", "event_name": "use", "aggregation": "sum", "value": "n", "group_by": ["parity"]},
    {"key": "sum", "event_name": "use", "aggregation": "sum", "value": "n"},
    {"key": "peak", "event_name": "use", "aggregation": "max", "value": "n"},
    {"key": "last", "event_name": "use", "aggregation": "latest", "value": "n"},
    {"key": "level", "event_name": "use", "aggregation": "sum", "value": "n", "carry_over": True},
]
PRICED = [
    {"key": model, "kind": "usage", "meter": "use", "price": price}
    for model, price in PRICES.items()
]
ITEMS = PRICED + [
    {"key": meter["key"], "kind": "usage", "meter": meter["key"], "price": GRADUATED}
    for meter in METERS[1:]
]
UNTIL = datetime(2026, 4, 2, tzinfo=JAN.tzinfo)

Use = tuple[int, datetime]  # how much, and when it happened


def uses_within(days: int) -> st.SearchStrategy[list[Use]]:
    hours = st.integers(0, days * 24).map(lambda hours: JAN + timedelta(hours=hours))
    return st.lists(st.tuples(st.integers(-5, 40), hours), max_size=8, unique_by=lambda use: use[1])


uses = uses_within(31)


def story(
    timeline: Sequence[tuple[datetime, Use]], items: Sequence[object], **members: object
) -> Document:
    """Live through a story in which usage arrives at the given times; `members` are the plan's."""
    entries: list[dict[str, Any]] = [
        {"at": JAN, "subscribe": {"key": "s1", "customer": "acme", "plan": "pro"}},
        {"at": JAN, "subscribe": {"key": "s2", "customer": "acme", "plan": "pro"}},
    ]
    for number, (at, (n, time)) in enumerate(timeline):
        properties = {"n": n, "parity": "odd" if n % 2 else "even"}
        usage = {"customer": "acme", "event_name": "use", "properties": properties, "time": time}
        entries.append({"at": at, "usage": {**usage, "id": f"e{number}"}})
    plan = {"key": "pro", "interval": {"unit": "month"}, "items": list(items), **members}
    document = {
        "currency": "USD",
        "meters": METERS,
        "plans": [plan],
        "customers": [{"key": "acme"}],
        "timeline": entries,
        "until": UNTIL,
    }
    return simulate(read_scenario(document))


def billed(
    document: Document, period_start: datetime, amount: str = "exact_amount"
) -> dict[tuple[str, str], Fraction]:
    """The amounts billed for a period, late lines included, by subscription and item."""
    totals: dict[tuple[str, str], Fraction] = {}
    for invoice in _list(document["invoices"]):
        for line in _list(invoice["lines"]):
            if line["period"] and line["period"][0] == written(period_start):
                place = invoice["subscription"], line["item"]
                totals[place] = totals.get(place, Fraction(0)) + Fraction(line[amount])
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


ways = st.sampled_from(["each", "day", "period", {"threshold": "1.50"}])
delays = st.lists(st.integers(-20, 40), min_size=8, max_size=8)


@settings(max_examples=100)
@given(uses_within(45), delays, st.sampled_from(PRICED), ways)
def test_usage_in_advance_bills_the_settled_whole(
    used: list[Use], days: list[int], item: dict[str, Any], way: object
) -> None:
    """However it is invoiced, and whenever it arrives, ahead or late: what is billed of a period is what all of its
    usage costs, rounded once.
    """
    told = [
        (max(JAN, time + timedelta(days=delay)), (n, time))
        for (n, time), delay in zip(used, days, strict=False)
    ]
    at_once = story(told, [{**item, "charged": "in_advance"}], advance_invoicing=way)
    at_the_end = story([(time, (n, time)) for n, time in used], [item])
    for start in (JAN, FEB):
        whole = billed(at_the_end, start)
        settled = {place: settle(amount, "USD").exact for place, amount in whole.items()}
        assert billed(at_once, start, "amount") == {p: a for p, a in settled.items() if a}


@settings(max_examples=60)
@given(uses, st.sampled_from(PRICED), st.booleans(), st.sampled_from(["1", "1.5", "3"]))
def test_a_commitment_is_the_least_that_an_item_costs(
    used: list[Use], item: dict[str, Any], in_advance: bool, factor: str
) -> None:
    """Beyond it, each unit of money costs the factor."""
    least = Fraction(3)
    charged = {"charged": "in_advance" if in_advance else "in_arrears"}
    committed = {"minimum_commitment": "3.00", "commitment_overage_factor": factor}
    told = [(time, (n, time)) for n, time in used]
    with_it = billed(story(told, [{**item, **charged, **committed}]), JAN)
    without = billed(story(told, [{**item, **charged}]), JAN)
    for place in (("s1", item["key"]), ("s2", item["key"])):
        beyond = max(without.get(place, Fraction(0)) - least, Fraction(0))
        assert with_it[place] == least + beyond * Fraction(factor)
