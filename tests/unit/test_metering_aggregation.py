from datetime import UTC, datetime
from fractions import Fraction as F
from itertools import permutations

import pytest

from domain.calendar import Period
from domain.decimals import RoundingMode
from domain.metering.aggregation import Carried, aggregate, level_at_end
from domain.metering.measuring import GroupKey, Measure
from domain.metering.meter import Aggregation, Level, Meter, Rounding, Window
from domain.metering.properties import Property
from domain.pricing.usage import Group, Groups, Quantity

VALUE = Property(("v",))
REGION = Property(("region",))


def day(number: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 1, number, hour, minute, second, tzinfo=UTC)


JANUARY = Period(day(1), datetime(2026, 2, 1, tzinfo=UTC))
TEN_DAYS = Period(day(1), day(11))

Uses = list[tuple[datetime, str]]


def measured(uses: Uses, group: GroupKey = ()) -> list[Measure]:
    """Measures of decimals, arriving in the order in which they are written."""
    return [Measure(time, arrival, group, F(value)) for arrival, (time, value) in enumerate(uses)]


def meter(
    aggregation: Aggregation,
    *,
    percentile: str | None = None,
    window: Window | None = None,
    rounding: Rounding | None = None,
    level: Level = "change",
    carry_over: bool = False,
    group_by: tuple[Property, ...] = (),
) -> Meter:
    return Meter(
        key="m",
        event_name="e",
        aggregation=aggregation,
        value=VALUE,
        percentile=F(percentile) if percentile else None,
        window=window,
        rounding=rounding,
        level=level,
        carry_over=carry_over,
        group_by=group_by,
    )


THREE: Uses = [(day(2), "9"), (day(3), "10"), (day(4), "-1")]


@pytest.mark.parametrize(("aggregation", "uses", "quantity"), [
    pytest.param("count",        THREE,                                  "3",    id="how many"),
    pytest.param("sum",          THREE,                                  "18",   id="all together"),
    pytest.param("max",          THREE,                                  "10",   id="the greatest, as numbers"),
    pytest.param("max",          [(day(2), "-5"), (day(3), "-2")],       "-2",   id="the greatest of negative ones is not 0"),
    pytest.param("min",          THREE,                                  "-1",   id="the least"),
    pytest.param("avg",          THREE,                                  "6",    id="the average"),
    pytest.param("latest",       THREE,                                  "-1",   id="the last"),
    pytest.param("latest",       [(day(9), "9"), (day(3), "3")],         "9",    id="the last by its time, not by its arrival"),
    pytest.param("latest",       [(day(9), "2"), (day(9), "1")],         "1",    id="of the same time, the last to arrive"),
    pytest.param("sum",          [(day(1), "1"), (JANUARY.end, "10")],   "1",    id="the end is not within"),
    pytest.param("sum",          [(datetime(2025, 12, 31, 23, 59, 59, 999_999, UTC), "1")], "0", id="nor is what comes before the start"),
    pytest.param("sum",          [(day(2), "1000000000000000"), (day(3), "0.000000000001")], "1000000000000000.000000000001", id="every digit"),
    pytest.param("sum",          [(day(2), "5"), (day(3), "-7")],        "-2",   id="corrections count"),
    *[pytest.param(nothing,      [],                                     "0",    id=f"{nothing} of nothing") for nothing in ("count", "sum", "max", "min", "avg", "latest", "unique_count", "weighted_sum")],
])  # fmt: skip
def test_aggregate(aggregation: Aggregation, uses: Uses, quantity: str) -> None:
    assert aggregate(meter(aggregation), measured(uses), JANUARY) == Quantity(F(quantity))


def test_unique_count_tells_text_apart() -> None:
    users = ["a", "A", "a", " a", "1", "1.0", ""]
    measures = [Measure(day(2), n, (), user) for n, user in enumerate(users)]
    assert aggregate(meter("unique_count"), measures, JANUARY) == Quantity(F(6))


@pytest.mark.parametrize(("percentile", "quantity"), [
    pytest.param("0",    "15", id="the least"),
    pytest.param("5",    "15", id="5th"),
    pytest.param("20",   "15", id="20th: on a rank"),
    pytest.param("20.1", "20", id="just above a rank"),
    pytest.param("30",   "20", id="30th"),
    pytest.param("40",   "20", id="40th: on a rank"),
    pytest.param("50",   "35", id="the median is one of the values"),
    pytest.param("95",   "50", id="95th"),
    pytest.param("100",  "50", id="the greatest"),
])  # fmt: skip
def test_percentiles_are_nearest_ranks(percentile: str, quantity: str) -> None:
    measures = measured([(day(2), value) for value in ("50", "15", "40", "20", "35")])
    of_all = aggregate(meter("percentile", percentile=percentile), measures, JANUARY)
    assert of_all == Quantity(F(quantity))


@pytest.mark.parametrize(("uses", "level", "carried", "quantity"), [
    pytest.param([(day(1), "10")],                  "change", None, F(10),              id="held all the time"),
    pytest.param([(day(6), "10")],                  "change", None, F(5),               id="held half the time"),
    pytest.param([(day(1), "10"), (day(6), "-10")], "change", None, F(5),               id="given back half way"),
    pytest.param([(day(6), "2"), (day(6), "3")],    "change", None, F(5, 2),            id="two changes at once"),
    pytest.param([(day(4, 8), "1")],                "change", None, F(2, 3),            id="a share without an end"),
    pytest.param([(day(10, 23, 59, 59), "1")],      "change", None, F(1, 864_000),      id="held for a second"),
    pytest.param([(TEN_DAYS.start.replace(microsecond=1), "1")], "change", None, 1 - F(1, 864_000_000_000), id="to the microsecond"),
    pytest.param([],                                "change", F(5), F(5),               id="a level that was there before"),
    pytest.param([(day(6), "-5")],                  "change", F(5), F(5, 2),            id="a level from before, given back half way"),
    pytest.param([(day(1), "4"), (day(6), "4")],    "set",    None, F(4),               id="set to what it is"),
    pytest.param([(day(1), "4"), (day(6), "0")],    "set",    None, F(2),               id="set to nothing"),
    pytest.param([(day(6), "3")],                   "set",    F(5), F(4),               id="set over a level from before"),
    pytest.param([(day(6), "9"), (day(6), "3")],    "set",    F(5), F(4),               id="set twice at once: the last to arrive"),
    pytest.param([(day(6), "-4")],                  "change", None, F(-2),              id="below nothing"),
])  # fmt: skip
def test_weighted_sum(uses: Uses, level: Level, carried: F | None, quantity: F) -> None:
    held = meter("weighted_sum", level=level, carry_over=carried is not None)
    carried_in: Carried = {} if carried is None else {(): carried}
    for order in permutations(measured(uses)):
        assert aggregate(held, order, TEN_DAYS, carried_in=carried_in) == Quantity(quantity)


HOURS: Uses = [
    (day(2, 10, 5), "3"),
    (day(2, 10, 40), "7"),
    (day(2, 11, 10), "5"),
    (day(3, 9), "2"),
    (day(20), "4"),
]


@pytest.mark.parametrize(("aggregation", "window", "quantity"), [
    pytest.param("max",    "minute", "21", id="peaks of minutes"),
    pytest.param("max",    "hour",   "18", id="peaks of hours"),
    pytest.param("max",    "day",    "13", id="peaks of days"),
    pytest.param("max",    "week",   "11", id="peaks of weeks: Thursday, Friday and later"),
    pytest.param("max",    "month",  "7",  id="the peak of the month"),
    pytest.param("min",    "hour",   "14", id="least of hours"),
    pytest.param("avg",    "hour",   "16", id="averages of hours"),
    pytest.param("latest", "day",    "11", id="last of days"),
    pytest.param("sum",    "hour",   "21", id="sums are what they are"),
    pytest.param("count",  "day",    "5",  id="counts are what they are"),
])  # fmt: skip
def test_windows_are_aggregated_and_added(
    aggregation: Aggregation, window: Window, quantity: str
) -> None:
    for order in permutations(measured(HOURS)):
        of_all = aggregate(meter(aggregation, window=window), order, JANUARY)
        assert of_all == Quantity(F(quantity))


def test_distinct_values_and_percentiles_of_windows() -> None:
    users = [Measure(day(number), number, (), "a") for number in (2, 3, 4)]
    assert aggregate(meter("unique_count", window="day"), users, JANUARY) == Quantity(F(3))
    of_days = meter("percentile", percentile="50", window="day")
    assert aggregate(of_days, measured(HOURS), JANUARY) == Quantity(F(5 + 2 + 4))


@pytest.mark.parametrize(("uses", "window", "quantity"), [
    pytest.param([(day(1), "2")],           "hour",  F(2 * 240),       id="gigabyte hours"),
    pytest.param([(day(1), "2")],           "day",   F(20),            id="gigabyte days"),
    pytest.param([(day(6, 12), "2")],       "day",   F(9),             id="half a day, then whole ones"),
    pytest.param([(day(10, 23, 30), "1")],  "hour",  F(1, 2),          id="half of the last hour"),
    pytest.param([],                        "hour",  F(0),             id="nothing held"),
])  # fmt: skip
def test_a_held_level_in_windows_is_integrated(uses: Uses, window: Window, quantity: F) -> None:
    held = meter("weighted_sum", window=window)
    assert aggregate(held, measured(uses), TEN_DAYS) == Quantity(quantity)


@pytest.mark.parametrize(("first", "second", "timezone", "window", "quantity"), [
    pytest.param("2026-01-02T04:30Z", "2026-01-02T05:30Z", "UTC",                 "day",    "5", id="one day in UTC"),
    pytest.param("2026-01-02T04:30Z", "2026-01-02T05:30Z", "America/New_York",    "day",    "8", id="two in New York"),
    pytest.param("2026-01-04T23:59Z", "2026-01-05T00:00Z", "UTC",                 "week",   "8", id="a week begins on Monday"),
    pytest.param("2026-01-05T04:59Z", "2026-01-05T05:00Z", "America/New_York",    "week",   "8", id="on Monday in New York"),
    pytest.param("2026-02-01T04:59Z", "2026-02-01T05:00Z", "America/New_York",    "month",  "8", id="a month begins in New York"),
    pytest.param("2026-01-02T10:10Z", "2026-01-02T10:40Z", "UTC",                 "hour",   "5", id="one hour in UTC"),
    pytest.param("2026-01-02T10:10Z", "2026-01-02T10:40Z", "Asia/Kolkata",        "hour",   "8", id="two in Kolkata"),
    pytest.param("2026-01-02T10:10:59Z", "2026-01-02T10:11Z", "Asia/Kolkata",     "minute", "8", id="two minutes"),
    pytest.param("2026-11-01T05:30Z", "2026-11-01T06:30Z", "America/New_York",    "hour",   "8", id="an hour that occurs twice is two"),
    pytest.param("2026-11-01T04:30Z", "2026-11-02T04:30Z", "America/New_York",    "day",    "5", id="a day of 25 hours is one"),
    pytest.param("2026-04-04T14:55Z", "2026-04-04T15:05Z", "Australia/Lord_Howe", "hour",   "8", id="half an hour that occurs twice is two"),
    pytest.param("2026-10-03T15:25Z", "2026-10-03T15:35Z", "Australia/Lord_Howe", "hour",   "8", id="01:55, and 02:35 after a gap of half an hour"),
    pytest.param("2026-09-06T03:59Z", "2026-09-06T04:00Z", "America/Santiago",    "day",    "8", id="a day without a midnight"),
    pytest.param("2011-12-30T09:59Z", "2011-12-30T10:00Z", "Pacific/Apia",        "day",    "8", id="over a day that never was"),
])  # fmt: skip
def test_windows_follow_the_local_clock(
    first: str, second: str, timezone: str, window: Window, quantity: str
) -> None:
    times = [datetime.fromisoformat(first), datetime.fromisoformat(second)]
    whole = Period(datetime(2011, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    peaks = measured(list(zip(times, ("3", "5"), strict=True)))
    assert aggregate(meter("max", window=window), peaks, whole, timezone) == Quantity(F(quantity))


@pytest.mark.parametrize(("exact", "mode", "scale", "rounded"), [
    pytest.param("1.0000000001",  "up",      2,   "1.01",  id="up, by however little"),
    pytest.param("1.01",          "up",      2,   "1.01",  id="already round"),
    pytest.param("-1.001",        "up",      2,   "-1.01", id="up is away from zero"),
    pytest.param("1.019",         "down",    2,   "1.01",  id="down"),
    pytest.param("-1.019",        "down",    2,   "-1.01", id="down is towards zero"),
    pytest.param("-0.004",        "down",    2,   "0",     id="to nothing"),
    pytest.param("2.5",           "half_up", 0,   "3",     id="a half"),
    pytest.param("-2.5",          "half_up", 0,   "-3",    id="a half is away from zero"),
    pytest.param("2.4999999999",  "half_up", 0,   "2",     id="less than a half"),
    pytest.param("1201",          "up",      -2,  "1300",  id="hundreds"),
    pytest.param("50",            "half_up", -2,  "100",   id="half of a hundred"),
    pytest.param("99",            "down",    -2,  "0",     id="less than a hundred"),
])  # fmt: skip
def test_rounding(exact: str, mode: RoundingMode, scale: int, rounded: str) -> None:
    rounding = meter("sum", rounding=Rounding(mode, scale))
    assert aggregate(rounding, measured([(day(2), exact)]), JANUARY) == Quantity(F(rounded))


def test_rounding_comes_after_windows_are_added() -> None:
    uses: Uses = [(day(2), "0.4"), (day(3), "0.4"), (day(4), "0.4")]
    whole = meter("max", window="day", rounding=Rounding("up", 0))
    assert aggregate(whole, measured(uses), JANUARY) == Quantity(F(2))


def test_rounding_is_for_each_group() -> None:
    eu = measured([(day(2), "0.5"), (day(3), "0.2")], (("region", "eu"),))
    us = measured([(day(2), "0.4")], (("region", "us"),))
    whole = meter("sum", group_by=(REGION,), rounding=Rounding("up", 0))
    assert aggregate(whole, [*us, *eu], JANUARY) == Groups(
        (Group((("region", "eu"),), F(1)), Group((("region", "us"),), F(1)))
    )


def test_groups_are_sorted_missing_ones_last() -> None:
    names = [None, "b", "", "a", "B"]
    measures = [Measure(day(2), n, (("region", name),), F(n)) for n, name in enumerate(names)]
    usage = aggregate(meter("sum", group_by=(REGION,)), measures, JANUARY)
    assert isinstance(usage, Groups)
    assert [group.key[0][1] for group in usage.groups] == ["", "B", "a", "b", None]


def test_no_events_no_groups() -> None:
    outside = measured([(JANUARY.end, "1")], (("region", "eu"),))
    assert aggregate(meter("sum", group_by=(REGION,)), outside, JANUARY) == Groups(())


@pytest.mark.parametrize(("aggregation", "uses", "carried", "quantity", "level"), [
    pytest.param("sum",          [(day(2), "2"), (day(3), "-1")],  "5", "6",   "6", id="a sum goes on"),
    pytest.param("sum",          [],                               "5", "5",   "5", id="a sum stays"),
    pytest.param("sum",          [(day(2), "-7")],                 "5", "-2",  "0", id="the excess of a correction is not carried"),
    pytest.param("latest",       [(day(3), "3"), (day(2), "8")],   "7", "3",   "3", id="the last level"),
    pytest.param("latest",       [],                               "7", "7",   "7", id="no other level"),
    pytest.param("max",          [(day(3), "3"), (day(2), "5")],   "7", "7",   "3", id="the peak was before; the level is the last"),
    pytest.param("max",          [(day(3), "3"), (day(2), "9")],   "7", "9",   "3", id="the peak is within"),
    pytest.param("max",          [],                               "7", "7",   "7", id="the peak is the level"),
    pytest.param("max",          [(day(3), "-3")],                 "0", "0",   "0", id="a level of 0 is a value"),
    pytest.param("weighted_sum", [(day(1), "2")],                  "5", "7",   "7", id="a held level goes on"),
    pytest.param("weighted_sum", [],                               "5", "5",   "5", id="a held level stays"),
])  # fmt: skip
def test_carry_over(
    aggregation: Aggregation, uses: Uses, carried: str, quantity: str, level: str
) -> None:
    carrying = meter(aggregation, carry_over=True)
    carried_in: Carried = {(): F(carried)}
    assert aggregate(carrying, measured(uses), JANUARY, carried_in=carried_in) == Quantity(
        F(quantity)
    )
    assert level_at_end(carrying, measured(uses), JANUARY, carried_in) == {(): F(level)}


def test_what_is_carried_in_does_not_matter_to_a_meter_that_does_not_carry_over() -> None:
    uses = measured([(day(2), "2")])
    assert aggregate(meter("sum"), uses, JANUARY, carried_in={(): F(5)}) == Quantity(F(2))
    assert level_at_end(meter("sum"), uses, JANUARY, {(): F(5)}) == {}


def test_a_level_that_is_set_is_carried_as_it_was_set() -> None:
    held = meter("weighted_sum", level="set", carry_over=True)
    assert level_at_end(held, measured([(day(2), "3")]), JANUARY, {(): F(5)}) == {(): F(3)}


def test_groups_that_carry_a_level_are_there_without_events() -> None:
    eu: GroupKey = (("region", "eu"),)
    us: GroupKey = (("region", "us"),)
    carrying = meter("sum", group_by=(REGION,), carry_over=True)
    measures = measured([(day(2), "2")], us)
    carried_in: Carried = {eu: F(5)}
    assert aggregate(carrying, measures, JANUARY, carried_in=carried_in) == Groups(
        (Group(eu, F(5)), Group(us, F(2)))
    )
    assert level_at_end(carrying, measures, JANUARY, carried_in) == {eu: F(5), us: F(2)}


PAUSE = Period(day(3), day(5))


@pytest.mark.parametrize(("counted", "quantity"), [
    pytest.param(meter("sum"),                            F(1 + 8),        id="events in it do not count"),
    pytest.param(meter("count"),                          F(2),            id="nor are they counted"),
    pytest.param(meter("max", window="day"),              F(1 + 8),        id="nor in windows"),
    pytest.param(meter("weighted_sum"),                   F(2 + 42, 10),   id="its time bears nothing, but the level changes"),
    pytest.param(meter("weighted_sum", window="day"),     F(2 + 42),       id="nor do its windows"),
])  # fmt: skip
def test_parts_of_a_period_that_are_left_out(counted: Meter, quantity: F) -> None:
    uses: Uses = [(day(1), "1"), (day(3), "2"), (day(4), "4"), (day(5), "0")]
    if counted.aggregation != "weighted_sum":
        uses[-1] = (day(5), "8")
    usage = aggregate(counted, measured(uses), TEN_DAYS, without=(PAUSE,))
    assert usage == Quantity(quantity)


def test_a_group_that_was_only_used_in_a_part_left_out_is_none() -> None:
    measures = measured([(day(3), "2")], (("region", "eu"),))
    grouped = meter("sum", group_by=(REGION,))
    assert aggregate(grouped, measures, TEN_DAYS, without=(PAUSE,)) == Groups(())
