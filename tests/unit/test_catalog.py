"""What a plan, a feature, a coupon and a tax rate may say, and where each fault is."""

from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction as F
from typing import Any

import pytest

from domain.catalog import (
    read_coupon,
    read_plan,
    read_tax_rate,
    require_known,
)
from domain.errors import Invalid
from domain.features import read_feature
from domain.metering.meter import read_meter
from domain.plans import Feature, Threshold
from domain.reading import InexactNumber
from tests.makings import BASE, CALLS, CALLS_METER, SEATS

Document = dict[str, Any]

MONTH = {"unit": "month", "count": 1}
PLAN: Document = {"key": "pro", "currency": "USD", "interval": MONTH, "items": [BASE]}
TIERED = {"model": "graduated", "tiers": [{"up_to": None, "unit_amount": "1"}]}
MATRIX = {"model": "matrix", "dimensions": ["model"], "cells": [], "default_unit_amount": "1"}


def faults(read: Callable[[object], object], value: object) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        read(value)
    return [(fault.path, fault.message) for fault in refused.value.faults]


def of_plan(**members: object) -> list[tuple[str, str]]:
    return faults(read_plan, {**PLAN, **members})


def of_item(**members: object) -> list[tuple[str, str]]:
    return of_plan(items=[{**BASE, **members}])


def of_usage(**members: object) -> list[tuple[str, str]]:
    return of_plan(items=[{**CALLS, **members}])


def of_credit(**members: object) -> list[tuple[str, str]]:
    return of_plan(credits=[{"key": "c", "amount": "5", **members}])


def of_bonus(bonus: object = None, **members: object) -> list[tuple[str, str]]:
    return of_plan(top_up_bonuses=[bonus or members])


def test_a_plan_is_read_whole() -> None:
    plan = read_plan(
        {
            **PLAN,
            "name": "Pro",
            "anchor": "2026-01-15T12:00:00+02:00",
            "proration": "day",
            "trial": {"unit": "day", "count": 14},
            "items": [BASE, SEATS, {**CALLS, "included": "100"}],
            "minimum_commitment": "100",
            "commitment_overage_factor": "1.5",
            "credits": [{"key": "monthly", "amount": "5.00", "expires_after": MONTH}],
            "entitlements": [{"feature": "calls", "type": "metered", "limit": "10"}],
        },
        version=3,
    )
    assert (plan.key, plan.version, plan.name) == ("pro", 3, "Pro")
    assert plan.anchor == datetime(2026, 1, 15, 10, tzinfo=UTC)
    assert [item.charged for item in plan.items] == ["in_advance", "in_advance", "in_arrears"]
    assert plan.items[2].price.included == 100
    assert plan.commitment_overage_factor == F(3, 2)
    assert (plan.credits[0].priority, plan.credits[0].every_period) == (50, True)
    assert plan.entitlements[0].on_limit == "block"


def test_what_a_plan_leaves_out() -> None:
    plan = read_plan({"key": "pro", "interval": MONTH}, currency="JPY")
    assert (plan.name, plan.currency, plan.items) == ("pro", "JPY", ())
    assert (plan.anchor, plan.proration, plan.trial) == ("anniversary", "second", None)


@pytest.mark.parametrize(("found", "expected"), [
    (of_plan(currency=None), [("currency", "must be an ISO 4217 currency code in upper case, like USD")]),
    (of_plan(currency="usd"), [("currency", "must be an ISO 4217 currency code in upper case, like USD")]),
    (of_plan(interval=None), [("interval", "must be an object")]),
    (of_plan(proration="month"), [("proration", "must be one of second, day, none")]),
    (of_plan(prorate="day"), [("prorate", "is not a known field")]),
    (of_plan(items=[BASE, SEATS, BASE]), [("items.2.key", "is there twice: base")]),
    (of_plan(items=BASE), [("items", "must be a list")]),
    (of_plan(minimum_commitment="-1"), [("minimum_commitment", "must not be negative")]),
    (of_plan(commitment_overage_factor="2"), [("minimum_commitment", "is required where there is an overage factor")]),
    (of_plan(minimum_commitment="1", commitment_overage_factor="-1"), [("commitment_overage_factor", "must not be negative")]),
    (of_plan(anchor="calendar", interval={"unit": "week", "count": 2}), [("interval.count", "must be 1 with a calendar anchor, or a number of months that divides 12")]),
    (of_item(kind="once"), [("items.0.kind", "must be one of recurring, usage")]),
    (of_item(charged="later"), [("items.0.charged", "must be one of in_advance, in_arrears")]),
    (of_item(quantity="-1"), [("items.0.quantity", "must not be negative")]),
    (of_item(quantity=InexactNumber("1.5")), [("items.0.quantity", "the number 1.5 may have lost digits: send it as a string")]),
    (of_item(meter="calls"), [("items.0.meter", "is for usage items")]),
    (of_item(advance_invoicing="day"), [("items.0.advance_invoicing", "is for usage items charged in advance")]),
    (of_item(price=MATRIX), [("items.0.price.model", "charges usage: a recurring item has only a quantity")]),
    (of_item(price={"model": "flat", "amount": "1", "maximun": "5"}), [("items.0.price.maximun", "is not a known field")]),
    (of_usage(meter=None), [("items.0.meter", "is required for a usage item")]),
    (of_usage(quantity="1"), [("items.0.quantity", "is for recurring items: a usage item's is measured")]),
    (of_usage(advance_invoicing="day"), [("items.0.advance_invoicing", "is for usage items charged in advance")]),
    (of_usage(charged="in_advance", advance_invoicing="hour"), [("items.0.advance_invoicing", 'must be each, day, period or {"threshold": amount}')]),
    (of_usage(charged="in_advance", advance_invoicing={"threshold": "0"}), [("items.0.advance_invoicing.threshold", "must be greater than zero")]),
    (of_usage(charged="in_advance", advance_invoicing={"threshold": "1.005"}), [("items.0.advance_invoicing.threshold", "has more decimals than USD has")]),
    (of_usage(charged="in_advance", advance_invoicing={"thresold": "1"}), [("items.0.advance_invoicing.threshold", "is required"), ("items.0.advance_invoicing.thresold", "is not a known field")]),
    (of_plan(advance_invoicing={"threshold": "1.005"}, items=[{**CALLS, "charged": "in_advance"}]), [("items.0.advance_invoicing.threshold", "has more decimals than USD has")]),
    (of_plan(items=[CALLS], progressive_invoicing="100"), [("progressive_invoicing", "must be an object")]),
    (of_plan(items=[CALLS], progressive_invoicing={"threshold": "0"}), [("progressive_invoicing.threshold", "must be greater than zero")]),
    (of_plan(items=[CALLS], progressive_invoicing={"threshold": "1.005"}), [("progressive_invoicing.threshold", "has more decimals than USD has")]),
    (of_plan(items=[CALLS], progressive_invoicing={"threshold": "1", "per": "day"}), [("progressive_invoicing.per", "is not a known field")]),
    (of_plan(items=[{**CALLS, "charged": "in_advance"}], progressive_invoicing={"threshold": "1"}), [("progressive_invoicing", "is for plans with usage charged in arrears")]),
    (of_item(commitment_overage_factor="2"), [("items.0.minimum_commitment", "is required where there is an overage factor")]),
    (of_usage(minimum_commitment="-1"), [("items.0.minimum_commitment", "must not be negative")]),
    (of_usage(minimum_commitment="1", commitment_overage_factor="-2"), [("items.0.commitment_overage_factor", "must not be negative")]),
    (of_usage(included="5", price={**TIERED, "included": "5"}), [("items.0.included", "is given in the price as well")]),
    (of_usage(included="5", price=MATRIX), [("items.0.included", "is not taken by a price of groups or events")]),
    (of_usage(included="-5"), [("items.0.included", "must not be negative")]),
    (of_plan(credits=[{"key": "c", "amount": "0"}]), [("credits.0.amount", "must be greater than zero")]),
    (of_plan(credits=[{"key": "c", "amount": "0.001"}]), [("credits.0.amount", "has more decimals than USD has")]),
    (of_plan(credits=[{"key": "c", "amount": "1"}] * 2), [("credits.1.key", "is there twice: c")]),
    (of_credit(rollover={"maximum": "1", "minimum": "1.01"}), [("credits.0.rollover.maximum", "must not be below the minimum")]),
    (of_credit(rollover={"maximum": "-1"}), [("credits.0.rollover.maximum", "must not be negative")]),
    (of_credit(rollover={"minimum": "0.001"}), [("credits.0.rollover.minimum", "has more decimals than USD has")]),
    (of_credit(rollover={"most": "1"}), [("credits.0.rollover.most", "is not a known field")]),
    (of_credit(rollover=[]), [("credits.0.rollover", "must be an object")]),
    (of_credit(rollover={}, every_period=False), [("credits.0.rollover", "is for credits of every period")]),
    (of_credit(on_plan_change="prorate", every_period=False), [("credits.0.on_plan_change", "prorates credits of every period alone")]),
    (of_credit(on_plan_change="refund"), [("credits.0.on_plan_change", "must be one of keep, prorate")]),
    (of_bonus(percent="10"), [("top_up_bonuses.0.from", "is required")]),
    (of_bonus({"from": "0", "percent": "10"}), [("top_up_bonuses.0.from", "must be greater than zero")]),
    (of_bonus({"from": "0.001", "percent": "10"}), [("top_up_bonuses.0.from", "has more decimals than USD has")]),
    (of_bonus({"from": "5"}), [("top_up_bonuses.0.percent", "either this or amount must be given")]),
    (of_bonus({"from": "5", "percent": "1", "amount": "1"}), [("top_up_bonuses.0.percent", "either this or amount must be given")]),
    (of_bonus({"from": "5", "percent": "100.1"}), [("top_up_bonuses.0.percent", "must be above 0, and 100 at most")]),
    (of_bonus({"from": "5", "percent": "0"}), [("top_up_bonuses.0.percent", "must be above 0, and 100 at most")]),
    (of_bonus({"from": "5", "amount": "0.001"}), [("top_up_bonuses.0.amount", "has more decimals than USD has")]),
    (of_bonus({"from": "5", "amount": "1", "expires_after": {"unit": "day", "count": 0}}), [("top_up_bonuses.0.expires_after.count", "must be a whole number from 1 to 1000000")]),
    (of_plan(top_up_bonuses=[{"from": "5", "percent": "1"}, {"from": "5.00", "percent": "2"}]), [("top_up_bonuses.1.from", "is there twice")]),
    (of_plan(top_up_bonuses={}), [("top_up_bonuses", "must be a list")]),
    (of_plan(entitlements=[{"feature": "f", "type": "boolean", "limit": "1"}]), [("entitlements.0.limit", "is for metered features")]),
    (of_plan(entitlements=[{"feature": "f", "type": "metered", "on_limit": "explode"}]), [("entitlements.0.on_limit", "must be one of block, allow, notify")]),
    (of_plan(entitlements=[{"feature": "f", "type": "boolean"}] * 2), [("entitlements.1.feature", "is there twice: f")]),
])  # fmt: skip
def test_faults_of_a_plan(found: list[tuple[str, str]], expected: list[tuple[str, str]]) -> None:
    assert found == expected


def test_how_usage_in_advance_is_invoiced_is_said_once_or_for_each_item() -> None:
    advance = {**CALLS, "charged": "in_advance"}
    gathered = {"threshold": "10.00"}
    plan = read_plan(
        {
            **PLAN,
            "advance_invoicing": gathered,
            "items": [advance, {**advance, "key": "daily", "advance_invoicing": "day"}],
        }
    )
    assert [item.advance_invoicing for item in plan.items] == [Threshold(F(10)), "day"]


def test_every_fault_of_a_plan_is_told() -> None:
    found = of_plan(key="", items=[{"kind": "usage", "price": {"model": "flat"}}], trial=5)
    assert [path for path, _ in found] == [
        "key",
        "items.0.key",
        "items.0.price.amount",
        "items.0.meter",
        "trial",
    ]


def test_a_plan_names_meters_and_features_that_there_are() -> None:
    by_region = read_meter({**_meter("regional"), "group_by": ["region"]})
    plan = read_plan(
        {
            **PLAN,
            "items": [
                CALLS,
                {**CALLS, "key": "lost", "meter": "nothing"},
                {**CALLS, "key": "grouped", "meter": "regional", "price": MATRIX},
            ],
            "entitlements": [
                {"feature": "known", "type": "boolean"},
                {"feature": "unknown", "type": "boolean"},
                {"feature": "other", "type": "boolean"},
            ],
        }
    )
    meters = {"calls": CALLS_METER, "regional": by_region}
    features = {"known": Feature("known", "boolean"), "other": Feature("other", "metered", "calls")}
    with pytest.raises(Invalid) as refused:
        require_known(plan, meters, features)
    assert [(f.path, f.message) for f in refused.value.faults] == [
        ("items.1.meter", "there is no meter nothing"),
        ("items.2.meter", "does not group by model, as the price does"),
        ("entitlements.1.feature", "there is no feature unknown"),
        ("entitlements.2.type", "must be metered, as the feature is"),
    ]


def _meter(key: str) -> Document:
    return {"key": key, "event_name": key, "aggregation": "count"}


@pytest.mark.parametrize(("read", "document", "expected"), [
    (read_feature, {"key": "f", "type": "metered"}, [("meter", "is required for a metered feature")]),
    (read_feature, {"key": "f", "type": "boolean", "meter": "m"}, [("meter", "is for metered features")]),
    (read_feature, {"key": "f", "type": "counted"}, [("type", "must be one of boolean, static, metered")]),
    (read_coupon, {"key": "c", "duration": "once"}, [("percent_off", "either this or amount_off must be given")]),
    (read_coupon, {"key": "c", "percent_off": "5", "amount_off": "5", "currency": "USD"}, [("percent_off", "either this or amount_off must be given")]),
    (read_coupon, {"key": "c", "percent_off": "101"}, [("percent_off", "must be from 0 to 100")]),
    (read_coupon, {"key": "c", "amount_off": "5"}, [("currency", "is required")]),
    (read_coupon, {"key": "c", "amount_off": "5.5", "currency": "JPY"}, [("amount_off", "has more decimals than JPY has")]),
    (read_coupon, {"key": "c", "percent_off": "5", "duration": "twice"}, [("duration", 'must be once, forever or {"periods": n}')]),
    (read_coupon, {"key": "c", "percent_off": "5", "duration": {"periods": 0}}, [("duration.periods", "must be a whole number from 1 to 10000")]),
    (read_coupon, {"key": "c", "percent_off": "5", "max_redemptions": 0}, [("max_redemptions", "must be a whole number from 1 to 2147483647")]),
    (read_coupon, {"key": "c", "percent_off": "5", "max_redemptions_per_customer": "1"}, [("max_redemptions_per_customer", "must be a whole number from 1 to 2147483647")]),
    (read_coupon, {"key": "c", "percent_off": "5", "redeem_by": "2026-01-01"}, [("redeem_by", "must be an RFC 3339 time with an offset, like 2026-01-31T00:00:00Z")]),
    (read_coupon, {"key": "c", "percent_off": "5", "scope": {"item": ["a"]}}, [("scope.item", "is not a known field")]),
    (read_tax_rate, {"key": "t"}, [("percent", "is required")]),
    (read_tax_rate, {"key": "t", "percent": "-1"}, [("percent", "must be from 0 to 100")]),
    (read_tax_rate, {"key": "t", "percent": "5", "inclusive": "no"}, [("inclusive", "must be true or false")]),
])  # fmt: skip
def test_faults_of_the_rest(
    read: Callable[[object], object], document: Document, expected: list[tuple[str, str]]
) -> None:
    assert faults(read, document) == expected


def test_a_coupon_takes_the_usual_currency_for_an_amount_alone() -> None:
    amount = read_coupon({"key": "c", "amount_off": "5"}, currency="EUR")
    share = read_coupon({"key": "c", "percent_off": "5", "duration": "forever"}, currency="EUR")
    assert (amount.currency, amount.duration) == ("EUR", "once")
    assert (share.currency, share.duration) == (None, "forever")


def test_a_coupon_of_a_scope() -> None:
    document = {"key": "c", "percent_off": "5", "duration": {"periods": 3}}
    coupon = read_coupon({**document, "scope": {"items": ["a"], "plans": ["p"]}})
    assert (coupon.items, coupon.plans, coupon.periods) == (("a",), ("p",), 3)
