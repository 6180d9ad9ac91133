"""Recurring add-ons: what each brings and when it is kept; the stories have the invoices."""

from dataclasses import replace
from datetime import datetime
from fractions import Fraction as F

import pytest

from domain import lifecycle
from domain.account import Facts, Outcome
from domain.add_ons import with_add_ons, with_removed_add_ons
from domain.codec import from_plain, to_plain
from domain.commands import (
    AddAddOn,
    ChangePlan,
    Command,
    Pause,
    RemoveAddOn,
    Request,
    Schedule,
    SetQuantity,
    Transfer,
)
from domain.errors import Conflict, Invalid, NotFound
from domain.plans import Plan
from domain.subscription import QuantityChange, Subscription
from tests.makings import BASE, CALLS, FEB, JAN, MAR, SEATS, day, facts, plan, subscription

PRO = plan(BASE)
NONE = plan(BASE, key="none", proration="none")
TRIAL = plan(BASE, key="trial", trial={"unit": "day", "count": 14})
TAKEN = plan({**BASE, "key": "support"}, key="taken")
PLANS = (PRO, NONE, TRIAL, TAKEN)


def add_on(key: str = "support", amount: str = "31.00", **members: object) -> AddAddOn:
    price = {"model": "flat", "amount": amount}
    return AddAddOn(key, {"kind": "recurring", "key": key, "price": price, **members})


SUPPORT = add_on()
HOURS = add_on("hours", charged="in_arrears")


def known() -> Facts:
    return facts(*PLANS)


def started(of: Plan = PRO) -> Subscription:
    return lifecycle.begin(known(), subscription(of), JAN).subscription


def asked(living: Subscription, *commands: Command, at: datetime = day(11)) -> Subscription:
    for number, command in enumerate(commands):
        request = Request(f"r{len(living.request_ids)}.{number}", command)
        living = lifecycle.carry_out(known(), living, request, at).subscription
    return living


def closed(living: Subscription, at: datetime = FEB) -> Outcome:
    return lifecycle.end_period(known(), living, at)


def lines(outcome: Outcome) -> list[tuple[str | None, str, str]]:
    return [
        (line.item, line.kind, str(line.amount))
        for invoice in outcome.invoices
        for line in invoice.lines
    ]


def test_an_add_on_is_an_item_behind_those_of_the_plan() -> None:
    living = asked(started(), SUPPORT, add_on("extra"))
    assert [item.key for item in with_add_ons(PRO, living).items] == ["base", "support", "extra"]
    assert with_add_ons(PRO, living).ref == PRO.ref
    assert with_add_ons(PRO, started()) is PRO


def test_a_removed_one_is_kept_until_what_is_left_of_it_is_billed() -> None:
    living = asked(started(), SUPPORT, RemoveAddOn("support"))
    assert with_add_ons(PRO, living) is PRO
    assert with_removed_add_ons(PRO, living).items[-1].key == "support"
    assert [each.until for each in living.add_ons] == [day(11)]
    assert closed(living).subscription.add_ons == ()


@pytest.mark.parametrize(("of", "command", "at", "expected"), [
    pytest.param(PRO, SUPPORT, day(11), [("base", "recurring", "20.00"), ("support", "recurring", "31.00"), ("support", "proration", "21.00")], id="the rest of the period waits"),
    pytest.param(PRO, SUPPORT, FEB, [("base", "recurring", "20.00"), ("support", "recurring", "31.00")], id="at the very end there is no rest"),
    pytest.param(PRO, HOURS, day(11), [("base", "recurring", "20.00"), ("hours", "proration", "21.00")], id="in arrears for its part"),
    pytest.param(PRO, HOURS, FEB, [("base", "recurring", "20.00")], id="in arrears, added at the very end"),
    pytest.param(NONE, SUPPORT, day(11), [("base", "recurring", "20.00"), ("support", "recurring", "31.00")], id="a plan that does not prorate"),
])  # fmt: skip
def test_the_period_it_is_added_in(
    of: Plan, command: AddAddOn, at: datetime, expected: list[tuple[str, str, str]]
) -> None:
    assert lines(closed(asked(started(of), command, at=at))) == expected


@pytest.mark.parametrize(("commands", "expected"), [
    pytest.param([SUPPORT, RemoveAddOn("support")], [("support", "proration", "-21.00"), ("support", "proration", "21.00")], id="added and removed at one instant comes to nothing"),
    pytest.param([HOURS, RemoveAddOn("hours")], [("hours", "proration", "-21.00"), ("hours", "proration", "21.00")], id="in arrears too"),
    pytest.param([SUPPORT, RemoveAddOn("support"), SUPPORT], [("support", "proration", "-21.00"), ("support", "proration", "21.00"), ("support", "proration", "21.00")], id="and again"),
])  # fmt: skip
def test_second_thoughts(commands: list[Command], expected: list[tuple[str, str, str]]) -> None:
    found = lines(closed(asked(started(), *commands)))
    assert [line for line in found if line[1] == "proration"] == expected


def test_a_flat_one_costs_its_amount_whatever_the_quantity_and_nothing_when_it_is_gone() -> None:
    """31.00 in advance in February; removed after 14 of its 28 days, 15.50 comes back."""
    living = closed(asked(started(), add_on(quantity="0"), at=FEB)).subscription
    living = asked(living, RemoveAddOn("support"), at=day(46))
    assert lines(closed(living, MAR)) == [
        ("base", "recurring", "20.00"),
        ("support", "proration", "-15.50"),
    ]


def test_its_quantity_is_its_own_and_gone_with_it() -> None:
    seats = AddAddOn("seats", dict(SEATS))
    living = asked(started(), seats, SetQuantity("seats", F(5)))
    assert living.quantities == {"seats": F(5)}
    assert living.quantity_changes == (
        QuantityChange("seats", day(11), None, F(3)),
        QuantityChange("seats", day(11), F(3), F(5)),
    )
    gone = asked(living, RemoveAddOn("seats"))
    assert (gone.quantities, gone.quantity_changes[-1].before) == ({}, F(5))


def test_in_a_trial_and_before_the_start_nothing_is_prorated() -> None:
    scheduled = asked(subscription(TRIAL), SUPPORT, at=JAN)
    trialing = asked(lifecycle.begin(known(), scheduled, JAN).subscription, add_on("extra"))
    assert (trialing.status, trialing.quantity_changes) == ("trialing", ())
    assert lines(lifecycle.begin(known(), trialing, day(15))) == [
        ("base", "recurring", "20.00"),
        ("support", "recurring", "31.00"),
        ("extra", "recurring", "31.00"),
    ]


def test_a_plan_keeps_it_and_its_quantity() -> None:
    living = asked(started(), AddAddOn("seats", dict(SEATS)), SetQuantity("seats", F(5)))
    changed = asked(living, ChangePlan(NONE.ref, "immediately"))
    assert (changed.plan, changed.quantities) == (NONE.ref, {"seats": F(5)})
    assert [each.key for each in changed.living_add_ons] == ["seats"]


def test_it_goes_along_but_for_what_was_removed() -> None:
    living = asked(started(), SUPPORT, add_on("extra"), RemoveAddOn("extra"))
    request = Request("t", Transfer(to="s2", customer="new", key="theirs"))
    (going,) = lifecycle.carry_out(known(), living, request, day(20)).begins
    assert [(each.key, each.until) for each in going.add_ons] == [("support", None)]


@pytest.mark.parametrize(("before", "command", "error", "said"), [
    ([], add_on("base"), Conflict, "pro has an item base: an add-on needs a key of its own"),
    ([SUPPORT], SUPPORT, Conflict, "s1 has an add-on support already"),
    ([ChangePlan(TAKEN.ref, "period_end")], SUPPORT, Conflict, "taken has an item support: an add-on needs a key of its own"),
    ([SUPPORT], ChangePlan(TAKEN.ref, "period_end"), Conflict, "taken has an item support, as s1 has an add-on"),
    ([SUPPORT, RemoveAddOn("support")], add_on(amount="1"), Conflict, "s1 had another add-on support in this period: it is free in the next"),
    ([SUPPORT, RemoveAddOn("support")], RemoveAddOn("support"), NotFound, "s1 has no add-on support"),
    ([], RemoveAddOn("base"), NotFound, "s1 has no add-on base"),
    ([], add_on(amount="10000000000000.01"), Invalid, None),
    ([], Schedule(add_on(amount="10000000000000.01"), periods=1), Invalid, None),
    ([], SetQuantity("support", F(2)), Invalid, "item: pro has no recurring item support"),
])  # fmt: skip
def test_refusals(
    before: list[Command], command: Command, error: type[Exception], said: str | None
) -> None:
    living = asked(started(), *before)
    with pytest.raises(error) as raised:
        asked(living, command)
    assert said is None or str(raised.value) == said


def test_a_planned_quantity_may_be_of_an_add_on() -> None:
    living = asked(started(), AddAddOn("seats", dict(SEATS)), Pause())
    change = Schedule(SetQuantity("seats", F(4)), periods=1)
    assert len(asked(living, change).schedule) == 1


def test_states_without_add_ons_are_read_and_those_with_some_come_back() -> None:
    living = asked(started(), SUPPORT, HOURS, RemoveAddOn("support"))
    assert from_plain(Subscription, to_plain(living)) == living
    old = to_plain(replace(living, add_ons=(), quantity_changes=()))
    assert "add_ons" not in old


def test_usage_items_are_no_add_ons() -> None:
    living = asked(started(), SUPPORT)
    assert lifecycle.needs(living, "period_end", facts(plan(BASE, CALLS)), FEB)[0].item == "calls"
