"""What an explanation says: the price in words, which events have a part, how a line got its cent."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest

from domain.account import Bill, Need
from domain.basis import OfCommitment, OfShare
from domain.calendar import Period
from domain.explaining import settling
from domain.explaining.consumed import is_looked_at
from domain.explaining.formulas import formula
from domain.explaining.shares import commitment, commitment_in_words, share, share_in_words
from domain.invoicing import work_out
from domain.metering.meter import read_meter
from domain.pricing.price import read_price
from domain.pricing.usage import UsageShape
from tests.makings import ACME, FEB, JAN, JANUARY, charge, day

TIERS = [{"up_to": None, "unit_amount": "1"}]
EACH = {"model": "per_unit", "unit_amount": "1"}


@pytest.mark.parametrize(
    ("price", "said"),
    [
        ({"model": "flat", "amount": "1"}, "One amount, whatever the quantity."),
        (EACH, "The quantity times the amount of one unit."),
        (
            {"model": "package", "package_size": "2", "package_amount": "1", "round": "down"},
            "The packages filled beyond the free units, times the amount of one package.",
        ),
        (
            {"model": "graduated", "tiers": TIERS},
            "Each tier's units at that tier's rate, plus the flat amount of each tier reached.",
        ),
        (
            {"model": "volume", "tiers": TIERS},
            "All units at the rate of the tier that the whole quantity falls in, plus its flat amount.",
        ),
        (
            {"model": "percentage", "rate": "1"},
            "Of each event beyond the free allowance a percentage and the fixed amount, within the"
            " bounds of one event.",
        ),
        (
            {"model": "graduated_percentage", "tiers": [{"up_to": None, "rate": "1"}]},
            "Each tier's part of the money at that tier's percentage, plus the flat amount of each"
            " tier reached.",
        ),
        (
            {"model": "matrix", "dimensions": ["m"], "cells": [], "default_unit_amount": "1"},
            "Each group at the rate of the cell that matches most of its dimensions.",
        ),
        ({"model": "dynamic"}, "The sum of the amounts that the events carry, times the multiplier."),
        (
            {**EACH, "included": "5", "discount_percent": "10", "maximum": "9", "minimum": "2"},
            "5 included units come off first. The quantity times the amount of one unit. Less 10"
            " percent. At most 9. At least 2.",
        ),
        (
            {**EACH, "unit": "credits", "unit_rate": "0.25"},
            "The quantity times the amount of one unit. One of credits is worth 0.25 in the currency.",
        ),
    ],
)  # fmt: skip
def test_a_price_in_words(price: Mapping[str, Any], said: str) -> None:
    assert formula(read_price(price)) == said


@pytest.mark.parametrize(
    ("meter", "shape", "looked_at"),
    [
        ({"aggregation": "sum"}, "quantity", "window"),
        ({"aggregation": "sum"}, "events", "window"),
        ({"aggregation": "sum", "carry_over": True}, "quantity", "before window"),
        ({"aggregation": "weighted_sum"}, "groups", "window pause"),
        ({"aggregation": "weighted_sum", "carry_over": True}, "quantity", "before window pause"),
    ],
)
def test_which_events_have_a_part(
    meter: Mapping[str, Any], shape: UsageShape, looked_at: str
) -> None:
    """Those of the window but for pauses; in these too where a level is held; before it where it carries over."""
    read = read_meter({"key": "m", "event_name": "e", "value": "v", **meter})
    need = Need("i", "m", JANUARY, (Period(day(5), day(6)),), shape)
    times = {"before": JAN - timedelta(days=9), "window": day(3), "pause": day(5), "after": FEB}
    assert [name for name, at in times.items() if is_looked_at(need, read, at)] == looked_at.split()


def test_the_cents_that_are_missing_go_to_the_largest_remainders() -> None:
    """0.334 + 0.333 + 0.333 is 1.00: the floors are 0.33 each, and the missing cent is the first line's."""
    bill = Bill(
        "invoice:1",
        "s1",
        ACME,
        "USD",
        JAN,
        JAN,
        [charge(amount) for amount in ("0.334", "0.333", "0.333")],
    )
    told = [settling.rounding(bill, work_out(bill), place) for place in range(3)]
    assert [each["amount"] for each in told] == ["0.34", "0.33", "0.33"]
    assert [each["floor"] for each in told] == ["0.33", "0.33", "0.33"]
    assert [(each["rank"], each["got_unit"]) for each in told] == [
        (1, True),
        (2, False),
        (3, False),
    ]
    assert told[0]["remainder"] == "0.4"
    assert "1 unit is missing then and goes to" in str(told[0]["in_words"])


def test_what_is_on_account_is_rounded_apart() -> None:
    """Together 0.005 less 0.01 would be a cent back. Apart, the whole usage is 0.01, and so is what is credited."""
    whole, credit = charge("0.005"), replace(charge("-0.01"), charged="on_account")
    bill = Bill("invoice:1", "s1", ACME, "USD", JAN, JAN, [whole, credit])
    told = [settling.rounding(bill, work_out(bill), place) for place in range(2)]
    assert [each["amount"] for each in told] == ["0.01", "-0.01"]
    assert [(each["rank"], each["missing_units"]) for each in told] == [(1, 1), (1, 0)]


@pytest.mark.parametrize(
    ("proration", "unit", "part", "whole", "fraction"),
    [
        ("second", "second", "864000", "2678400", "10/31"),
        ("day", "day", "10", "31", "10/31"),
        ("none", None, "1", "1", "1/1"),
    ],
)
def test_a_share_with_its_parts(
    proration: Any, unit: str | None, part: str, whole: str, fraction: str
) -> None:
    counted = Fraction(10, 31) if unit else Fraction(1)
    price = read_price({"model": "per_unit", "unit_amount": "10"})
    ten_days = Period(day(1), day(11))
    basis = OfShare(price, Fraction(3), counted, ten_days, JANUARY, proration, "UTC", Fraction(2))
    told = share(basis)
    assert (told["unit"], told["part"], told["whole"]) == (unit, part, whole)
    assert (told["fraction"], told["full_amount"]) == (fraction, "10")
    assert share_in_words(basis).startswith("What the new quantity costs")


def test_a_commitment_and_what_it_was_compared_with() -> None:
    short = OfCommitment(Fraction(100), Fraction(1, 2), Fraction(30), Fraction(2))
    assert commitment(short) == {
        "committed": "100",
        "fraction": "1/2",
        "minimum": "50",
        "spent": "30",
        "overage_factor": "2",
    }
    assert "fall short" in commitment_in_words(short)
    beyond = OfCommitment(Fraction(100), Fraction(1, 2), Fraction(60), Fraction(2))
    assert "above the minimum" in commitment_in_words(beyond)
    assert "lines of seats in the period fall short" in commitment_in_words(
        replace(short, item="seats")
    )
