"""The steps of a life: what each changes, when it changes nothing, and what is refused. What they bill is told by
the scenarios.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction as F
from typing import Any

import pytest

from domain import lifecycle
from domain.account import Facts, Need, Outcome
from domain.bounds import TOO_LARGE
from domain.calendar import Period
from domain.commands import (
    Cancel,
    ChangePlan,
    ChargeOnce,
    Command,
    Pause,
    Request,
    Resume,
    SetQuantity,
)
from domain.errors import Conflict, Invalid, Rejected
from domain.plans import Plan
from domain.pricing.usage import Quantity
from domain.subscription import GrantTimer, Phase, QuantityChange, Subscription
from tests.makings import (
    BASE,
    CALLS,
    FEB,
    FEBRUARY,
    JAN,
    JANUARY,
    MAR,
    SEATS,
    day,
    facts,
    plan,
    subscription,
)

PRO = plan(BASE, SEATS, CALLS)
FREE = plan(BASE, key="free")
EURO = plan(BASE, key="euro", currency="EUR")
TRIAL = plan(BASE, key="trial", trial={"unit": "day", "count": 14})
YEARLY = plan(BASE, key="yearly", interval={"unit": "year"})
GRACE = plan(BASE, key="grace", invoice_grace={"unit": "hour", "count": 6})
PLANS = (PRO, FREE, EURO, TRIAL, YEARLY, GRACE)


def knowing(living: Subscription, step: lifecycle.Step, at: datetime, used: int = 0) -> Facts:
    """Facts in which every window has the same usage."""
    known = facts(*PLANS)
    needs = lifecycle.needs(living, step, known, at)
    return replace(known, usage={need: Quantity(F(used)) for need in needs})


def started(of: Plan = PRO) -> Subscription:
    scheduled = subscription(of)
    return lifecycle.begin(knowing(scheduled, "start", JAN), scheduled, JAN).subscription


def asked(living: Subscription, command: Command, at: datetime, id: str = "r1") -> Outcome:
    request = Request(id, command)
    return lifecycle.carry_out(knowing(living, command, at), living, request, at)


def closed(living: Subscription, at: datetime, used: int = 0) -> Outcome:
    return lifecycle.end_period(knowing(living, "period_end", at, used), living, at)


def totals(outcome: Outcome) -> list[tuple[str, str]]:
    return [(invoice.name, str(invoice.total)) for invoice in outcome.invoices]


def test_a_new_subscription_waits_for_its_start() -> None:
    scheduled = subscription(PRO)
    due = scheduled.next_due()
    assert due is not None
    assert (scheduled.status, due.at, due.phase, due.reason) == (
        "scheduled",
        JAN,
        Phase.ARRIVED,
        "start",
    )
    early = JAN - timedelta(seconds=1)
    assert lifecycle.begin(facts(PRO), scheduled, early).subscription == scheduled


def test_the_start_charges_the_first_period() -> None:
    scheduled = subscription(PRO)
    outcome = lifecycle.begin(facts(PRO), scheduled, JAN)
    begun = outcome.subscription
    assert totals(outcome) == [("invoice:s1:2026-01-01T00:00:00Z", "50.00")]
    assert (begun.status, begun.period, begun.usage_from, begun.charged_from) == (
        "active",
        JANUARY,
        JAN,
        JAN,
    )
    assert lifecycle.begin(facts(PRO), begun, JAN) == Outcome(begun)  # begun already


def test_a_start_that_is_late_begins_where_it_was_meant_to() -> None:
    outcome = lifecycle.begin(facts(PRO), subscription(PRO), day(3))
    assert outcome.subscription.period == JANUARY


def test_a_trial_bills_nothing_and_ends_in_the_first_period() -> None:
    outcome = lifecycle.begin(facts(TRIAL), subscription(TRIAL), JAN)
    trialing = outcome.subscription
    due = trialing.next_due()
    assert (outcome.invoices, trialing.status, trialing.period) == ((), "trialing", None)
    assert due is not None
    assert (due.at, due.reason) == (day(15), "trial_end")
    assert lifecycle.begin(facts(TRIAL), trialing, day(14)) == Outcome(trialing)
    first = lifecycle.begin(facts(TRIAL), trialing, day(15))
    assert first.subscription.period == Period(day(15), datetime(2026, 2, 15, tzinfo=JAN.tzinfo))
    assert totals(first) == [("invoice:s1:2026-01-15T00:00:00Z", "20.00")]


def test_the_end_of_a_period_bills_and_renews() -> None:
    outcome = closed(started(), FEB, used=7)
    renewed = outcome.subscription
    assert totals(outcome) == [("invoice:s1:2026-02-01T00:00:00Z", "57.00")]
    assert (renewed.period, renewed.period_index) == (FEBRUARY, 1)
    (billed,) = outcome.billed
    assert (billed.item, billed.window, billed.quantity, billed.exact_amount) == (
        "calls",
        JANUARY,
        F(7),
        F(7),
    )


def test_a_window_without_usage_is_closed_too() -> None:
    (billed,) = closed(started(), FEB).billed
    assert (billed.quantity, billed.exact_amount) == (F(0), F(0))


def test_a_period_is_not_closed_before_its_end_nor_twice() -> None:
    living = started()
    assert lifecycle.end_period(facts(PRO), living, day(31)) == Outcome(living)
    renewed = closed(living, FEB).subscription
    assert lifecycle.end_period(facts(PRO), renewed, FEB) == Outcome(renewed)


def test_a_grace_puts_the_invoice_off_and_not_the_period() -> None:
    living = started(GRACE)
    due = living.next_due()
    assert due is not None
    assert due.at == FEB + timedelta(hours=6)
    outcome = closed(living, due.at)
    assert (outcome.subscription.period, outcome.invoices[0].issued_at) == (FEBRUARY, due.at)
    assert outcome.invoices[0].name == "invoice:s1:2026-02-01T00:00:00Z"


def test_within_the_grace_the_period_is_closed_before_anything_is_done() -> None:
    living, within = started(GRACE), FEB + timedelta(hours=1)
    assert living.is_past_its_period(within)
    with pytest.raises(Conflict, match="not invoiced yet"):
        asked(living, Pause(), within)
    renewed = closed(living, within).subscription
    assert asked(renewed, Pause(), within).subscription.status == "paused"


def test_a_life_that_ends_bills_its_last_arrears() -> None:
    ending = asked(started(), Cancel("period_end"), day(10)).subscription
    outcome = closed(ending, FEB, used=3)
    assert totals(outcome) == [("invoice:s1:2026-02-01T00:00:00Z", "3.00")]
    assert (outcome.subscription.status, outcome.subscription.ended_at) == ("cancelled", FEB)
    assert outcome.subscription.next_due() is None


def test_a_request_is_carried_out_once() -> None:
    first = asked(started(), SetQuantity("seats", F(5)), day(10))
    again = asked(first.subscription, SetQuantity("seats", F(5)), day(11))
    assert again == Outcome(first.subscription)
    other = asked(first.subscription, SetQuantity("seats", F(6)), day(11), "r2")
    assert other.subscription.request_ids == ("r1", "r2")


def test_the_last_fifty_requests_are_remembered() -> None:
    living = started()
    for number in range(60):
        living = asked(living, SetQuantity("seats", F(number)), day(10), f"r{number}").subscription
    assert living.request_ids == tuple(f"r{number}" for number in range(10, 60))


def test_what_was_done_at_the_end_is_remembered_too() -> None:
    ended = asked(started(), Cancel("immediately"), day(10)).subscription
    assert asked(ended, Cancel("immediately"), day(11)) == Outcome(ended)


def test_a_quantity_changes_from_now_on() -> None:
    changed = asked(started(), SetQuantity("seats", F(8)), day(16)).subscription
    assert changed.quantities == {"seats": 8}
    assert changed.quantity_changes == (QuantityChange("seats", day(16), F(3), F(8)),)
    same = asked(started(), SetQuantity("seats", F(3)), day(16)).subscription
    assert same.quantity_changes == ()
    billed = closed(changed, FEB).subscription
    assert (billed.quantities, billed.quantity_changes) == ({"seats": F(8)}, ())


def test_a_quantity_changes_before_the_start_without_proration() -> None:
    changed = asked(subscription(PRO), SetQuantity("seats", F(8)), JAN).subscription
    assert (changed.quantities, changed.quantity_changes) == ({"seats": F(8)}, ())


def test_another_plan_keeps_the_quantities_of_shared_items() -> None:
    living = asked(started(), SetQuantity("seats", F(8)), day(10)).subscription
    moved = asked(living, ChangePlan(FREE.ref, "immediately"), day(11), "r2").subscription
    assert (moved.plan, moved.quantities) == (FREE.ref, {})
    assert (moved.period, moved.usage_from, moved.charged_from) == (JANUARY, day(11), day(11))


def test_another_plan_at_the_periods_end() -> None:
    waiting = asked(started(), ChangePlan(FREE.ref, "period_end"), day(11)).subscription
    assert (waiting.plan, waiting.next_plan) == (PRO.ref, FREE.ref)
    renewed = closed(waiting, FEB).subscription
    assert (renewed.plan, renewed.next_plan, renewed.period) == (FREE.ref, None, FEBRUARY)


def test_a_later_immediate_change_overrules_the_one_at_the_end() -> None:
    waiting = asked(started(), ChangePlan(FREE.ref, "period_end"), day(11)).subscription
    moved = asked(waiting, ChangePlan(YEARLY.ref, "immediately"), day(12), "r2").subscription
    assert (moved.plan, moved.next_plan, moved.cycle.interval.unit) == (YEARLY.ref, None, "year")


def test_a_change_in_the_trial_bills_nothing_and_keeps_it() -> None:
    trialing = lifecycle.begin(facts(TRIAL), subscription(TRIAL), JAN).subscription
    outcome = asked(trialing, ChangePlan(FREE.ref, "immediately"), day(3))
    assert (outcome.invoices, outcome.subscription.trial_end) == ((), day(15))
    first = lifecycle.begin(facts(*PLANS), outcome.subscription, day(15)).subscription
    assert (first.plan, first.status) == (FREE.ref, "active")


def test_a_pause_is_remembered_until_its_windows_are_closed() -> None:
    paused = asked(started(), Pause(), day(10)).subscription
    resumed = asked(paused, Resume(), day(20), "r2").subscription
    assert (paused.status, paused.paused_at) == ("paused", day(10))
    assert (resumed.status, resumed.pauses) == ("active", (Period(day(10), day(20)),))
    (need,) = lifecycle.needs(resumed, "period_end", facts(*PLANS), FEB)
    assert need == Need("calls", "calls", JANUARY, (Period(day(10), day(20)),))
    assert closed(resumed, FEB).subscription.pauses == ()


def test_a_pause_that_goes_on_leaves_out_the_rest_of_the_window() -> None:
    paused = asked(started(), Pause(), day(10)).subscription
    (need,) = lifecycle.needs(paused, "period_end", facts(*PLANS), FEB)
    assert need.without == (Period(day(10), FEB),)
    renewed = closed(paused, FEB).subscription
    assert (renewed.status, renewed.charged_from, renewed.period) == ("paused", None, FEBRUARY)


def test_grants_are_watched_until_they_expire() -> None:
    watching = replace(started(), grants=(GrantTimer("g1", day(20)),))
    due = watching.next_due()
    assert due is not None
    assert (watching.grants, due.at, due.phase, due.grant) == (
        (GrantTimer("g1", day(20)),),
        day(20),
        Phase.EXPIRIES,
        "g1",
    )
    assert lifecycle.grant_expired(watching, "g1").grants == ()


def test_a_one_off_charge_waits_for_the_next_invoice() -> None:
    charged = asked(started(), ChargeOnce("setup", "Set-up", F(5)), day(10)).subscription
    outcome = closed(charged, FEB)
    assert [(line.kind, str(line.amount)) for line in outcome.invoices[0].lines][-1] == (
        "one_off",
        "5.00",
    )
    assert outcome.subscription.one_off_charges == ()


def test_the_plans_credits_are_granted_and_watched_each_period() -> None:
    month = {"unit": "month"}
    giving = plan(
        BASE,
        credits=[
            {"key": "monthly", "amount": "5", "expires_after": month},
            {"key": "welcome", "amount": "9", "every_period": False},
        ],
    )
    first = lifecycle.begin(facts(giving), subscription(giving), JAN)
    second = lifecycle.end_period(facts(giving), first.subscription, FEB)
    assert [(g.key, g.effective_at, g.expires_at) for g in first.grants] == [
        ("monthly", JAN, FEB),
        ("welcome", JAN, None),
    ]
    assert [(g.key, g.effective_at, g.expires_at) for g in second.grants] == [("monthly", FEB, MAR)]
    watched = [timer.expires_at for timer in second.subscription.grants]
    assert watched == [FEB, MAR]
    assert len({g.id for g in (*first.grants, *second.grants)}) == 3


def test_usage_in_advance_is_billed_as_it_comes() -> None:
    metered = plan({**CALLS, "charged": "in_advance"})
    living = lifecycle.begin(facts(metered), subscription(metered), JAN).subscription
    known = facts(metered)
    (need,) = lifecycle.needs(living, "advance_usage", known, day(5))
    outcome = lifecycle.charge_usage(
        replace(known, usage={need: Quantity(F(2))}), living, day(5), "invoice:s1:usage:e1"
    )
    assert (need.window, totals(outcome)) == (JANUARY, [("invoice:s1:usage:e1", "2.00")])


def test_late_usage_is_invoiced_alone_only_when_the_life_is_over() -> None:
    living = started()
    assert lifecycle.bill_late_usage(facts(PRO), living, FEB, "n") == Outcome(living)
    (billed,) = closed(living, FEB, used=7).billed
    ended = asked(living, Cancel("immediately"), day(10)).subscription
    known = replace(facts(PRO), billed=(billed,))
    (need,) = lifecycle.needs(ended, "late_usage", known, MAR)
    known = replace(known, usage={need: Quantity(F(9))})
    outcome = lifecycle.bill_late_usage(known, ended, MAR, "invoice:s1:late:e9")
    assert totals(outcome) == [("invoice:s1:late:e9", "2.00")]
    assert [each.quantity for each in outcome.billed] == [9]
    same = replace(known, billed=outcome.billed)
    assert lifecycle.bill_late_usage(same, ended, MAR, "again").invoices == ()


TRIALING = lifecycle.begin(facts(TRIAL), subscription(TRIAL), JAN).subscription
ACTIVE = started()
PAUSED = asked(ACTIVE, Pause(), day(2)).subscription
ENDING = asked(ACTIVE, Cancel("period_end"), day(2)).subscription
OVER = asked(ACTIVE, Cancel("immediately"), day(2)).subscription


@pytest.mark.parametrize(("living", "command", "expected"), [
    (OVER, Cancel("immediately"), Conflict("s1 is cancelled")),
    (OVER, SetQuantity("seats", F(1)), Conflict("s1 is cancelled")),
    (PAUSED, Pause(), Conflict("s1 is paused already")),
    (TRIALING, Pause(), Conflict("s1 is trialing: only a paid period is paused")),
    (ACTIVE, Resume(), Conflict("s1 is not paused")),
    (ACTIVE, ChangePlan(PRO.ref, "immediately"), Conflict("s1 is on pro already")),
    (ACTIVE, ChangePlan(EURO.ref, "period_end"), Invalid.at("plan", "euro is in EUR, not USD")),
    (ENDING, ChangePlan(FREE.ref, "period_end"), Conflict("s1 is cancelled at the period's end")),
    (ACTIVE, SetQuantity("seats", F(-1)), Invalid.at("quantity", "must not be negative")),
    (ACTIVE, SetQuantity("calls", F(1)), Invalid.at("item", "pro has no recurring item calls")),
    (ACTIVE, SetQuantity("chairs", F(1)), Invalid.at("item", "pro has no recurring item chairs")),
    (ACTIVE, ChargeOnce("x", "x", F(1), F(-1)), Invalid.at("quantity", "must not be negative")),
    (ACTIVE, ChargeOnce("x", "x", F(-(10**13) - 1)), Invalid.at("amount", TOO_LARGE)),
    (ACTIVE, SetQuantity("seats", F(10**12 + 1)), Invalid.at("quantity", TOO_LARGE)),
])  # fmt: skip
def test_refused(living: Subscription, command: Command, expected: Rejected) -> None:
    with pytest.raises(type(expected)) as refused:
        asked(living, command, day(3), "another")
    assert str(refused.value) == str(expected)


@pytest.mark.parametrize(("living", "command"), [
    (ACTIVE, ChangePlan(PRO.ref, "period_end")),
    (ENDING, Cancel("period_end")),
    (ENDING, Cancel("immediately")),
    (ENDING, ChangePlan(FREE.ref, "immediately")),
    (PAUSED, SetQuantity("seats", F(1))),
    (PAUSED, Cancel("immediately")),
])  # fmt: skip
def test_allowed(living: Subscription, command: Command) -> None:
    lifecycle.check(living, command, day(3))
    assert asked(living, command, day(3), "another").subscription.request_ids[-1] == "another"


@pytest.mark.parametrize(("quantities", "path"), [
    ({"seats": F(-1)}, "quantities.seats"),
    ({"calls": F(1)}, "quantities.calls"),
    ({"chairs": F(1)}, "quantities.chairs"),
    ({"seats": F(10**12 + 1)}, "quantities.seats"),
])  # fmt: skip
def test_quantities_are_of_recurring_items(quantities: dict[str, Any], path: str) -> None:
    with pytest.raises(Invalid) as refused:
        lifecycle.new_subscription(
            id="s1", key="s1", customer=facts().customer, plan=PRO, at=JAN, quantities=quantities
        )
    assert [fault.path for fault in refused.value.faults] == [path]
