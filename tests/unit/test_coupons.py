"""Coupons that a living subscription is given or loses, and the limits of each."""

from datetime import datetime
from fractions import Fraction as F
from typing import Any

import pytest

from domain import lifecycle
from domain.account import Facts, Outcome
from domain.changing.coupons import check_redeemable
from domain.commands import AddCoupon, Command, RemoveCoupon, Request, Schedule
from domain.customers import Coupon, Redeemed, Redemption
from domain.errors import Conflict, Invalid, NotFound
from domain.redeeming import redeeming
from domain.subscription import Subscription
from tests.makings import BASE, FEB, JAN, day, facts, plan, subscription

PRO = plan(BASE)
HALF = Coupon("half", "forever", percent_off=F(50))
ONE = Coupon("one", "forever", percent_off=F(10), max_redemptions=1)
EUROS = Coupon("euros", "once", amount_off=F(5), currency="EUR")


def known(**redeemed: Redeemed) -> Facts:
    return facts(PRO, redeemed=redeemed)


def started() -> Subscription:
    return lifecycle.begin(known(), subscription(PRO, [HALF]), JAN).subscription


def asked(command: Command, of: Facts | None = None, at: datetime = day(11)) -> Outcome:
    return lifecycle.carry_out(of or known(), started(), Request("r", command), at)


def test_one_more_coupon_is_redeemed() -> None:
    outcome = asked(AddCoupon(ONE))
    assert outcome.subscription.coupons[1:] == (Redemption(ONE, day(11)),)
    assert (outcome.redeemed, outcome.invoices) == (("one",), ())


def test_a_coupon_that_is_removed_reduces_nothing_more() -> None:
    living = asked(RemoveCoupon("half")).subscription
    (invoice,) = lifecycle.end_period(known(), living, FEB).invoices
    assert (living.coupons, str(invoice.total)) == ((), "20.00")


@pytest.mark.parametrize(("command", "error", "said"), [
    (AddCoupon(HALF), Conflict, "s1 has the coupon half already"),
    (AddCoupon(EUROS), Conflict, "the coupon euros is in EUR, s1 in USD"),
    (RemoveCoupon("one"), NotFound, "s1 has no coupon one"),
])  # fmt: skip
def test_refusals(command: Command, error: type[Exception], said: str) -> None:
    with pytest.raises(error) as raised:
        asked(command)
    assert str(raised.value) == said


@pytest.mark.parametrize(("limits", "redeemed", "said"), [
    ({}, Redeemed(9, 9), None),
    ({"max_redemptions": 3}, Redeemed(2, 0), None),
    ({"max_redemptions": 3}, Redeemed(3, 0), "the coupon c has been redeemed 3 times: it is used up"),
    ({"max_redemptions_per_customer": 1}, Redeemed(9, 0), None),
    ({"max_redemptions_per_customer": 1}, Redeemed(9, 1), "the coupon c has been redeemed once by this customer: it is used up for them"),
    ({"redeem_by": day(12)}, Redeemed(), None),
    ({"redeem_by": day(11)}, Redeemed(), "the coupon c was to be redeemed before 2026-01-11T00:00:00Z"),
    ({"expires_at": day(12)}, Redeemed(), None),
    ({"expires_at": day(11)}, Redeemed(), "the coupon c has expired at 2026-01-11T00:00:00Z"),
])  # fmt: skip
def test_limits_on_11_january(limits: dict[str, Any], redeemed: Redeemed, said: str | None) -> None:
    coupon = Coupon("c", "forever", percent_off=F(10), **limits)
    if said is None:
        check_redeemable([coupon], {"c": redeemed}, day(11))
        return
    with pytest.raises(Conflict) as raised:
        check_redeemable([coupon], {"c": redeemed}, day(11))
    assert str(raised.value) == said


def test_one_that_is_planned_is_redeemed_with_the_period_or_leaves_the_schedule() -> None:
    planned = asked(Schedule(AddCoupon(ONE), periods=1)).subscription
    assert redeeming(planned, "period_end") == (ONE,)
    done = lifecycle.end_period(known(), planned, FEB)
    assert (done.redeemed, str(done.invoices[0].total)) == (("one",), "9.00")
    late = lifecycle.end_period(known(one=Redeemed(1)), planned, FEB)
    assert (late.redeemed, str(late.invoices[0].total)) == ((), "10.00")
    assert late.refused == "the coupon one has been redeemed once: it is used up"
    assert late.subscription.schedule == ()


def test_a_subscription_begins_with_a_coupon_once() -> None:
    with pytest.raises(Invalid) as raised:
        subscription(PRO, [HALF, ONE, HALF])
    assert [fault.path for fault in raised.value.faults] == ["coupons.2"]
