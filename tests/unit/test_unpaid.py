"""What payments do to a subscription: which it hears of, and what follows."""

from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from typing import Any

import pytest

from domain import ledger, lifecycle
from domain.account import Facts, Outcome
from domain.changing.unpaid import noted
from domain.commands import (
    Became,
    Cancel,
    ChargeOnce,
    Command,
    NotePayment,
    Pause,
    Request,
    Resume,
    SetQuantity,
    Withdraw,
)
from domain.dunning import CollectionStatus
from domain.errors import Conflict
from domain.invoices import AppliedCredit
from domain.plans import Plan
from domain.scenarios.scenario import read_scenario
from domain.simulation.run import simulate
from domain.subscription import Subscription
from tests.makings import BASE, CALLS, FEB, JAN, day, facts, plan, subscription, usd

F1 = Fraction(1)
FIRST = "invoice:s1:2026-01-01T00:00:00Z"
OTHER = "invoice:s1:2026-02-01T00:00:00Z"
SUSPENDS = plan(on_past_due="suspend")
PAUSES = plan(on_uncollectible="pause")
CANCELS = plan(on_uncollectible="cancel")
PLAIN = plan()
GATED = plan(
    BASE, activation="first_payment", credits=[{"key": "c", "amount": "5.00", "every_period": True}]
)


def began(of: Plan, **members: Any) -> Outcome:
    return lifecycle.begin(facts(of), subscription(of, **members), JAN)


def hears(
    of: Plan, living: Subscription, became: Became, at: datetime = day(5), invoice: str = FIRST
) -> Outcome:
    request = Request(f"payment:{invoice}:{became}", NotePayment(invoice, became))
    return lifecycle.carry_out(known(of, living, request.command, at), living, request, at)


def known(of: Plan, living: Subscription, command: Command, at: datetime) -> Facts:
    assert lifecycle.needs(living, command, facts(of), at) == ()
    return facts(of)


@pytest.mark.parametrize(("of", "before", "became", "told"), [
    (PLAIN, "open", "past_due", None),
    (PLAIN, "past_due", "uncollectible", None),
    (PLAIN, "past_due", "paid", None),
    (SUSPENDS, "open", "paid", None),
    (SUSPENDS, "open", "void", None),
    (SUSPENDS, "open", "past_due", "past_due"),
    (SUSPENDS, "past_due", "paid", "paid"),
    (SUSPENDS, "past_due", "void", "void"),
    (SUSPENDS, "past_due", "uncollectible", None),
    (SUSPENDS, "open", "uncollectible", "past_due"),
    (SUSPENDS, "uncollectible", "paid", "paid"),
    (PAUSES, "open", "past_due", "past_due"),
    (PAUSES, "past_due", "uncollectible", "uncollectible"),
    (PAUSES, "uncollectible", "paid", "paid"),
    (CANCELS, "open", "uncollectible", "uncollectible"),
])  # fmt: skip
def test_a_subscription_hears_what_its_plan_minds(
    of: Plan, before: CollectionStatus, became: CollectionStatus, told: Became | None
) -> None:
    living = began(of).subscription
    assert noted(of, living, FIRST, before, became) == told
    assert noted(of, replace(living, status="cancelled"), FIRST, before, became) is None


@pytest.mark.parametrize(("became", "told"), [
    ("past_due", None),
    ("paid", "paid"),
    ("uncollectible", "uncollectible"),
    ("void", "void"),
])  # fmt: skip
def test_an_incomplete_one_hears_how_its_first_invoice_ends(
    became: CollectionStatus, told: Became | None
) -> None:
    waiting = began(GATED).subscription
    assert noted(GATED, waiting, FIRST, "open", became) == told
    assert noted(GATED, waiting, OTHER, "open", became) is None


def test_what_was_listed_is_heard_of_whatever_the_plan_says_by_now() -> None:
    living = replace(began(PLAIN).subscription, past_due=(FIRST,))
    assert noted(PLAIN, living, FIRST, "past_due", "paid") == "paid"


def test_the_first_payment_gates_what_is_bought() -> None:
    brought = began(GATED)
    waiting = brought.subscription
    assert (waiting.status, waiting.awaits_payment) == ("incomplete", FIRST)
    assert [(each.name, each.amount_due) for each in brought.invoices] == [(FIRST, usd("20"))]
    assert brought.grants == ()
    assert waiting.next_due() is None


def test_paid_it_is_active_with_its_credits_and_does_what_was_due() -> None:
    paid = hears(GATED, began(GATED).subscription, "paid", at=FEB.replace(day=3))
    active = paid.subscription
    assert (active.status, active.awaits_payment) == ("active", None)
    assert [(each.key, each.granted_at, each.effective_at) for each in paid.grants] == [("c", FEB.replace(day=3), JAN)]  # fmt: skip
    assert [each.movement for each in paid.transactions] == ["grant"]
    due = active.next_due()
    assert due is not None
    assert (due.reason, due.at) == ("period_end", FEB.replace(day=3))
    renewed = lifecycle.end_period(facts(GATED), active, due.at)
    assert [each.issued_at for each in renewed.invoices] == [FEB.replace(day=3)]


@pytest.mark.parametrize(("became", "voids"), [("uncollectible", (FIRST,)), ("void", ())])
def test_given_up_it_ends_and_owes_nothing(became: Became, voids: tuple[str, ...]) -> None:
    over = hears(GATED, began(GATED).subscription, became)
    assert over == Outcome(over.subscription, voids=voids)
    assert (over.subscription.status, over.subscription.ended_at) == ("cancelled", day(5))
    assert over.subscription.next_due() is None


def test_nothing_due_activates_at_once() -> None:
    free = plan({**BASE, "price": {"model": "flat", "amount": "0"}}, CALLS, activation="first_payment", credits=[{"key": "c", "amount": "5.00"}])  # fmt: skip
    begun = began(free)
    assert begun.subscription.status == "active"
    assert [invoice.status for invoice in begun.invoices] == ["paid"]
    assert [each.key for each in begun.grants] == ["c"]


@pytest.mark.parametrize(("command", "why"), [
    (Cancel("period_end"), "is incomplete: it can be cancelled immediately"),
    (Pause(), "is incomplete: its first invoice is to be paid before"),
    (Resume(), "is incomplete"),
    (SetQuantity("base", F1), "is incomplete"),
    (ChargeOnce("k", "d", F1), "is incomplete"),
    (Withdraw("x"), "is incomplete"),
])  # fmt: skip
def test_an_incomplete_one_is_paid_or_left(command: Command, why: str) -> None:
    with pytest.raises(Conflict, match=why):
        lifecycle.check(began(GATED).subscription, command, JAN)


def test_left_it_takes_its_invoice_back() -> None:
    asked = Request("r1", Cancel("immediately"))
    over = lifecycle.carry_out(facts(GATED), began(GATED).subscription, asked, day(2))
    assert (over.subscription.status, over.voids, over.invoices) == ("cancelled", (FIRST,), ())


def test_what_is_past_due_is_listed_until_it_is_settled() -> None:
    listed = hears(SUSPENDS, began(SUSPENDS).subscription, "past_due").subscription
    both = hears(SUSPENDS, listed, "past_due", invoice=OTHER).subscription
    assert both.past_due == (FIRST, OTHER)
    assert hears(SUSPENDS, both, "paid").subscription.past_due == (OTHER,)
    assert hears(SUSPENDS, both, "void", invoice=OTHER).subscription.past_due == (FIRST,)


def test_heard_of_in_the_wrong_order_what_is_paid_stays_paid() -> None:
    paid = hears(PAUSES, began(PAUSES).subscription, "paid").subscription
    for late in ("past_due", "uncollectible"):
        after = hears(PAUSES, paid, late).subscription
        assert (after.status, after.past_due) == ("active", ())


def test_given_up_it_is_paused_until_that_invoice_is_paid() -> None:
    paused = hears(PAUSES, began(PAUSES).subscription, "uncollectible", at=day(9)).subscription
    assert (paused.status, paused.paused_at, paused.paused_for) == ("paused", day(9), FIRST)
    other = hears(PAUSES, paused, "paid", at=day(10), invoice=OTHER).subscription
    assert other.status == "paused"
    resumed = hears(PAUSES, other, "paid", at=day(12)).subscription
    assert (resumed.status, resumed.paused_for) == ("active", None)
    assert [(each.start, each.end) for each in resumed.pauses] == [(day(9), day(12))]


def test_a_pause_that_was_asked_for_is_not_ended_by_a_payment() -> None:
    living = began(PAUSES).subscription
    asked = lifecycle.carry_out(facts(PAUSES), living, Request("r1", Pause()), day(2)).subscription
    given_up = hears(PAUSES, asked, "uncollectible").subscription
    assert hears(PAUSES, given_up, "paid").subscription.status == "paused"


def test_resumed_by_hand_it_is_not_resumed_again() -> None:
    paused = hears(PAUSES, began(PAUSES).subscription, "uncollectible").subscription
    resumed = lifecycle.carry_out(facts(PAUSES), paused, Request("r1", Resume()), day(7))
    assert resumed.subscription.paused_for is None
    assert hears(PAUSES, resumed.subscription, "paid", at=day(8)).subscription.status == "active"


def test_given_up_it_is_cancelled_and_nothing_is_credited() -> None:
    over = hears(CANCELS, began(CANCELS).subscription, "uncollectible")
    assert (over.subscription.status, over.credit_notes, over.voids) == ("cancelled", (), ())


@pytest.mark.parametrize(("of", "became", "closes"), [
    (SUSPENDS, "past_due", False),
    (SUSPENDS, "paid", False),
    (PAUSES, "uncollectible", True),
])  # fmt: skip
def test_only_what_changes_bills_closes_a_period_in_its_grace(
    of: Plan, became: Became, closes: bool
) -> None:
    living = began(of).subscription
    command = NotePayment(FIRST, became)
    assert lifecycle.closes_before(living, command, FEB.replace(day=2)) is closes
    paused = replace(living, paused_for=FIRST)
    assert lifecycle.closes_before(paused, command, FEB.replace(day=2)) is True


def test_what_credits_paid_goes_back_but_to_grants_that_lapsed() -> None:
    (invoice,) = began(GATED).invoices
    credits = (
        AppliedCredit("promotional", "g1", usd("3")),
        AppliedCredit("promotional", "g2", usd("2")),
        AppliedCredit("credit_note", "n1", usd("1")),
        AppliedCredit("prepaid", "g3", usd("4")),
    )
    paid = replace(invoice, credits=credits, promotional=usd("5"), total=usd("15"))
    movements = (
        *ledger.invoice_issued(paid),
        *ledger.invoice_taken_back(paid, day(9), lapsed={"g2", "g3"}),
    )
    left = {
        account: str(ledger.balance(movements, account, "USD"))
        for account in ("receivable:acme", "revenue", "credits:g1", "credits:g2", "credits:g3", "credit_notes:acme", "promotions", "breakage")
    }  # fmt: skip
    assert left == {
        "receivable:acme": "0.00",
        "revenue": "0.00",
        "credits:g1": "0.00",
        "credits:g2": "2.00",
        "credits:g3": "4.00",
        "credit_notes:acme": "0.00",
        "promotions": "-2.00",
        "breakage": "-4.00",
    }


def test_a_payment_that_waits_for_a_customer_who_left_is_given_up() -> None:
    document: Any = simulate(
        read_scenario(
            {
                "currency": "USD",
                "plans": [{"key": "pro", "interval": {"unit": "month"}, "items": [BASE], "activation": "first_payment"}],
                "customers": [{"key": "acme", "payment": {"outcomes": ["requires_action"]}}],
                "timeline": [
                    {"at": "2026-01-01T00:00:00Z", "subscribe": {"key": "s1", "customer": "acme", "plan": "pro"}},
                    {"at": "2026-01-02T00:00:00Z", "cancel": {"subscription": "s1", "effective": "immediately"}},
                ],
                "until": "2026-02-02T00:00:00Z",
            }
        )
    )  # fmt: skip
    (invoice,), (payment,) = document["invoices"], document["payments"]
    assert (invoice["status"], invoice["amount_paid"]) == ("void", "0.00")
    assert (payment["status"], payment["failure_code"]) == ("failed", "canceled")
