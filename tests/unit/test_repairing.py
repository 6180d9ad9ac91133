"""What is missing, wrong, an orphan, or best left alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.dunning import Answer, Collection, answered, customer_acted
from domain.money import Money
from domain.repairing import Seen, Standing, Verdict, judge, same

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
OWED = Collection("inv_1", "cus_1", Money(2000, "USD"), JANUARY, next_attempt_at=JANUARY)
NOT_RUNNING = Seen(runs=False)
AGREES = Seen(runs=True)
CALLS = Seen(runs=True, calls=True)
DIFFERS = Seen(runs=True, agrees=False)
CALLS_AND_DIFFERS = Seen(runs=True, agrees=False, calls=True)
DIFFERS_FOR_NOW = Seen(runs=True, agrees=False, moves=True)
SAYS_NOTHING = Seen(runs=True, agrees=None)


@pytest.mark.parametrize(
    ("standing", "seen", "verdict"),
    [
        ("goes_on", NOT_RUNNING, "missing"),
        ("goes_on", AGREES, "well"),
        ("goes_on", CALLS, "waits"),
        ("goes_on", DIFFERS, "wrong"),
        ("goes_on", CALLS_AND_DIFFERS, "wrong"),  # its steps were refused because it is wrong
        ("goes_on", DIFFERS_FOR_NOW, "moving"),
        ("goes_on", SAYS_NOTHING, "silent"),
        ("over", NOT_RUNNING, "well"),
        ("over", AGREES, "well"),  # it answers whoever waits there, and ends
        ("over", CALLS, "waits"),
        ("over", DIFFERS, "wrong"),
        ("over", DIFFERS_FOR_NOW, "moving"),
        ("unknown", NOT_RUNNING, "well"),
        ("unknown", AGREES, "orphan"),
        ("unknown", SAYS_NOTHING, "orphan"),
    ],
)
def test_what_is_to_be_done(standing: Standing, seen: Seen, verdict: Verdict) -> None:
    assert judge(standing, seen) == verdict


def test_a_life_is_the_same_where_its_state_is() -> None:
    declined = answered(OWED, Answer("failed", JANUARY, "insufficient_funds"))
    assert same(declined, replace(declined))
    assert not same(OWED, declined)
    assert not same(declined, OWED)


def test_the_wish_to_pay_is_no_difference() -> None:
    refused = answered(OWED, Answer("failed", JANUARY, "stolen_card"))
    wished = customer_acted(refused, JANUARY + timedelta(days=1), new_method=True)
    assert wished != refused
    assert same(refused, wished)
    assert not same(OWED, wished)
