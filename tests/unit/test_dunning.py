"""What each answer of the provider makes of an invoice's collection, and when it is tried again."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from domain.charges import Charge
from domain.credits import TopUpOrder
from domain.dunning import (
    CONFIRMED_WITHIN,
    HARD_DECLINES,
    NOT_CONFIRMED,
    Answer,
    AttemptStatus,
    Collection,
    answered,
    begin_collection,
    closed,
    customer_acted,
    is_wanted,
    taken_back,
)
from domain.invoicing import Bill, issue
from domain.subscription import Phase
from domain.topups import top_up_invoice
from tests.makings import ACME, JAN, charge, day, usd


def collection(*charges: Charge) -> Collection:
    issued = issue(Bill("invoice:1", "s1", ACME, "USD", JAN, JAN, charges or (charge("20"),)))
    assert issued is not None
    return begin_collection(issued.invoice, "inv_1", "env_1", "clock_1")


def top_up() -> Collection:
    order = TopUpOrder("t1", "acme", usd("50").exact)
    return begin_collection(top_up_invoice(order, ACME, "USD", JAN, "topup:t1").invoice, "inv_2")


def told(
    of: Collection, status: AttemptStatus, at: datetime, code: str | None = None
) -> Collection:
    return answered(of, Answer(status, at, code))


def declined(of: Collection, at: datetime, code: str = "insufficient_funds") -> Collection:
    return told(of, "failed", at, code)


def test_an_invoice_is_attempted_as_soon_as_it_is_issued() -> None:
    begun = collection()
    assert (begun.next_attempt_at, begun.next_phase) == (JAN, Phase.ARRIVED)
    assert (begun.amount_due, begun.status, begun.purpose) == (usd("20"), "open", "invoice")
    assert (begun.invoice, begun.environment, begun.test_clock) == ("inv_1", "env_1", "clock_1")


def test_success_ends_it() -> None:
    paid = told(collection(), "succeeded", JAN)
    assert (paid.status, paid.attempts, paid.next_attempt_at) == ("paid", 1, None)


def test_declines_are_retried_3_5_and_7_days_after_the_first_attempt() -> None:
    due, seen = collection(), []
    for attempt in range(1, 5):
        assert due.next_attempt_at is not None
        due = declined(due, due.next_attempt_at)
        seen.append((due.attempts, due.status, due.next_attempt_at, due.next_phase))
        assert due.attempts == attempt
    assert seen == [
        (1, "past_due", day(4), Phase.ATTEMPTS),
        (2, "past_due", day(6), Phase.ATTEMPTS),
        (3, "past_due", day(8), Phase.ATTEMPTS),
        (4, "uncollectible", None, Phase.ATTEMPTS),
    ]


@pytest.mark.parametrize("code", sorted(HARD_DECLINES))
def test_a_hard_decline_waits_for_a_new_method(code: str) -> None:
    refused = declined(collection(), JAN, code)
    assert (refused.status, refused.next_attempt_at, refused.awaiting) == (
        "past_due",
        None,
        "method",
    )
    assert customer_acted(refused, day(2), new_method=False) == refused
    again = customer_acted(refused, day(2), new_method=True)
    assert (again.next_attempt_at, again.next_phase) == (day(2), Phase.ARRIVED)


def test_a_hard_decline_of_a_retry_ends_the_retries() -> None:
    refused = declined(declined(collection(), JAN), day(4), "lost_card")
    assert (refused.status, refused.next_attempt_at, refused.attempts) == ("past_due", None, 2)


def test_an_action_leaves_it_open_until_the_customer_comes() -> None:
    waiting = told(collection(), "requires_action", JAN)
    assert (waiting.status, waiting.awaiting, waiting.next_attempt_at) == ("open", "customer", None)
    acted = customer_acted(waiting, day(9), new_method=False)
    paid = told(acted, "succeeded", day(9))
    assert (acted.next_attempt_at, paid.status, paid.attempts) == (day(9), "paid", 2)


def test_an_action_done_at_the_provider_is_the_same_attempt() -> None:
    paid = told(told(collection(), "requires_action", JAN), "succeeded", day(2))
    assert (paid.status, paid.attempts) == ("paid", 1)


def test_nothing_is_attempted_while_the_provider_is_at_work() -> None:
    working = told(collection(), "processing", JAN)
    assert (working.status, working.awaiting, working.next_attempt_at) == ("open", "provider", None)
    assert customer_acted(working, day(2), new_method=True) == working


def test_the_retries_after_days_of_processing_are_counted_from_its_end() -> None:
    failed = declined(told(collection(), "processing", JAN), day(6))
    assert (failed.attempts, failed.next_attempt_at) == (1, day(9))


def test_an_outage_costs_no_retry() -> None:
    first = declined(collection(), JAN)
    second = declined(first, day(7))  # meant for day 4: the provider was away
    assert second.next_attempt_at == day(7) + timedelta(days=2)


def test_what_the_customer_brings_about_keeps_the_schedule() -> None:
    first = declined(collection(), JAN)
    again = declined(customer_acted(first, day(2), new_method=True), day(2))
    assert (again.attempts, again.next_attempt_at) == (2, day(4))


def test_after_the_last_retry_a_soft_decline_is_the_end() -> None:
    refused = declined(collection(), JAN, "stolen_card")
    late = declined(customer_acted(refused, day(20), new_method=True), day(20))
    assert (late.status, late.next_attempt_at) == ("uncollectible", None)


def test_what_was_given_up_can_still_be_paid() -> None:
    lost = closed(collection(), "uncollectible")
    acted = customer_acted(lost, day(30), new_method=True)
    assert told(acted, "succeeded", day(30)).status == "paid"
    assert declined(acted, day(30)).status == "uncollectible"
    assert declined(acted, day(30), "stolen_card").status == "uncollectible"


def test_a_top_up_is_attempted_without_dunning() -> None:
    assert declined(top_up(), JAN).status == "void"
    assert told(top_up(), "succeeded", JAN).status == "paid"
    assert told(top_up(), "requires_action", JAN).awaiting == "customer"


@pytest.mark.parametrize(
    ("is_automatic", "first", "due"),
    [
        (True, "requires_action", (day(2) + CONFIRMED_WITHIN, Phase.ATTEMPTS)),
        (True, "processing", None),  # the provider is at work on it
        (False, "requires_action", None),  # who asked for it knows
    ],
)
def test_an_automatic_top_up_does_not_wait_for_ever(
    is_automatic: bool, first: AttemptStatus, due: tuple[datetime, Phase] | None
) -> None:
    waiting = told(replace(top_up(), is_automatic=is_automatic), first, day(2))
    assert waiting.due == due


@pytest.mark.parametrize(
    ("status", "at", "wanted"),
    [
        ("requires_action", day(3), True),
        ("requires_action", day(4) - timedelta(microseconds=1), True),
        ("requires_action", day(4), False),
        ("processing", day(4), True),
        ("succeeded", day(4), True),
    ],
)
def test_what_nobody_confirms_is_wanted_until_it_is_given_up(
    status: AttemptStatus, at: datetime, wanted: bool
) -> None:
    waiting = told(replace(top_up(), is_automatic=True), "requires_action", JAN)
    assert is_wanted(waiting, status, at) is wanted
    assert not is_wanted(closed(waiting, "void"), status, at)


@pytest.mark.parametrize(
    ("answer", "code", "status"),
    [("failed", NOT_CONFIRMED, "void"), ("succeeded", None, "paid")],
)
def test_what_is_taken_back_may_have_been_paid_in_that_instant(
    answer: AttemptStatus, code: str | None, status: str
) -> None:
    waiting = told(replace(top_up(), is_automatic=True), "requires_action", JAN)
    ended = taken_back(waiting, Answer(answer, day(4), "canceled" if answer == "failed" else None))
    assert (ended.failure_code, answered(waiting, ended).status) == (code, status)


def test_another_attempt_waits_anew() -> None:
    waiting = told(replace(top_up(), is_automatic=True), "requires_action", JAN)
    again = told(customer_acted(waiting, day(2), new_method=False), "requires_action", day(2))
    assert (again.attempts, again.gives_up_at) == (2, day(2) + CONFIRMED_WITHIN)


@pytest.mark.parametrize("over", ["paid", "void"])
def test_nothing_changes_what_is_over(over: str) -> None:
    ended = closed(collection(), "paid" if over == "paid" else "void")
    assert (ended.next_attempt_at, ended.is_unpaid) == (None, False)
    assert declined(ended, day(2)) == ended
    assert customer_acted(ended, day(2), new_method=True) == ended


def test_settled_by_hand_while_the_customer_is_waited_for() -> None:
    waiting = replace(told(collection(), "requires_action", JAN))
    paid = closed(waiting, "paid")
    assert (paid.status, paid.awaiting, paid.waits_since) == ("paid", "nothing", None)
