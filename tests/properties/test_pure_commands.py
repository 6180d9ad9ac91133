"""Whatever a line holds, it is answered or refused: nothing else is ever raised."""

from collections.abc import Callable, Mapping

from hypothesis import given
from hypothesis import strategies as st

from domain.calculators.aggregating import answer_aggregate
from domain.calculators.periods import answer_periods
from domain.calculators.rating import answer_rate
from domain.errors import Invalid
from domain.reading import InexactNumber

TELLING = (
    "", "0", "-1", "95", "1e400", "9" * 40, "v", "v *", "a.b", "up", "day", "set", "max", "sum", "calendar", "UTC",
    "Pacific/Apia", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2011-12-30T00:00:00Z",
)  # fmt: skip

texts = st.text('aé\x00"[]. ', max_size=5)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(TELLING)
    | texts
    | st.just(InexactNumber("1.5"))
)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)

PERIODS: dict[str, object] = {
    "start": "2026-01-31T00:00:00Z",
    "interval": {"unit": "month", "count": 1},
    "anchor": "calendar",
    "timezone": "America/Havana",
    "count": 3,
}
METER: dict[str, object] = {
    "key": "m",
    "event_name": "e",
    "aggregation": "weighted_sum",
    "value": "v",
    "filters": [{"property": "v", "gt": "0"}],
    "group_by": ["v"],
    "rounding": {"mode": "up", "scale": 0},
    "carry_over": True,
    "window": None,
    "level": "set",
    "percentile": None,
}
AGGREGATE: dict[str, object] = {
    "meter": METER,
    "period": ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"],
    "timezone": "America/Havana",
    "carried_in": [{"key": {"v": "1"}, "quantity": "5"}],
    "events": [{"time": "2026-01-02T00:00:00Z", "properties": {"v": "1"}}],
}


PRICES: dict[str, dict[str, object]] = {
    "flat": {"amount": "1"},
    "per_unit": {"unit_amount": "1"},
    "package": {"package_size": "1", "package_amount": "1", "free_units": "1", "round": "down"},
    "graduated": {"tiers": [{"up_to": "1", "unit_amount": "1"}, {"up_to": None}]},
    "volume": {"tiers": [{"up_to": None, "flat_amount": "1"}], "flat_on_zero": True},
    "graduated_percentage": {"tiers": [{"up_to": None, "rate": "1"}]},
    "percentage": {"rate": "1", "free_events": 1, "free_amount": "1", "minimum_per_event": "1"},
    "matrix": {"dimensions": ["v"], "cells": [{"match": {"v": "v"}, "unit_amount": "1"}]},
    "dynamic": {"multiplier": "1"},
}
USAGES: tuple[dict[str, object], ...] = (
    {"quantity": "1"},
    {"groups": [{"key": {"v": "v"}, "quantity": "1"}]},
    {"events": [{"quantity": "1", "amount": "1"}]},
)


def changed(line: Mapping[str, object]) -> st.SearchStrategy[dict[str, object]]:
    """The line with some of its members replaced by anything."""
    anything = st.dictionaries(st.sampled_from(sorted(line)), documents, max_size=2)
    return anything.map(lambda members: {**line, **members})


def check_answered(
    answer: Callable[[Mapping[str, object]], dict[str, object]], line: Mapping[str, object]
) -> None:
    try:
        answered = answer(line)
    except Invalid:
        return
    assert answered


@given(changed(PERIODS))
def test_periods(line: Mapping[str, object]) -> None:
    check_answered(answer_periods, line)


@given(changed(PERIODS), changed({"unit": "month", "count": 1}))
def test_intervals(line: Mapping[str, object], interval: Mapping[str, object]) -> None:
    check_answered(answer_periods, {**line, "interval": interval})


@given(changed(AGGREGATE))
def test_aggregate(line: Mapping[str, object]) -> None:
    check_answered(answer_aggregate, line)


@given(changed(AGGREGATE), changed(METER))
def test_meters(line: Mapping[str, object], meter: Mapping[str, object]) -> None:
    check_answered(answer_aggregate, {**line, "meter": meter})


@given(
    st.sampled_from(sorted(PRICES)).flatmap(
        lambda model: changed({"model": model, **PRICES[model], "minimum": "0", "unit": None})
    ),
    st.sampled_from(USAGES).flatmap(changed) | documents,
    st.sampled_from(("USD", "UYW")) | documents,
)
def test_rate(price: Mapping[str, object], usage: object, currency: object) -> None:
    check_answered(answer_rate, {"currency": currency, "price": price, "usage": usage})


@given(st.text('v.+-*/()[]"0123456789 \t', max_size=30), st.sampled_from(("sum", "unique_count")))
def test_expressions(value: str, aggregation: str) -> None:
    meter = {
        **METER,
        "aggregation": aggregation,
        "value": value,
        "level": None,
        "carry_over": False,
    }
    check_answered(answer_aggregate, {**AGGREGATE, "meter": meter})
