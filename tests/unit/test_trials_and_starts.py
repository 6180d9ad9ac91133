"""Trials that end at another time or with nothing to pay with, and starts in the past."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain import lifecycle
from domain.account import Facts, Outcome
from domain.catalog import read_plan
from domain.commands import Command, Request, Resume, SetTrialEnd
from domain.errors import Conflict, Invalid
from domain.plans import Plan
from domain.subscription import Phase, Subscription
from tests.makings import BASE, FEB, JAN, MAR, day, facts, plan, subscription

PRO = plan(BASE)
TWO_WEEKS = {"unit": "day", "count": 14}


def trial_plan(policy: str = "continue") -> Plan:
    return plan(BASE, key="trial", trial=TWO_WEEKS, trial_without_payment_method=policy)


def knowing(of: Plan, has_payment_method: bool = True) -> Facts:
    known = facts(of)
    customer = replace(known.customer, has_payment_method=has_payment_method)
    return replace(known, customer=customer)


def in_trial(of: Plan) -> Subscription:
    return lifecycle.begin(knowing(of), subscription(of), JAN).subscription


def asked(of: Plan, living: Subscription, command: Command, at: datetime) -> Outcome:
    return lifecycle.carry_out(knowing(of), living, Request("r1", command), at)


def totals(outcome: Outcome) -> list[tuple[str, int]]:
    return [(invoice.name, invoice.total.minor) for invoice in outcome.invoices]


@pytest.mark.parametrize("end", [day(10), day(20), day(14)])
def test_a_trial_ends_when_it_is_told_to(end: datetime) -> None:
    of = trial_plan()
    moved = asked(of, in_trial(of), SetTrialEnd(end), day(5)).subscription
    assert (moved.status, moved.trial_end) == ("trialing", end)
    begun = lifecycle.begin(knowing(of), moved, end).subscription
    assert begun.period is not None
    assert (begun.status, begun.period.start) == ("active", end)


def test_a_trial_ended_now_is_charged_at_once() -> None:
    of = trial_plan()
    ended = asked(of, in_trial(of), SetTrialEnd(), day(5))
    assert ended.subscription.status == "active"
    assert ended.subscription.request_ids == ("r1",)
    assert len(ended.invoices) == 1
    assert ended.invoices[0].issued_at == day(5)


@pytest.mark.parametrize(("living", "command", "why"), [
    (in_trial(PRO), SetTrialEnd(day(9)), "is active: it is not in a trial"),
    (in_trial(PRO), SetTrialEnd(), "is active: it is not in a trial"),
    (subscription(PRO), SetTrialEnd(), "its trial has not begun"),
])  # fmt: skip
def test_there_is_no_trial_to_end(living: Subscription, command: Command, why: str) -> None:
    with pytest.raises(Conflict, match=why):
        lifecycle.check(living, command, day(5))


def test_a_trial_is_not_ended_in_the_past() -> None:
    with pytest.raises(Invalid) as refused:
        lifecycle.check(in_trial(trial_plan()), SetTrialEnd(day(4)), day(5))
    assert [fault.path for fault in refused.value.faults] == ["trial_end"]


def test_a_trial_that_was_asked_for_is_in_the_place_of_the_plans() -> None:
    for of in (PRO, trial_plan()):
        wanted = replace(subscription(of), trial_end=day(3))
        begun = lifecycle.begin(knowing(of), wanted, JAN).subscription
        assert (begun.status, begun.trial_end) == ("trialing", day(3))


def test_a_trial_that_ends_at_the_start_is_none() -> None:
    of = trial_plan()
    begun = lifecycle.begin(knowing(of), replace(subscription(of), trial_end=JAN), JAN)
    assert begun.subscription.status == "active"
    assert len(begun.invoices) == 1


@pytest.mark.parametrize(("policy", "status", "invoices"), [
    ("continue", "active", 1), ("pause", "paused", 0), ("cancel", "cancelled", 0),
])  # fmt: skip
def test_a_trial_that_ends_with_nothing_to_pay_with(
    policy: str, status: str, invoices: int
) -> None:
    of = trial_plan(policy)
    over = lifecycle.begin(knowing(of, has_payment_method=False), in_trial(of), day(15))
    assert (over.subscription.status, len(over.invoices)) == (status, invoices)
    paid_for = lifecycle.begin(knowing(of), in_trial(of), day(15))
    assert (paid_for.subscription.status, len(paid_for.invoices)) == ("active", 1)


def test_what_a_trial_was_paused_for_is_charged_from_the_resume_on() -> None:
    of = trial_plan("pause")
    end = day(15)
    paused = lifecycle.begin(knowing(of, False), in_trial(of), end).subscription
    assert (paused.paused_at, paused.charged_from) == (end, None)
    resumed = asked(of, paused, Resume(), end + timedelta(days=1))
    assert resumed.subscription.charged_from == end + timedelta(days=1)
    assert [line.kind for line in resumed.invoices[0].lines] == ["proration"]


def test_a_policy_on_trials_is_for_plans_with_one() -> None:
    document: dict[str, Any] = {
        "key": "p",
        "currency": "USD",
        "interval": {"unit": "month"},
        "trial_without_payment_method": "cancel",
    }
    with pytest.raises(Invalid) as refused:
        read_plan(document)
    assert [fault.path for fault in refused.value.faults] == ["trial_without_payment_method"]


def test_periods_of_a_start_in_the_past_are_billed_now_the_oldest_first() -> None:
    now, known = MAR + timedelta(days=4), knowing(PRO)
    living = lifecycle.new_subscription(
        id="s1", key="s1", customer=known.customer, plan=PRO, at=JAN, quantities={}, now=now
    )
    issued = []
    while (due := living.next_due()) is not None and due.at <= now:
        assert (due.at, due.phase) == (now, Phase.ARRIVED)
        step = lifecycle.begin if due.reason == "start" else lifecycle.end_period
        outcome = step(known, living, due.at)
        issued += [(invoice.name, invoice.issued_at) for invoice in outcome.invoices]
        living = outcome.subscription
    starts = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")
    assert issued == [(f"invoice:s1:{start}", now) for start in starts]
    assert living.period is not None
    assert living.period.start == MAR


def test_credits_of_past_periods_pay_for_these_and_expire_now() -> None:
    credit = {"key": "gift", "amount": "1", "expires_after": {"unit": "month"}}
    of = plan(BASE, key="gifts", credits=[credit])
    now = FEB + timedelta(days=4)
    past = replace(subscription(of), created_at=now)
    begun = lifecycle.begin(knowing(of), past, now)
    assert begun.invoices[0].promotional.minor == 100
    expiry = [due for due in begun.subscription._dues() if due.reason == "grant_expiry"]
    assert [(due.at, due.phase) for due in expiry] == [(now, Phase.EXPIRIES)]


def test_a_start_too_long_ago_is_refused() -> None:
    daily, customer = plan(BASE, key="daily", interval={"unit": "day"}), facts(PRO).customer

    def started(days: int) -> Subscription:
        return lifecycle.new_subscription(
            id="s1",
            key="s1",
            customer=customer,
            plan=daily,
            at=JAN,
            quantities={},
            now=JAN + timedelta(days=days),
        )

    assert started(399).created_at == JAN + timedelta(days=399)
    with pytest.raises(Invalid) as refused:
        started(400)
    assert [fault.path for fault in refused.value.faults] == ["starts_at"]
