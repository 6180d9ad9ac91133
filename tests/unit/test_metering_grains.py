from datetime import UTC, datetime, timedelta

import pytest

from domain.calendar import Period
from domain.metering.grains import (
    HOUR,
    MINUTE,
    QUARTER,
    Held,
    Part,
    by_grains,
    grain_at,
    grain_of,
    held_of,
    left_of,
    parts_of,
    whole_grains,
)
from domain.metering.meter import Aggregation, Meter, Window


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-01-01T{text}Z").astimezone(UTC)


def period(start: str, end: str) -> Period:
    return Period(at(start), at(end))


def periods(*bounds: tuple[str, str]) -> list[Period]:
    return [period(*each) for each in bounds]


def meter(aggregation: Aggregation, window: Window | None = None) -> Meter:
    return Meter("m", "e", aggregation, window=window)


@pytest.mark.parametrize(
    ("aggregation", "window", "grain"),
    [
        ("max", None, HOUR),
        ("max", "minute", MINUTE),
        ("max", "hour", QUARTER),
        ("unique_count", "month", QUARTER),
        ("percentile", "minute", MINUTE),
        ("weighted_sum", None, HOUR),
        (
            "weighted_sum",
            "minute",
            QUARTER,
        ),  # a level is cut at the ends of a period, not each minute
        ("weighted_sum", "day", QUARTER),
        ("sum", "minute", HOUR),  # sums of sums, however they are parted
        ("count", "day", HOUR),
    ],
)
def test_grains_are_as_short_as_windows_need_them(
    aggregation: Aggregation, window: Window | None, grain: timedelta
) -> None:
    assert grain_of(meter(aggregation, window)) == grain


@pytest.mark.parametrize(
    ("grain", "start"), [(HOUR, "10:00"), (QUARTER, "10:45"), (MINUTE, "10:59")]
)
def test_grains_are_of_utc(grain: timedelta, start: str) -> None:
    assert grain_at(at("10:59:59.999999"), grain) == at(start)
    assert grain_at(at(start), grain) == at(start)


@pytest.mark.parametrize(("whole", "grains", "edges"), [
    pytest.param(("10:00", "13:00"), [("10:00", "13:00")], [],                                     id="on the hour"),
    pytest.param(("10:20", "13:10"), [("11:00", "13:00")], [("10:20", "11:00"), ("13:00", "13:10")], id="an edge on either side"),
    pytest.param(("10:20", "11:00"), [],                   [("10:20", "11:00")],                   id="less than an hour"),
    pytest.param(("10:20", "11:50"), [],                   [("10:20", "11:50")],                   id="no whole hour"),
    pytest.param(("10:00", "10:00"), [],                   [],                                     id="no time at all"),
])  # fmt: skip
def test_whole_grains(
    whole: tuple[str, str], grains: list[tuple[str, str]], edges: list[tuple[str, str]]
) -> None:
    assert whole_grains(period(*whole), HOUR) == (periods(*grains), periods(*edges))


@pytest.mark.parametrize(("without", "left"), [
    pytest.param([("11:30", "12:30")],                     [("10:00", "11:30"), ("12:30", "14:00")], id="around a pause"),
    pytest.param([("12:00", "15:00"), ("09:00", "11:00")], [("11:00", "12:00")],                   id="between two pauses"),
    pytest.param([("09:00", "15:00")],                     [],                                     id="within a pause"),
    pytest.param([("15:00", "16:00")],                     [("10:00", "14:00")],                   id="before a pause"),
    pytest.param([("11:00", "13:00"), ("11:30", "12:00")], [("10:00", "11:00"), ("13:00", "14:00")], id="a pause within a pause"),
])  # fmt: skip
def test_what_is_left(without: list[tuple[str, str]], left: list[tuple[str, str]]) -> None:
    assert list(left_of(period("10:00", "14:00"), periods(*without))) == periods(*left)


def test_stale_grains_are_read_again() -> None:
    part = Part(period("10:20", "14:00"), at("10:00"), HOUR)
    whole, edges = by_grains([part], HOUR, [at("12:00"), at("13:00"), at("09:00"), at("10:00")])
    assert whole == [Part(period("11:00", "12:00"), at("10:00"), HOUR)]
    assert edges == periods(("10:20", "11:00"), ("12:00", "13:00"), ("13:00", "14:00"))


def test_windows_that_grains_do_not_fit_into_are_read_whole() -> None:
    odd = Part(period("10:07", "12:07"), at("10:07"), HOUR)
    assert by_grains([odd], QUARTER) == ([], [odd.stretch])
    alone = Part(period("10:07", "11:07"), at("10:07"), HOUR)
    assert by_grains([alone], QUARTER) == (
        [Part(period("10:15", "11:00"), at("10:07"), HOUR)],
        periods(("10:07", "10:15"), ("11:00", "11:07")),
    )


def test_parts_leave_pauses_out_and_keep_their_windows() -> None:
    pause = period("10:50", "11:10")
    parts = parts_of(meter("max", "hour"), period("10:00", "12:00"), "UTC", [pause])
    assert parts == [
        Part(period("10:00", "10:50"), at("10:00"), HOUR),
        Part(period("11:10", "12:00"), at("10:00"), HOUR),
    ]
    assert [part.window_of(part.stretch.start) for part in parts] == [at("10:00"), at("11:00")]


def test_a_level_is_held_through_a_pause_but_counts_nothing_there() -> None:
    pause, whole = period("10:50", "11:10"), period("10:30", "13:00")
    assert held_of(meter("weighted_sum", "hour"), whole, "UTC", [pause]) == [
        Held(period("10:30", "10:50"), timedelta(minutes=30), True),
        Held(period("10:50", "11:00"), timedelta(minutes=30), False),
        Held(period("11:00", "11:10"), HOUR, False),
        Held(period("11:10", "13:00"), HOUR, True),
    ]
