"""Alerts: what is told of a threshold, look by look."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from domain.alerts import (
    Alert,
    AlertType,
    Spent,
    Standing,
    alert_document,
    forecast,
    forecast_changes,
    in_currency,
    is_reached,
    looked_at,
    percent_used,
    read_alert,
)
from domain.calendar import Period
from domain.errors import Invalid

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
TEN_DAYS = Period(JANUARY, JANUARY + 10 * DAY)


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        ([(JANUARY, False)], []),
        ([(JANUARY, True)], ["triggered 1"]),
        ([(JANUARY, True), (JANUARY, True)], ["triggered 1"]),
        ([(JANUARY, True), (JANUARY, False)], ["triggered 1", "recovered 1"]),
        (
            [(JANUARY, True), (JANUARY, False), (JANUARY, True)],
            ["triggered 1", "recovered 1", "triggered 2"],
        ),
        ([(JANUARY, True), (FEBRUARY, True)], ["triggered 1", "triggered 1"]),
        ([(JANUARY, True), (FEBRUARY, False)], ["triggered 1", "recovered 0"]),
        ([(JANUARY, False), (FEBRUARY, False), (FEBRUARY, True)], ["triggered 1"]),
        ([(None, True), (None, True), (None, False)], ["triggered 1", "recovered 1"]),
        ([(JANUARY, True), (None, True)], ["triggered 1"]),
        (
            [(JANUARY, True), (None, False), (JANUARY, True)],
            ["triggered 1", "recovered 1", "triggered 2"],
        ),
    ],
)
def test_what_is_told(looks: Sequence[tuple[datetime | None, bool]], told: list[str]) -> None:
    standing, heard = Standing(), []
    for period, reached in looks:
        standing, crossing = looked_at(standing, reached, period)
        heard += [f"{crossing.status} {crossing.number}"] if crossing else []
    assert heard == told


@pytest.mark.parametrize(
    ("type", "value", "reached"),
    [
        ("spend", "79.99", False),
        ("spend", "80", True),
        ("usage", "81", True),
        ("balance", "80.01", False),
        ("balance", "80", True),
        ("balance", "-1", True),
    ],
)
def test_a_balance_is_reached_from_above_and_all_else_from_below(
    type: AlertType, value: str, reached: bool
) -> None:
    assert is_reached(type, Fraction(80), Fraction(value)) is reached


@pytest.mark.parametrize(
    ("used", "limit", "percent"),
    [("40", "50", "80"), ("75", "50", "150"), ("7", None, "0"), ("0", "0", "0"), ("1", "0", "100")],
)
def test_how_much_of_a_limit_is_used(used: str, limit: str | None, percent: str) -> None:
    of = None if limit is None else Fraction(limit)
    assert percent_used(Fraction(used), of) == Fraction(percent)


@pytest.mark.parametrize(
    ("at", "amount"),
    [
        (JANUARY, "3"),  # nothing is gone yet, and nothing to go by
        (JANUARY + timedelta(hours=11), "3"),
        (JANUARY + timedelta(hours=12), "60"),
        (JANUARY + 3 * DAY, "10"),
        (JANUARY + 7 * DAY, "30/7"),
        (JANUARY + 10 * DAY, "3"),
        (JANUARY + 12 * DAY, "3"),  # its grace
    ],
)
def test_a_period_goes_on_as_it_began(at: datetime, amount: str) -> None:
    assert forecast([Spent(Fraction(3), TEN_DAYS)], at) == Fraction(amount)


def test_periods_are_foreseen_each_by_itself() -> None:
    twenty = Period(JANUARY, JANUARY + 20 * DAY)
    spent = [Spent(Fraction(3), TEN_DAYS), Spent(Fraction(1), twenty)]
    assert forecast(spent, JANUARY + 5 * DAY) == 6 + 4


@pytest.mark.parametrize(
    ("at", "again"),
    [
        (JANUARY, JANUARY + DAY / 2),
        (JANUARY + DAY / 2, JANUARY + DAY),
        (JANUARY + 3 * DAY + timedelta(microseconds=1), JANUARY + 3.5 * DAY),
        (JANUARY + 9.7 * DAY, JANUARY + 10 * DAY),
        (JANUARY + 10 * DAY, None),
        (JANUARY - DAY, JANUARY + DAY / 2),
    ],
)
def test_a_forecast_is_looked_at_again(at: datetime, again: datetime | None) -> None:
    assert forecast_changes([TEN_DAYS], at) == again


def test_a_step_between_two_microseconds_is_over_with_the_later() -> None:
    short = Period(JANUARY, JANUARY + timedelta(microseconds=30))
    again = forecast_changes([short], JANUARY)
    assert again == JANUARY + timedelta(microseconds=2)


@pytest.mark.parametrize(
    ("document", "alert"),
    [
        (
            {"key": "a", "type": "spend", "currency": "USD", "thresholds": ["50", "80.00"]},
            Alert("a", "spend", (Fraction(50), Fraction(80)), currency="USD"),
        ),
        (
            {"key": "a", "type": "balance", "customer": "acme", "threshold": "-5"},
            Alert("a", "balance", (Fraction(-5),), "acme"),
        ),
        (
            {"key": "a", "type": "usage", "meter": "tokens", "threshold": 100},
            Alert("a", "usage", (Fraction(100),), meter="tokens"),
        ),
        (
            {"key": "a", "type": "limit", "feature": "tokens", "percent": "80"},
            Alert("a", "limit", (Fraction(80),), feature="tokens"),
        ),
    ],
)
def test_an_alert_is_read(document: Mapping[str, object], alert: Alert) -> None:
    assert read_alert(document) == alert


SPEND = {"key": "a", "type": "spend", "currency": "USD", "threshold": "50"}
USAGE = {"key": "a", "type": "usage", "meter": "tokens", "threshold": "50"}


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({**SPEND, "type": "spent"}, "type"),
        ({**SPEND, "key": ""}, "key"),
        ({**SPEND, "threshold": "-1"}, "threshold"),
        ({**SPEND, "threshold": "0"}, "threshold"),
        ({**SPEND, "threshold": None}, "threshold"),
        ({**SPEND, "currency": "XXZ"}, "currency"),
        ({**SPEND, "meter": "tokens"}, "meter"),
        ({**SPEND, "percent": "5"}, "percent"),
        ({**SPEND, "treshold": "5"}, "treshold"),
        ({**SPEND, "thresholds": ["60"]}, "thresholds"),
        ({**SPEND, "threshold": None, "thresholds": []}, "thresholds"),
        ({**SPEND, "threshold": None, "thresholds": ["50", "50.00"]}, "thresholds.1"),
        ({**SPEND, "threshold": None, "thresholds": ["50", "x"]}, "thresholds.1"),
        ({**USAGE, "meter": None}, "meter"),
        ({**USAGE, "currency": "USD"}, "currency"),
        ({**USAGE, "type": "limit"}, "feature"),
    ],
)
def test_a_wrong_alert_is_refused_with_the_path(document: Mapping[str, object], path: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_alert(document)
    assert path in [fault.path for fault in refused.value.faults]


def test_an_amount_that_the_currency_does_not_have_is_refused() -> None:
    with pytest.raises(Invalid, match="more decimals than JPY"):
        in_currency(Alert("a", "spend", (Fraction("0.5"),)), "JPY", None)


def test_an_alert_is_shown_in_its_currency_and_read_again() -> None:
    alert = in_currency(Alert("a", "balance", (Fraction(-5),)), "USD", "acme")
    assert alert_document(alert)["thresholds"] == ["-5.00"]
    assert read_alert(alert_document(alert)) == alert
