"""Corrections: an event with a negative quantity is one like any other, and a period's usage is never below 0."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import pytest

from domain.calendar import Period
from domain.metering.consumption import consumption
from domain.metering.measuring import GroupKey, Measure
from domain.metering.meter import read_meter
from domain.pricing.usage import Events, Group, Groups, PricedEvent, Quantity, Usage
from domain.reading import instant

JANUARY = Period(instant("2026-01-01T00:00:00Z"), instant("2026-02-01T00:00:00Z"))
ALL: GroupKey = ()
LARGE: GroupKey = (("model", "large"),)
SMALL: GroupKey = (("model", "small"),)

Used = tuple[str, str, GroupKey]
"""When, how much, of which group; in the order of arrival."""

TAKEN_BACK: Sequence[Used] = (("2026-01-10T12:00:00Z", "10", ALL), ("2026-01-20T12:00:00Z", "-4", ALL))  # fmt: skip
TOO_MUCH: Sequence[Used] = (("2026-01-10T12:00:00Z", "4", ALL), ("2026-01-20T12:00:00Z", "-10", ALL))  # fmt: skip
BEFORE: Sequence[Used] = (("2025-12-10T12:00:00Z", "5", ALL), ("2026-01-20T12:00:00Z", "-3", ALL))
SUM = {"aggregation": "sum"}


def used(meter: Mapping[str, Any], uses: Sequence[Used], **asked: Any) -> Usage:
    read = read_meter({"key": "m", "event_name": "e", "value": "n", **meter})
    measures = [
        Measure(instant(time), arrival, group, Fraction(value))
        for arrival, (time, value, group) in enumerate(uses)
    ]
    return consumption(read, measures, JANUARY, asked.pop("shape", "quantity"), **asked)


@pytest.mark.parametrize(("meter", "uses", "quantity"), [
    pytest.param(SUM,                                                       TAKEN_BACK,     "6",  id="taken off a sum"),
    pytest.param(SUM,                                                       TAKEN_BACK[1:], "0",  id="a correction alone"),
    pytest.param(SUM,                                                       TOO_MUCH,       "0",  id="more than there was"),
    pytest.param(SUM,                                                       BEFORE,         "0",  id="of what an earlier period had"),
    pytest.param({**SUM, "carry_over": True},                               BEFORE,         "2",  id="of a level that is carried over"),
    pytest.param({**SUM, "carry_over": True},                               [("2025-12-10T12:00:00Z", "-5", ALL), *TAKEN_BACK], "6", id="the excess of one is not carried"),
    pytest.param({**SUM, "rounding": {"mode": "up", "scale": -1}},          TAKEN_BACK,     "10", id="before rounding"),
    pytest.param({**SUM, "window": "day"},                                  TAKEN_BACK,     "6",  id="of another day: days are added as they are"),
    pytest.param({"aggregation": "max", "window": "day"},                   TAKEN_BACK,     "6",  id="the peak of a day may be below 0"),
    pytest.param({"aggregation": "max"},                                    TAKEN_BACK,     "10", id="is no peak"),
    pytest.param({"aggregation": "max"},                                    TAKEN_BACK[1:], "0",  id="nor is it alone"),
    pytest.param({"aggregation": "min"},                                    TAKEN_BACK,     "0",  id="the least"),
    pytest.param({"aggregation": "avg"},                                    TAKEN_BACK,     "3",  id="one of the values of an average"),
    pytest.param({"aggregation": "latest"},                                 TAKEN_BACK,     "0",  id="the last"),
    pytest.param({"aggregation": "percentile", "percentile": "100"},        TAKEN_BACK,     "10", id="one of the values of a percentile"),
    pytest.param({"aggregation": "count", "value": None},                   TAKEN_BACK,     "2",  id="an event that is counted"),
])  # fmt: skip
def test_a_correction(meter: Mapping[str, Any], uses: Sequence[Used], quantity: str) -> None:
    assert used(meter, uses) == Quantity(Fraction(quantity))


def test_no_group_is_below_nothing_and_none_pays_for_another() -> None:
    uses = [("2026-01-10T12:00:00Z", "5", LARGE), ("2026-01-20T12:00:00Z", "-7", SMALL)]
    grouped = {**SUM, "group_by": ["model"]}
    assert used(grouped, uses, shape="groups") == Groups(
        (Group(LARGE, Fraction(5)), Group(SMALL, Fraction(0)))
    )
    assert used(grouped, uses) == Quantity(Fraction(0))


def test_a_price_of_single_events_sees_it_as_one() -> None:
    assert used(SUM, TAKEN_BACK, shape="events") == Events(
        tuple(PricedEvent(Fraction(n), Fraction(n)) for n in (10, -4))
    )


def test_one_in_a_pause_takes_nothing_back() -> None:
    pause = Period(instant("2026-01-15T00:00:00Z"), instant("2026-01-25T00:00:00Z"))
    assert used(SUM, TAKEN_BACK, without=(pause,)) == Quantity(Fraction(10))
