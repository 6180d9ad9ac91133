from datetime import UTC, datetime
from fractions import Fraction as F

import pytest

from domain.calendar import Period
from domain.metering.measuring import Measure
from domain.metering.meter import Aggregation, Meter, Window
from domain.metering.rollups import (
    NOTHING,
    Rollup,
    merge,
    quantity_of,
    roll_up,
    rolls_up,
    whole_hours,
)
from domain.pricing.usage import Quantity


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def period(start: str, end: str) -> Period:
    return Period(at(f"2026-01-01T{start}Z"), at(f"2026-01-01T{end}Z"))


def meter(aggregation: Aggregation, window: Window | None = None) -> Meter:
    return Meter("m", "e", aggregation, window=window, percentile=F(95))


FIRST = Measure(at("2026-01-01T10:00Z"), 2, (), F(-5))
SECOND = Measure(at("2026-01-01T10:30Z"), 1, (), F("0.5"))


def test_roll_up() -> None:
    latest = (SECOND.time, 1, F("0.5"))
    assert roll_up([SECOND, FIRST]) == Rollup(2, F("-4.5"), F("0.5"), F(-5), latest)
    assert roll_up([]) == NOTHING


def test_merge() -> None:
    assert merge(roll_up([FIRST]), roll_up([SECOND])) == roll_up([FIRST, SECOND])
    assert merge(roll_up([FIRST]), NOTHING) == merge(NOTHING, roll_up([FIRST])) == roll_up([FIRST])


@pytest.mark.parametrize("aggregation", ["count", "sum", "max", "min", "avg", "latest"])
def test_what_rolls_up(aggregation: Aggregation) -> None:
    assert rolls_up(meter(aggregation))
    assert not rolls_up(meter(aggregation, "day"))
    assert quantity_of(meter(aggregation), {}) == Quantity(F(0))


@pytest.mark.parametrize("aggregation", ["unique_count", "weighted_sum", "percentile"])
def test_what_needs_its_events(aggregation: Aggregation) -> None:
    assert not rolls_up(meter(aggregation))
    with pytest.raises(ValueError, match="needs its events"):
        quantity_of(meter(aggregation), {(): roll_up([FIRST])})


@pytest.mark.parametrize(("whole", "without", "hours", "edges"), [
    pytest.param(("10:00", "13:00"), [],                   [("10:00", "13:00")],                     [],                                     id="on the hour"),
    pytest.param(("10:20", "13:10"), [],                   [("11:00", "13:00")],                     [("10:20", "11:00"), ("13:00", "13:10")], id="an edge on either side"),
    pytest.param(("10:20", "11:00"), [],                   [],                                       [("10:20", "11:00")],                   id="less than an hour"),
    pytest.param(("10:20", "11:50"), [],                   [],                                       [("10:20", "11:50")],                   id="no whole hour"),
    pytest.param(("10:00", "14:00"), [("11:30", "12:30")], [("10:00", "11:00"), ("13:00", "14:00")], [("11:00", "11:30"), ("12:30", "13:00")], id="around a pause"),
    pytest.param(("10:00", "14:00"), [("12:00", "15:00"), ("09:00", "11:00")], [("11:00", "12:00")], [],                                     id="between two pauses"),
    pytest.param(("10:00", "14:00"), [("09:00", "15:00")], [],                                       [],                                     id="within a pause"),
    pytest.param(("10:00", "14:00"), [("15:00", "16:00")], [("10:00", "14:00")],                     [],                                     id="before a pause"),
    pytest.param(("10:00", "14:00"), [("11:00", "13:00"), ("11:30", "12:00")], [("10:00", "11:00"), ("13:00", "14:00")], [],                 id="a pause within a pause"),
])  # fmt: skip
def test_whole_hours(
    whole: tuple[str, str],
    without: list[tuple[str, str]],
    hours: list[tuple[str, str]],
    edges: list[tuple[str, str]],
) -> None:
    parted = whole_hours(period(*whole), [period(*pause) for pause in without])
    assert parted == ([period(*hour) for hour in hours], [period(*edge) for edge in edges])
