"""Automatic top-ups: what is bought, and when."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from domain.automatic_top_ups import (
    Attempt,
    AutomaticTopUp,
    Decision,
    decide,
    month_of,
    new_automatic_top_up,
    read_automatic_top_up,
)
from domain.calendar import Period
from domain.errors import Invalid
from domain.money import Money

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MONTH = Period(JANUARY, FEBRUARY)
NOW = JANUARY + timedelta(days=9)
HOUR = timedelta(hours=1)


def usd(amount: str) -> Money:
    return Money(int(Fraction(amount) * 100), "USD")


def attempt(amount: str, ended_at: datetime | None, status: str = "paid") -> Attempt:
    at = ended_at - HOUR / 60 if ended_at else NOW - HOUR
    if status == "pending":
        return Attempt(at, usd(amount), "pending")
    return Attempt(at, usd(amount), "declined" if status == "declined" else "paid", ended_at)


TO_TARGET = AutomaticTopUp(usd("10"), usd("50"), None, None, HOUR)
FIXED = AutomaticTopUp(usd("10"), None, usd("20"), None, HOUR)
LONG_AGO = NOW - 24 * HOUR


@pytest.mark.parametrize(
    ("rule", "available", "attempts", "decision"),
    [
        (TO_TARGET, "10", [], Decision()),
        (TO_TARGET, "9.99", [], Decision(usd("40.01"))),
        (TO_TARGET, "-3", [], Decision(usd("53"))),
        (TO_TARGET, "9.9999", [], Decision(usd("40"))),  # a cent more would be more than 50
        (FIXED, "9.99", [], Decision(usd("20"))),
        (FIXED, "-500", [], Decision(usd("20"))),
        (TO_TARGET, "1", [attempt("40", None, "pending")], Decision()),
        (TO_TARGET, "1", [attempt("40", NOW - HOUR)], Decision(usd("49"))),
        (TO_TARGET, "1", [attempt("40", NOW - HOUR / 2)], Decision(again_at=NOW + HOUR / 2)),
        (
            TO_TARGET,
            "1",
            [attempt("40", NOW - HOUR / 2, "declined")],
            Decision(again_at=NOW + HOUR / 2),
        ),
        (replace(TO_TARGET, monthly_cap=usd("100")), "0", [], Decision(usd("50"))),
        (
            replace(TO_TARGET, monthly_cap=usd("100")),
            "0",
            [attempt("70", LONG_AGO)],
            Decision(usd("30")),
        ),
        (
            replace(TO_TARGET, monthly_cap=usd("100")),
            "0",
            [attempt("70", LONG_AGO, "declined")],
            Decision(usd("50")),
        ),
        (
            replace(TO_TARGET, monthly_cap=usd("70")),
            "0",
            [attempt("70", LONG_AGO)],
            Decision(again_at=FEBRUARY),
        ),
        (
            replace(FIXED, monthly_cap=usd("30")),
            "0",
            [attempt("20", LONG_AGO)],
            Decision(again_at=FEBRUARY),
        ),
        (
            replace(TO_TARGET, monthly_cap=usd("60")),
            "0",
            [attempt("50", JANUARY - HOUR)],
            Decision(usd("50")),
        ),
        (  # asked for in December, paid in January: it counts for both
            replace(TO_TARGET, monthly_cap=usd("60")),
            "0",
            [attempt("50", JANUARY)],
            Decision(usd("10")),
        ),
    ],
)
def test_what_is_bought(
    rule: AutomaticTopUp, available: str, attempts: Sequence[Attempt], decision: Decision
) -> None:
    assert decide(rule, Fraction(available), attempts, NOW, MONTH) == decision


@pytest.mark.parametrize(
    ("at", "timezone", "start", "end"),
    [
        (NOW, "UTC", JANUARY, FEBRUARY),
        (JANUARY, "UTC", JANUARY, FEBRUARY),
        (FEBRUARY, "America/New_York", JANUARY + 5 * HOUR, FEBRUARY + 5 * HOUR),
    ],
)
def test_a_month_is_the_customer_s(
    at: datetime, timezone: str, start: datetime, end: datetime
) -> None:
    assert month_of(at, timezone) == Period(start, end)


def test_a_month_in_which_the_clock_is_set_and_the_year_s_last() -> None:
    march = month_of(datetime(2026, 3, 20, tzinfo=UTC), "Europe/Vienna")
    assert (march.end - march.start) == timedelta(days=31) - HOUR
    assert month_of(datetime(2026, 12, 31, tzinfo=UTC), "UTC").end == datetime(
        2027, 1, 1, tzinfo=UTC
    )


ORDER = {"threshold": "10", "target": "50.00"}


def test_an_order_is_read() -> None:
    order = read_automatic_top_up({**ORDER, "monthly_cap": "200", "cool_down": 600})
    rule = new_automatic_top_up(order, "USD")
    assert rule == AutomaticTopUp(usd("10"), usd("50"), None, usd("200"), timedelta(minutes=10))


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({**ORDER, "threshold": "-1"}, "threshold"),
        ({**ORDER, "threshold": None}, "threshold"),
        ({**ORDER, "target": "10"}, "target"),
        ({**ORDER, "target": "9"}, "target"),
        ({**ORDER, "target": None}, "target"),
        ({**ORDER, "amount": "5"}, "amount"),
        ({"threshold": "10", "amount": "0"}, "amount"),
        ({"threshold": "10", "amount": "5.001"}, "amount"),
        ({"threshold": "10", "amount": "20", "monthly_cap": "19.99"}, "monthly_cap"),
        ({**ORDER, "monthly_cap": "0"}, "monthly_cap"),
        ({**ORDER, "target": "99999999999999"}, "target"),
        ({**ORDER, "cool_down": 59}, "cool_down"),
        ({**ORDER, "cool_down": "3600"}, "cool_down"),
        ({**ORDER, "currency": "usd"}, "currency"),
        ({**ORDER, "cap": "5"}, "cap"),
    ],
)
def test_a_wrong_order_is_refused_with_the_path(document: Mapping[str, object], path: str) -> None:
    with pytest.raises(Invalid) as refused:
        new_automatic_top_up(read_automatic_top_up(document), "USD")
    assert path in [fault.path for fault in refused.value.faults]
