"""A subscription that goes to another customer: what ends, what goes on, and what is refused."""

from dataclasses import replace
from datetime import datetime
from fractions import Fraction as F

import pytest

from domain import lifecycle
from domain.account import Facts, Outcome
from domain.calendar import Period
from domain.commands import (
    ChangePlan,
    NotePayment,
    Pause,
    Request,
    ScheduledChange,
    SetQuantity,
    Transfer,
)
from domain.customers import Customer
from domain.errors import Conflict
from domain.plans import Plan
from domain.pricing.usage import Quantity
from domain.subscription import GrantTimer, Subscription
from tests.makings import BASE, CALLS, FEB, JAN, JANUARY, MAR, SEATS, day, facts, plan, subscription

NEW = Customer("new", "new")
PRO = plan(BASE, SEATS, CALLS, proration="day")
CALENDAR = plan(BASE, key="calendar", anchor="calendar", proration="day")
TRIAL = plan(BASE, key="trial", trial={"unit": "day", "count": 14})
FREE = plan(BASE, key="free")
MONTHLY = {"key": "monthly", "amount": "12.40", "expires_after": {"unit": "month"}}
CREDITS = [MONTHLY, {"key": "welcome", "amount": "5.00", "every_period": False}]
GIVING = plan(BASE, key="giving", proration="day", credits=CREDITS)
PRORATING = plan(
    BASE,
    key="prorating",
    proration="day",
    credits=[{**MONTHLY, "amount": "6.20", "on_plan_change": "prorate"}],
)
GATED = plan(BASE, key="gated", proration="day", activation="first_payment", credits=CREDITS)
TO_NEW = Transfer(to="s2", customer="new", key="theirs")
MID = day(11)


def knowing(living: Subscription, step: lifecycle.Step, at: datetime, used: int = 0) -> Facts:
    """Facts in which every window has the same usage."""
    known = facts(PRO, CALENDAR, TRIAL, FREE, GIVING, PRORATING, GATED)
    if living.customer == NEW.id:
        known = replace(known, customer=NEW)
    needs = lifecycle.needs(living, step, known, at)
    return replace(known, usage={need: Quantity(F(used)) for need in needs})


def begun(living: Subscription, at: datetime) -> Outcome:
    return lifecycle.begin(knowing(living, "start", at), living, at)


def started(of: Plan = PRO) -> Subscription:
    return begun(subscription(of), JAN).subscription


def handed(
    living: Subscription, at: datetime = MID, command: Transfer = TO_NEW, used: int = 0
) -> tuple[Outcome, Subscription]:
    """What the transfer brings, and the life that begins by it."""
    known = knowing(living, command, at, used)
    outcome = lifecycle.carry_out(known, living, Request("r1", command), at)
    (new,) = outcome.begins
    return outcome, new


def totals(outcome: Outcome) -> list[str]:
    return [str(invoice.total) for invoice in outcome.invoices]


def test_the_old_life_ends_with_its_arrears_invoiced() -> None:
    outcome, _ = handed(started(), used=7)
    old = outcome.subscription
    assert (old.status, old.ended_at, old.transferred_to) == ("cancelled", MID, "s2")
    assert [(invoice.customer, str(invoice.total)) for invoice in outcome.invoices] == [
        ("acme", "7.00")
    ]


def test_the_new_life_is_charged_for_the_rest_of_the_period() -> None:
    """The 11th to the 31st are 21 of 31 days: 50.00 x 21 / 31 is 33.87."""
    _, new = handed(started())
    outcome = begun(new, MID)
    after = outcome.subscription
    assert [(invoice.customer, str(invoice.total)) for invoice in outcome.invoices] == [
        ("new", "33.87")
    ]
    assert (after.id, after.key, after.customer) == ("s2", "theirs", "new")
    assert (after.status, after.period, after.transferred_from) == (
        "active",
        Period(MID, FEB),
        "s1",
    )
    assert (after.usage_from, after.charged_from) == (MID, MID)


@pytest.mark.parametrize("of", [PRO, CALENDAR])
def test_later_periods_begin_where_they_would_have_begun(of: Plan) -> None:
    scheduled = replace(
        subscription(of),
        started_at=day(31),
        cycle=replace(subscription(of).cycle, started_at=day(31)),
    )
    living = begun(scheduled, day(31)).subscription
    assert living.period is not None
    at = living.period.start.replace(hour=12)
    _, new = handed(living, at)
    boundaries = [living.cycle.start(index) for index in range(1, 14)]
    assert [new.cycle.start(index) for index in range(1, 14)] == boundaries
    assert new.cycle.full_period(0) == living.cycle.full_period(0)


def test_at_a_period_end_the_new_life_begins_with_a_whole_period() -> None:
    _, new = handed(started(), FEB)
    outcome = begun(new, FEB)
    assert (outcome.subscription.period, totals(outcome)) == (Period(FEB, MAR), ["50.00"])


def granted(outcome: Outcome) -> list[tuple[str, str, datetime | None]]:
    return [(each.key, str(each.amount), each.expires_at) for each in outcome.grants]


def test_the_new_life_is_given_the_rest_of_a_credit() -> None:
    """12.40 x 21 / 31 is 8.40, and it ends with the whole credit. Who has it next is given the rest of the same period."""
    _, new = handed(started(GIVING))
    after = begun(new, MID)
    assert granted(after) == [("monthly", "8.40", FEB)]
    _, third = handed(after.subscription, day(21), replace(TO_NEW, customer="third"))
    assert granted(begun(third, day(21))) == [("monthly", "4.40", FEB)]


def test_what_a_change_of_plan_then_grants_ends_with_the_whole_credit_too() -> None:
    """From the 21st on 11 of 31 days are left: 6.20 x 11 / 31 is 2.20."""
    _, new = handed(started(GIVING))
    living = begun(new, MID).subscription
    change = ChangePlan(PRORATING.ref, "immediately")
    outcome = lifecycle.carry_out(
        knowing(living, change, day(21)), living, Request("c", change), day(21)
    )
    assert granted(outcome) == [("monthly", "2.20", FEB)]


def test_at_a_period_end_the_new_life_is_given_whole_credits_but_no_first_one() -> None:
    _, new = handed(started(GIVING), FEB)
    assert granted(begun(new, FEB)) == [("monthly", "12.40", MAR)]


def test_a_period_after_the_rest_is_a_period_like_any() -> None:
    _, new = handed(started(GIVING))
    living = begun(new, MID).subscription
    after = lifecycle.end_period(knowing(living, "period_end", FEB), living, FEB)
    assert (granted(after), after.subscription.rest_since) == ([("monthly", "12.40", MAR)], None)


def paid(waiting: Subscription, at: datetime) -> Outcome:
    """What the first payment brings to a life that waits for it."""
    assert waiting.awaits_payment is not None
    command = NotePayment(waiting.awaits_payment, "paid")
    return lifecycle.carry_out(knowing(waiting, command, at), waiting, Request("p", command), at)


def test_a_first_payment_after_a_transfer_brings_no_first_credit_again() -> None:
    first = paid(started(GATED), day(2))
    assert granted(first) == [("monthly", "12.40", FEB), ("welcome", "5.00", None)]
    _, new = handed(first.subscription)
    assert granted(paid(begun(new, MID).subscription, day(13))) == [("monthly", "8.40", FEB)]


def test_in_a_trial_its_end_goes_along_and_nothing_is_charged() -> None:
    outcome, new = handed(started(TRIAL), day(5))
    assert (outcome.invoices, outcome.credit_notes) == ((), ())
    entered = begun(new, day(5))
    assert (entered.subscription.status, entered.subscription.trial_end) == ("trialing", day(15))
    assert entered.invoices == ()
    paying = lifecycle.begin(
        knowing(entered.subscription, "trial_end", day(15)), entered.subscription, day(15)
    )
    assert (totals(paying), paying.subscription.status) == (["20.00"], "active")


def test_one_that_has_not_begun_begins_for_the_new_customer() -> None:
    scheduled = replace(subscription(PRO), quantities={"seats": F(5)})
    outcome, new = handed(scheduled, datetime(2025, 12, 20, tzinfo=JAN.tzinfo))
    assert (outcome.subscription.status, outcome.invoices) == ("cancelled", ())
    after = begun(new, JAN)
    assert (after.subscription.period, totals(after)) == (JANUARY, ["70.00"])


def test_plans_ahead_go_along_and_coupons_grants_and_requests_stay() -> None:
    change = ScheduledChange("c1", SetQuantity("seats", F(9)), at=day(20))
    living = replace(
        started(),
        next_plan=FREE.ref,
        schedule=(change,),
        quantities={"seats": F(4)},
        grants=(GrantTimer("g1", MAR),),
        request_ids=("r0",),
    )
    outcome, new = handed(living)
    after = begun(new, MID).subscription
    assert (after.plan, after.next_plan, after.schedule) == (PRO.ref, FREE.ref, (change,))
    assert (after.quantities, after.coupons) == ({"seats": F(4)}, ())
    assert (after.grants, after.request_ids) == ((), ())
    assert (outcome.subscription.schedule, outcome.subscription.grants) == ((), living.grants)


def test_a_request_is_carried_out_once() -> None:
    outcome, _ = handed(started())
    again = lifecycle.carry_out(
        knowing(outcome.subscription, TO_NEW, MID), outcome.subscription, Request("r1", TO_NEW), MID
    )
    assert (again.begins, again.invoices) == ((), ())


PAUSED = lifecycle.carry_out(
    knowing(started(), Pause(), day(5)), started(), Request("p", Pause()), day(5)
).subscription


# fmt: off
@pytest.mark.parametrize(("living", "command", "at", "reason"), [
    pytest.param(started(), replace(TO_NEW, customer="acme"), MID, "s1 is that customer's already", id="its own customer"),
    pytest.param(PAUSED, TO_NEW, MID, "s1 is paused: resume it before it is transferred", id="paused"),
    pytest.param(replace(started(), next_plan=FREE.ref), TO_NEW, FEB, "the period of s1 ends at this instant, with a change planned for it", id="at the end of a period, with a plan to come"),
    pytest.param(replace(started(), status="trialing", trial_end=MID, cancels_at_period_end=True), TO_NEW, MID, "s1 ends at this instant, with its trial", id="at the end of a trial that is the last of it"),
    pytest.param(replace(started(), cancels_at_period_end=True), TO_NEW, FEB, "the period of s1 ends at this instant, with a change planned for it", id="at the end of the last period"),
])
def test_refused(living: Subscription, command: Transfer, at: datetime, reason: str) -> None:
    with pytest.raises(Conflict, match=reason):
        handed(living, at, command)
