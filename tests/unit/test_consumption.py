"""What was used, in the shape that a price takes."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from domain.calendar import Period
from domain.metering.consumption import by_dimensions, consumption
from domain.metering.measuring import GroupKey, Measure
from domain.metering.meter import read_meter
from domain.pricing.usage import Events, Group, Groups, PricedEvent, Quantity, Usage, UsageShape
from domain.reading import instant

START = instant("2026-01-01T00:00:00Z")
JANUARY = Period(START, instant("2026-02-01T00:00:00Z"))
LARGE: GroupKey = (("model", "large"),)
SMALL: GroupKey = (("model", "small"),)
NO_MODEL: GroupKey = (("model", None),)

Used = tuple[int, str, GroupKey]
"""On which day, how much, of which group; in the order of arrival."""


def used(
    meter: Mapping[str, Any],
    events: Sequence[Used],
    shape: UsageShape,
    without: Sequence[Period] = (),
    closings: Sequence[datetime] = (),
) -> Usage:
    read = read_meter({"key": "m", "event_name": "e", "value": "n", **meter})
    measures = [
        Measure(START + timedelta(days=day), arrival, group, Fraction(value))
        for arrival, (day, value, group) in enumerate(events)
    ]
    return consumption(read, measures, JANUARY, shape, without=without, closings=closings)


def days(first: int, last: int) -> Period:
    return Period(START + timedelta(days=first), START + timedelta(days=last))


GROUPED = {"group_by": ["model"]}
MODELS: Sequence[Used] = ((1, "3", LARGE), (2, "5", SMALL), (3, "1", LARGE), (4, "7", NO_MODEL))


@pytest.mark.parametrize(
    ("aggregation", "total"),
    [("sum", "16"), ("max", "7"), ("min", "1"), ("avg", "4"), ("latest", "7"), ("count", "4")],
)
def test_a_price_of_one_quantity_takes_all_groups_together(aggregation: str, total: str) -> None:
    meter = {**GROUPED, "aggregation": aggregation}
    assert used(meter, MODELS, "quantity") == Quantity(Fraction(total))


def test_a_price_of_groups_takes_each_with_missing_values_last() -> None:
    assert used({**GROUPED, "aggregation": "sum"}, MODELS, "groups") == Groups(
        (Group(LARGE, Fraction(4)), Group(SMALL, Fraction(5)), Group(NO_MODEL, Fraction(7)))
    )


def test_a_meter_that_does_not_group_is_one_group() -> None:
    assert used({"aggregation": "sum"}, [(1, "3", ())], "groups") == Groups(
        (Group((), Fraction(3)),)
    )


def test_events_come_one_by_one_by_time_and_then_arrival() -> None:
    events: Sequence[Used] = (
        (5, "1", ()),
        (2, "2", ()),
        (5, "3", ()),
        (-1, "9", ()),
        (31, "9", ()),
    )
    assert used({"aggregation": "sum"}, events, "events") == Events(
        tuple(PricedEvent(Fraction(n), Fraction(n)) for n in (2, 1, 3))
    )


@pytest.mark.parametrize(
    ("events", "total"),
    [([(1, "5", ()), (2, "-7", ())], "0"), ([(1, "5", ()), (2, "-2.5", ())], "2.5"), ([], "0")],
)
def test_a_quantity_is_never_below_zero(events: Sequence[Used], total: str) -> None:
    assert used({"aggregation": "sum"}, events, "quantity") == Quantity(Fraction(total))


def test_no_group_is_below_zero_and_none_pays_for_another() -> None:
    events: Sequence[Used] = ((1, "5", LARGE), (2, "-7", SMALL))
    assert used({**GROUPED, "aggregation": "sum"}, events, "groups") == Groups(
        (Group(LARGE, Fraction(5)), Group(SMALL, Fraction(0)))
    )


def test_rounding_is_of_what_is_priced() -> None:
    meter = {**GROUPED, "aggregation": "sum", "rounding": {"mode": "up", "scale": 0}}
    events: Sequence[Used] = ((1, "0.4", LARGE), (2, "0.4", SMALL))
    assert used(meter, events, "quantity") == Quantity(Fraction(1))
    assert used(meter, events, "groups") == Groups(
        (Group(LARGE, Fraction(1)), Group(SMALL, Fraction(1)))
    )


def test_what_is_left_out_counts_nothing_and_makes_no_group() -> None:
    pause = [days(1, 3)]
    events: Sequence[Used] = ((0, "1", LARGE), (1, "10", SMALL), (2, "10", LARGE), (3, "2", LARGE))
    assert used({**GROUPED, "aggregation": "sum"}, events, "groups", pause) == Groups(
        (Group(LARGE, Fraction(3)),)
    )
    assert used({"aggregation": "sum"}, events, "events", pause) == Events(
        tuple(PricedEvent(Fraction(n), Fraction(n)) for n in (1, 2))
    )


@pytest.mark.parametrize(
    ("aggregation", "total"), [("sum", "8"), ("latest", "6"), ("max", "6"), ("weighted_sum", "8")]
)
def test_a_level_is_carried_into_the_window(aggregation: str, total: str) -> None:
    """Before January the level was changed by 2 and by 6, or set to them."""
    events: Sequence[Used] = ((-20, "2", ()), (-10, "6", ()))
    meter = {"aggregation": aggregation, "carry_over": True}
    assert used(meter, events, "quantity") == Quantity(Fraction(total))
    assert used({"aggregation": aggregation}, events, "quantity") == Quantity(Fraction(0))


@pytest.mark.parametrize(("aggregation", "total"), [("sum", "8"), ("weighted_sum", "8")])
def test_a_level_was_cut_at_each_closing_and_each_looks_at_its_own_measures(
    aggregation: str, total: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 100 days before January each was closed: the first took the level to -100, which is 0, later ones changed it
    by 8, and by 1 and -1 in turn. The measures come in any order.
    """
    looked_at: list[datetime] = []
    contains = Period.contains

    def counted(period: Period, at: datetime) -> bool:
        looked_at.append(at)
        return contains(period, at)

    monkeypatch.setattr(Period, "contains", counted)
    swing = [(day, "1" if day % 2 else "-1", ()) for day in range(-98, 0)]
    events: Sequence[Used] = [*reversed(swing), (-99, "8", ()), (-100, "-100", ())]
    closings = [START + timedelta(days=day) for day in range(-99, 1)]
    meter = {"aggregation": aggregation, "carry_over": True}
    assert used(meter, events, "quantity", closings=closings) == Quantity(Fraction(total))
    assert len(looked_at) <= 3 * len(events)


def test_a_level_changes_in_what_is_left_out_but_bears_nothing_there() -> None:
    """A level of 31 from the 11th day on, of which ten days are left out: 31 x 11 of 31 days."""
    meter = {"aggregation": "weighted_sum"}
    assert used(meter, [(10, "31", ())], "quantity", [days(10, 20)]) == Quantity(Fraction(11))


def test_a_meter_can_be_looked_at_by_fewer_of_its_dimensions() -> None:
    meter = read_meter(
        {"key": "m", "event_name": "e", "aggregation": "count", "group_by": ["zone", "model"]}
    )
    keys: Sequence[GroupKey] = [
        (("model", model), ("zone", zone)) for model in ("large", "small") for zone in ("eu", "us")
    ]
    measures = [Measure(START, place, key, Fraction(1)) for place, key in enumerate(keys)]
    by_model = by_dimensions(meter, {"model"})
    assert consumption(by_model, measures, JANUARY, "groups") == Groups(
        (Group(LARGE, Fraction(2)), Group(SMALL, Fraction(2)))
    )
