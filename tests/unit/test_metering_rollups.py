from datetime import UTC, datetime, timedelta
from fractions import Fraction as F

import pytest

from domain.calendar import Period
from domain.metering.grains import held_of
from domain.metering.measuring import GroupKey, Measure
from domain.metering.meter import Aggregation, Level, Meter, Window
from domain.metering.properties import Property
from domain.metering.rollups import (
    NOTHING,
    Rollup,
    joined,
    keeps_values,
    level_of,
    merge,
    quantity_of,
    roll_up,
    roll_up_in_order,
    sets_level,
)
from domain.pricing.usage import Group, Groups, Quantity


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-01-01T{text}Z").astimezone(UTC)


def meter(
    aggregation: Aggregation, window: Window | None = None, carry_over: bool = False
) -> Meter:
    return Meter("m", "e", aggregation, window=window, carry_over=carry_over, percentile=F(95))


ALL: GroupKey = ()
TEN, NOON = at("10:00"), at("12:00")
TWO_HOURS = Period(TEN, NOON)
FIRST = Measure(TEN, 2, (), F(-5))
SECOND = Measure(at("10:30"), 1, (), F("0.5"))
BOTH = roll_up([FIRST, SECOND])
SECONDS = F((TEN - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1))


def test_roll_up() -> None:
    latest = (SECOND.time, 1, F("0.5"))
    moment = (F(-5) * SECONDS + F("0.5") * (SECONDS + 1800)) * 10**6
    assert roll_up([SECOND, FIRST]) == Rollup(2, F("-4.5"), F("0.5"), F(-5), latest, moment)
    assert roll_up([]) == NOTHING


def test_merge() -> None:
    assert merge(roll_up([FIRST]), roll_up([SECOND])) == BOTH
    assert merge(roll_up([FIRST]), NOTHING) == merge(NOTHING, roll_up([FIRST])) == roll_up([FIRST])


@pytest.mark.parametrize(
    ("aggregation", "quantity"),
    [
        ("count", F(2)),
        ("sum", F("-4.5")),
        ("max", F("0.5")),
        ("min", F(-5)),
        ("avg", F("-2.25")),
        ("latest", F("0.5")),
        ("weighted_sum", (-5 * F(120) + F("0.5") * 90) / 120),
    ],
)
def test_quantities_of_sums(aggregation: Aggregation, quantity: F) -> None:
    assert quantity_of(meter(aggregation), {ALL: {TEN: BOTH}}, TWO_HOURS) == Quantity(quantity)
    assert quantity_of(meter(aggregation), {}, TWO_HOURS) == Quantity(F(0))


# The hour from ten has both values, and the hour from eleven has 2 twice.
@pytest.mark.parametrize(
    ("aggregation", "quantity"),
    [
        ("count", F(4)),
        ("sum", F("-0.5")),
        ("max", F("2.5")),
        ("min", F(-3)),
        ("avg", F("-0.25")),
        ("latest", F("2.5")),
    ],
)
def test_windows_are_added(aggregation: Aggregation, quantity: F) -> None:
    eleven = at("11:00")
    second = roll_up([Measure(eleven, 3, (), F(2)), Measure(eleven, 4, (), F(2))])
    sums = {ALL: {TEN: BOTH, eleven: second}}
    assert quantity_of(meter(aggregation, "hour"), sums, TWO_HOURS) == Quantity(quantity)


# A level of 4 is carried into two hours, and a value of 2 comes after half an hour. Held over both hours it is
# 4 + 2 x 90 / 120; over each hour, 4 + 2 x 30 / 60 and 6; without the first hour, 6 for half of the time.
@pytest.mark.parametrize(
    ("window", "without", "quantity"),
    [
        (None, [], F("5.5")),
        ("hour", [], F(11)),
        (None, [Period(TEN, at("11:00"))], F(3)),
        (None, [TWO_HOURS], F(0)),
    ],
)
def test_a_level_is_held(window: Window | None, without: list[Period], quantity: F) -> None:
    held = meter("weighted_sum", window, carry_over=True)
    came = roll_up([Measure(at("10:30"), 1, (), F(2))])
    sums = {ALL: {TEN: came}}
    carried = {ALL: F(4)}
    used = quantity_of(held, sums, TWO_HOURS, without=without, carried_in=carried)
    assert used == Quantity(quantity)


# What was rolled up is 0.5 last, and -4.5 in all.
@pytest.mark.parametrize(
    ("aggregation", "carried", "level"),
    [
        ("sum", F(6), F("1.5")),
        ("sum", F(1), F(0)),
        ("weighted_sum", F(6), F("1.5")),
        ("latest", F(6), F("0.5")),
        ("max", F(6), F("0.5")),
    ],
)
def test_levels_that_are_carried_on(aggregation: Aggregation, carried: F, level: F) -> None:
    carrying = meter(aggregation, carry_over=True)
    assert level_of(carrying, {ALL: BOTH}, {ALL: carried}) == {ALL: level}
    assert level_of(carrying, {}, {ALL: carried}) == {ALL: carried}
    assert level_of(meter(aggregation), {ALL: BOTH}, {ALL: carried}) == {}


def test_groups_that_carry_a_level_are_there_without_any_use() -> None:
    by_model = Meter("m", "e", "sum", group_by=(Property(("model",)),), carry_over=True)
    small: GroupKey = (("model", "small"),)
    large: GroupKey = (("model", "large"),)
    used = quantity_of(by_model, {small: {TEN: BOTH}}, TWO_HOURS, carried_in={large: F(3)})
    assert used == Groups((Group(large, F(3)), Group(small, F("-4.5"))))


@pytest.mark.parametrize("aggregation", ["unique_count", "percentile"])
def test_what_is_made_of_values(aggregation: Aggregation) -> None:
    assert keeps_values(meter(aggregation))
    with pytest.raises(ValueError, match="no such sums"):
        quantity_of(meter(aggregation), {ALL: {TEN: BOTH}}, TWO_HOURS)


MINUTE = timedelta(minutes=1)


def came(*each: tuple[str, int]) -> Rollup:
    """Values that set a level, at times, in the order of their arrival."""
    return roll_up_in_order([Measure(at(t), n, (), F(v)) for n, (t, v) in enumerate(each)])


# 3 is held for half an hour, and 5 for a quarter of one until 2 comes.
def test_a_level_that_is_set_is_held_from_the_first_value_to_the_last() -> None:
    rollup = came(("10:45", 2), ("10:00", 3), ("10:30", 5))
    assert rollup.first == TEN
    assert rollup.held == (3 * 30 + 5 * 15) * (MINUTE // timedelta(microseconds=1))
    assert rollup.latest == (at("10:45"), 0, F(2))


def test_of_two_values_at_one_time_the_later_to_arrive_is_held() -> None:
    assert came(("10:00", 3), ("10:00", 7), ("10:01", 0)).held == 7 * 60 * 10**6


def test_rollups_of_a_level_that_is_set_are_joined_in_their_order() -> None:
    first, second, third = came(("10:00", 3), ("10:10", 1)), came(("11:00", 4)), came(("11:30", 9))
    whole = came(("10:00", 3), ("10:10", 1), ("11:00", 4), ("11:30", 9))
    parts = joined([third, first, second])
    assert (parts.first, parts.held, parts.count) == (whole.first, whole.held, 4)
    assert joined([]) == NOTHING
    assert joined([second]) == second


# The level is 4, 3 from ten past ten and 5 from eleven on: 4 x 10 + 3 x 50 + 5 x 60 minutes. Without the second hour,
# and without the first one, in which the level is set nevertheless.
@pytest.mark.parametrize(
    ("without", "quantity"),
    [
        ([], F(4 * 10 + 3 * 50 + 5 * 60, 120)),
        ([Period(at("11:00"), NOON)], F(4 * 10 + 3 * 50, 120)),
        ([Period(TEN, at("11:30"))], F(5 * 30, 120)),
    ],
)
def test_a_level_that_is_set_is_held(without: list[Period], quantity: F) -> None:
    held = Meter("m", "e", "weighted_sum", level="set", carry_over=True)
    each = [came(("10:10", 3)), came(("11:00", 5))]
    parts = held_of(held, TWO_HOURS, "UTC", without)
    sums = {
        ALL: {
            part.stretch.start: joined(
                r for r in each if r.first and part.stretch.contains(r.first)
            )
            for part in parts
        }
    }
    used = quantity_of(held, sums, TWO_HOURS, without=without, carried_in={ALL: F(4)})
    assert used == Quantity(quantity)


def test_what_was_merged_out_of_order_does_not_say_how_long_a_level_was_held() -> None:
    held = Meter("m", "e", "weighted_sum", level="set")
    lost = merge(came(("10:10", 3)), came(("11:00", 5)))
    with pytest.raises(ValueError, match="order"):
        quantity_of(held, {ALL: {TEN: lost}}, TWO_HOURS)


@pytest.mark.parametrize(("level", "sets"), [("set", True), ("change", False)])
def test_levels_that_are_set(level: Level, sets: bool) -> None:
    assert sets_level(Meter("m", "e", "weighted_sum", level=level)) is sets
