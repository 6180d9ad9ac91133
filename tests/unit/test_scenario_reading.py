"""A scenario file is read whole, and refused with the path of every fault."""

from datetime import UTC, datetime
from fractions import Fraction as F
from typing import Any

import pytest

from domain import commands
from domain.errors import Invalid
from domain.reading import InexactNumber
from domain.scenarios import actions
from domain.scenarios.changing import Change, Override, ToPlan
from domain.scenarios.scenario import Attempted, Scenario, read_scenario
from tests.makings import BASE, CALLS

AT = "2026-01-01T00:00:00Z"
METER = {"key": "calls", "event_name": "call", "aggregation": "count"}
STORY: dict[str, Any] = {
    "name": "a story",
    "currency": "USD",
    "meters": [METER],
    "plans": [{"key": "pro", "interval": {"unit": "month"}, "items": [BASE, CALLS]}],
    "coupons": [{"key": "gift", "amount_off": "5"}],
    "tax_rates": [{"key": "vat", "percent": "20"}],
    "customers": [{"key": "acme", "tax_rates": ["vat"]}],
    "timeline": [],
    "until": "2026-03-01T00:00:00Z",
}


def story(**members: Any) -> Scenario:
    return read_scenario({**STORY, **members})


def entry(name: str, at: str = AT, **members: Any) -> dict[str, Any]:
    return {"at": at, name: members}


def faults(**members: Any) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        story(**members)
    return [(fault.path, fault.message) for fault in refused.value.faults]


def test_a_story_without_events() -> None:
    read = story()
    assert (read.name, read.currency, read.until) == (
        "a story",
        "USD",
        datetime(2026, 3, 1, tzinfo=UTC),
    )
    assert (read.plans["pro"].currency, read.coupons["gift"].currency) == ("USD", "USD")
    assert [rate.key for rate in read.actors["acme"].customer.tax_rates] == ["vat"]
    assert read.actors["acme"].outcomes == (Attempted("succeeded"),)


def test_the_least_that_a_story_has() -> None:
    read = read_scenario({"currency": "USD", "until": AT})
    assert (read.name, read.timeline, read.plans) == ("", (), {})


def test_how_the_provider_answers() -> None:
    outcomes = ["succeeded", "declined:lost_card", "declined", "requires_action"]
    read = story(customers=[{"key": "acme", "payment": {"outcomes": outcomes}}])
    assert read.actors["acme"].outcomes == (
        Attempted("succeeded"),
        Attempted("failed", "lost_card"),
        Attempted("failed", "generic_decline"),
        Attempted("requires_action"),
    )


@pytest.mark.parametrize(("read", "expected"), [
    (entry("subscribe", key="s1", customer="acme", plan="pro", quantities={"seats": 3}, coupons=["gift"]),
     actions.Subscribe("s1", "acme", (actions.Phase("pro", {"seats": F(3)}),), ("gift",))),
    (entry("change_plan", subscription="s1", plan="pro"), Change("s1", ToPlan("pro"))),
    (entry("change_plan", subscription="s1", plan="pro", overrides={"minimum_commitment": "9"}),
     Change("s1", ToPlan("pro", {"minimum_commitment": "9"}))),
    (entry("override", subscription="s1", overrides=None), Change("s1", Override({}))),
    (entry("set_quantity", subscription="s1", item="seats", quantity="-1"), Change("s1", commands.SetQuantity("seats", F(-1)))),
    (entry("add_on", subscription="s1", key="setup", amount="9.99"), Change("s1", commands.ChargeOnce("setup", "setup", F("9.99"), F(1)))),
    (entry("cancel", subscription="s1"), Change("s1", commands.Cancel("period_end", "credit"), "period_end")),
    (entry("pause", subscription="s1"), Change("s1", commands.Pause())),
    (entry("resume", subscription="s1"), Change("s1", commands.Resume())),
    (entry("check", customer="acme", feature="sso"), actions.Check("acme", "sso", F(1))),
    (entry("balance", customer="acme"), actions.Balance("acme", None)),
    (entry("payment_method", customer="acme"), actions.Pay("acme", new_method=True)),
    (entry("pay", customer="acme"), actions.Pay("acme", new_method=False)),
    (entry("usage", customer="acme", event_name="call", id="e1"), actions.Usage("acme", "call", {}, "e1")),
    (entry("void_usage", id="e1", reason="sent twice"), actions.VoidUsage("e1", "sent twice")),
])  # fmt: skip
def test_actions(read: dict[str, Any], expected: actions.Action) -> None:
    (found,) = story(timeline=[read]).timeline
    assert found.action == expected


def test_entries_happen_by_their_times_and_then_as_in_the_file() -> None:
    late, early = entry("pay", at="2026-01-02T00:00:00Z", customer="c"), entry("pay", customer="b")
    read = story(timeline=[late, early, entry("pay", customer="a")])
    assert [each.number for each in read.timeline] == [2, 3, 1]


def test_nothing_happens_after_the_end() -> None:
    at_the_end = entry("pay", at="2026-03-01T00:00:00Z", customer="a")
    after = entry("pay", at="2026-03-01T00:00:01Z", customer="b")
    assert [each.number for each in story(timeline=[after, at_the_end]).timeline] == [2]


def test_a_story_of_too_many_entries_is_refused_before_they_are_told() -> None:
    every = entry("usage", customer="acme", event_name="call", every={"unit": "hour"}, times=50)
    long = {**STORY, "timeline": [every, every]}
    assert len(read_scenario(long, most=100).timeline) == 100
    with pytest.raises(Invalid, match="timeline: comes to more than 99 entries"):
        read_scenario(long, most=99)


def test_usage_that_repeats_keeps_the_customers_clock() -> None:
    usage = {"customer": "acme", "event_name": "call", "time": "2026-01-30T00:00:00Z"}
    repeated = entry("usage", at="2026-01-31T00:00:00Z", **usage, every={"unit": "month"}, times=5)
    found = [(each.at, each.action) for each in story(timeline=[repeated]).timeline]
    assert [at.day for at, _ in found] == [31, 28]  # the third is after the end
    times = [use.time for _, use in found if isinstance(use, actions.Usage) and use.time]
    assert [(time.month, time.day) for time in times] == [(1, 30), (2, 28)]


@pytest.mark.parametrize(("members", "expected"), [
    ({"currency": None}, [("currency", "must be an ISO 4217 currency code in upper case, like USD")]),
    ({"until": None}, [("until", "must be an RFC 3339 time with an offset, like 2026-01-31T00:00:00Z")]),
    ({"until": "2026-03-01T00:00:00"}, [("until", "must be an RFC 3339 time with an offset, like 2026-01-31T00:00:00Z")]),
    ({"expcet": {}}, [("expcet", "is not a known field")]),
    ({"meters": [METER, METER]}, [("meters.1.key", "is there twice: calls")]),
    ({"meters": []}, [("plans.0.items.1.meter", "there is no meter calls")]),
    ({"features": [{"key": "f", "type": "metered", "meter": "none"}]}, [("features.0.meter", "there is no meter none")]),
    ({"customers": [{"key": "acme", "tax_rates": ["none"]}]}, [("customers.0.tax_rates.0", "there is no tax rate none")]),
    ({"customers": [{"key": "acme", "timezone": "Mars"}]}, [("customers.0.timezone", "must be the name of a timezone, like UTC or America/New_York")]),
    ({"customers": [{"key": "acme", "payment": {"outcomes": []}}]}, [("customers.0.payment.outcomes", "must have at least one")]),
    ({"customers": [{"key": "acme", "payment": {"outcomes": ["maybe"]}}]}, [("customers.0.payment.outcomes.0", "must be succeeded, declined:<code> or requires_action")]),
    ({"timeline": {}}, [("timeline", "must be a list")]),
    ({"timeline": [{"at": AT}]}, [("timeline.0", f"must have one action, of {', '.join(actions.ACTIONS)}")]),
    ({"timeline": [{"at": AT, "explode": {}}]}, [("timeline.0", f"must have one action, of {', '.join(actions.ACTIONS)}"), ("timeline.0.explode", "is not a known field")]),
    ({"timeline": [{"at": AT, "pause": {"subscription": "s"}, "resume": {"subscription": "s"}}]}, [("timeline.0", f"must have one action, of {', '.join(actions.ACTIONS)}"), ("timeline.0.pause", "is not a known field"), ("timeline.0.resume", "is not a known field")]),
    ({"timeline": [entry("pause")]}, [("timeline.0.pause.subscription", "is required")]),
    ({"timeline": [entry("cancel", subscription="s", when="now")]}, [("timeline.0.cancel.when", "is not a known field")]),
    ({"timeline": [entry("cancel", subscription="s", unused="keep")]}, [("timeline.0.cancel.unused", "must be one of credit, refund, none")]),
    ({"timeline": [entry("override", subscription="s")]}, [("timeline.0.override.overrides", "is required")]),
    ({"timeline": [entry("override", subscription="s", overrides={"items": {"a": {"price": 1}}})]}, [("timeline.0.override.overrides.items.a.price", "must be an object")]),
    ({"timeline": [entry("usage", customer="c", event_name="e", times=3)]}, [("timeline.0.usage.every", "is required where there is times")]),
    ({"timeline": [entry("usage", customer="c", event_name="e", id="i", every={"unit": "day"}, times=3)]}, [("timeline.0.usage.id", "is of one event: without it, each repetition has its own")]),
    ({"timeline": [entry("usage", customer="c", event_name="e", properties={"n": InexactNumber("1.5")})]}, [("timeline.0.usage.properties.n", "the number 1.5 may have lost digits: send it as a string")]),
    ({"timeline": [entry("void_usage", id="e")]}, [("timeline.0.void_usage.reason", "is required")]),
    ({"timeline": [entry("void_usage", customer="c", id="e", reason="")]}, [("timeline.0.void_usage.reason", "must have from 1 to 2000 characters"), ("timeline.0.void_usage.customer", "is not a known field")]),
    ({"timeline": [entry("set_quantity", subscription="s", item="i", quantity=InexactNumber("1.5"))]}, [("timeline.0.set_quantity.quantity", "the number 1.5 may have lost digits: send it as a string")]),
    ({"timeline": [entry("grant", key="g", customer="c", amount="1", kind="gift")]}, [("timeline.0.grant.kind", "must be one of prepaid, promotional")]),
])  # fmt: skip
def test_faults(members: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert faults(**members) == expected


def test_every_fault_is_told() -> None:
    found = faults(currency="usd", until="soon", plans=[{"key": "pro"}], timeline=[entry("pay")])
    assert [path for path, _ in found] == [
        "currency",
        "plans.0.interval",
        "timeline.0.pay.customer",
        "until",
    ]


@pytest.mark.parametrize("value", [None, 5, "story", []])
def test_a_story_is_an_object(value: object) -> None:
    with pytest.raises(Invalid, match="must be an object"):
        read_scenario(value)
