"""Features and what gives them, as their documents say."""

from collections.abc import Mapping
from datetime import timedelta
from fractions import Fraction as F
from typing import Any

import pytest

from domain.add_ons import read_add_on
from domain.catalog import read_plan
from domain.checks import Check, read_checks, read_override
from domain.errors import Invalid
from domain.features import entitlement_document, read_entitlement, read_feature
from domain.overrides import own_plan, read_overrides
from domain.plans import Entitlement, Feature
from domain.reading import Fields
from tests.makings import BASE, JAN

CALLS, SSO = Feature("calls", "metered", "calls"), Feature("sso", "boolean")
FEATURES = {"calls": CALLS, "sso": SSO, "region": Feature("region", "static")}
METERED = {"feature": "calls", "type": "metered"}
FULL = {
    **METERED, "limit": "10", "soft_limit": "8", "on_limit": "notify", "reset": "day", "carry_over": True, "carry_over_maximum": "5"
}  # fmt: skip


def faults(read: Any, *given: object) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as raised:
        read(*given)
    return [(fault.path, fault.message) for fault in raised.value.faults]


@pytest.mark.parametrize(("document", "entitlement"), [
    (METERED, Entitlement("calls", "metered")),
    (FULL, Entitlement("calls", "metered", True, F(10), "notify", F(8), "day", True, F(5))),
    ({"feature": "r", "type": "static", "value": "eu"}, Entitlement("r", "static", "eu")),
    ({"feature": "r", "type": "static", "value": "2.50"}, Entitlement("r", "static", "2.50")),
    ({"feature": "r", "type": "static", "value": 3}, Entitlement("r", "static", "3")),
    ({"feature": "r", "type": "static", "value": False}, Entitlement("r", "static", False)),
    ({"feature": "r", "type": "static", "value": ["a", "b"]}, Entitlement("r", "static", ("a", "b"))),
    ({"feature": "sso", "type": "boolean", "value": False}, Entitlement("sso", "boolean", False)),
])  # fmt: skip
def test_entitlements(document: Mapping[str, object], entitlement: Entitlement) -> None:
    assert read_entitlement(document) == entitlement
    assert read_entitlement(entitlement_document(entitlement)) == entitlement


@pytest.mark.parametrize(("document", "expected"), [
    ({**METERED, "limit": "-1"}, [("limit", "must not be negative")]),
    ({**METERED, "limit": "5", "soft_limit": "6"}, [("soft_limit", "must not be above the limit")]),
    ({**METERED, "carry_over": True}, [("carry_over", "is for what has a limit")]),
    ({**METERED, "limit": "5", "carry_over": True, "reset": "never"}, [("carry_over", "is for limits that are reset")]),
    ({**METERED, "limit": "5", "carry_over_maximum": "1"}, [("carry_over_maximum", "is for what is carried over")]),
    ({**METERED, "reset": "week"}, [("reset", "must be one of period, day, hour, never")]),
    ({**METERED, "value": "yes"}, [("value", "must be true or false")]),
    ({"feature": "r", "type": "static"}, [("value", "is required")]),
    ({"feature": "r", "type": "static", "value": 2.5}, [("value", "must be text, a decimal string, true, false, or a list of texts")]),
    ({"feature": "r", "type": "static", "value": ["a", 1]}, [("value.1", "must be text")]),
    ({"feature": "r", "type": "static", "value": "x", "soft_limit": "1"}, [("soft_limit", "is for metered features")]),
    ({"feature": "sso", "type": "boolean", "reset": "day"}, [("reset", "is for metered features")]),
])  # fmt: skip
def test_faults_of_entitlements(
    document: Mapping[str, object], expected: list[tuple[str, str]]
) -> None:
    assert faults(read_entitlement, document) == expected


def test_features() -> None:
    whole = {"key": "calls", "type": "metered", "meter": "calls", "combine": "sum"}
    assert read_feature(whole) == Feature("calls", "metered", "calls", "sum")
    assert faults(read_feature, {"key": "r", "type": "static", "meter": "m", "combine": "sum"}) == [
        ("meter", "is for metered features"),
        ("combine", "is for metered features"),
    ]


def test_checks_come_alone_or_together() -> None:
    one = {"customer": "acme", "feature": "calls"}
    assert read_checks(one) == Check("acme", "calls", F(1))
    assert read_checks({"checks": [one, {**one, "quantity": "2"}]}) == (
        Check("acme", "calls"),
        Check("acme", "calls", F(2)),
    )
    assert faults(read_checks, {"checks": [one, {**one, "quantity": "-1"}, {}]}) == [
        ("checks.1.quantity", "must not be negative"),
        ("checks.2.customer", "is required"),
        ("checks.2.feature", "is required"),
    ]
    assert faults(read_checks, {"checks": []}) == [("checks", "must have at least one entry")]
    assert faults(read_checks, {"checks": [one] * 101}) == [
        ("checks", "must have at most 100 entries")
    ]
    assert faults(read_checks, {**one, "checks": [one]})[0] == ("customer", "is not a known field")


@pytest.mark.parametrize(("document", "expected"), [
    ({"reason": "r"}, [("feature", "is required")]),
    ({"feature": "nothing", "reason": "r"}, [("feature", "there is no feature nothing")]),
    ({"feature": "calls"}, [("reason", "is required")]),
    ({"feature": "sso", "reason": "r", "value": False}, [("value", "takes nothing away: override the subscription, or remove the override")]),
    ({"feature": "sso", "reason": "r", "limit": "5"}, [("limit", "is for metered features")]),
    ({"feature": "calls", "reason": "r", "expires_at": "2026-01-01T00:00:00Z"}, [("expires_at", "is past")]),
    ({"feature": "calls", "reason": "r", "limits": "1"}, [("limits", "is not a known field")]),
])  # fmt: skip
def test_faults_of_overrides_for_a_customer(
    document: Mapping[str, object], expected: list[tuple[str, str]]
) -> None:
    assert faults(read_override, document, FEATURES, JAN) == expected


def test_an_override_for_a_customer() -> None:
    document = {
        "feature": "calls",
        "limit": "5",
        "reason": "promised",
        "expires_at": "2026-01-02T00:00:00Z",
    }
    given = read_override(document, FEATURES, JAN)
    assert given.entitlement == Entitlement("calls", "metered", limit=F(5))
    assert (given.reason, given.expires_at) == ("promised", JAN + timedelta(days=1))


def test_an_add_on_says_what_it_gives() -> None:
    price = {"model": "flat", "amount": "1"}
    command = read_add_on(Fields({"key": "more", "price": price, "entitlements": [FULL]}))
    assert command.document["entitlements"] == [FULL]
    fields = Fields({"key": "more", "price": price, "entitlements": [{**FULL, "limit": "x"}]})
    read_add_on(fields)
    assert faults(fields.done)[0][0] == "entitlements.0.limit"


def test_a_subscription_has_entitlements_of_its_own() -> None:
    document = {"key": "pro", "currency": "USD", "interval": {"unit": "month"}, "items": [BASE]}
    document |= {
        "entitlements": [
            {**METERED, "limit": "10", "soft_limit": "8"},
            {"feature": "sso", "type": "boolean"},
        ]
    }
    overrides = read_overrides(
        {"entitlements": {"calls": {"limit": "5", "soft_limit": None}, "sso": None}}
    )
    own = own_plan(document, overrides, read_plan).plan
    assert own.entitlements == (Entitlement("calls", "metered", limit=F(5)),)
    more = read_overrides({"entitlements": {"calls": {"limit": "5"}}})
    assert faults(own_plan, document, more, read_plan) == [
        ("overrides.entitlements.calls.soft_limit", "must not be above the limit")
    ]
    assert (
        faults(read_overrides, {"entitlements": {"calls": {"type": "boolean"}}})[0][0]
        == "entitlements.calls.type"
    )
    unknown = read_overrides({"entitlements": {"x": {"limit": "5"}}})
    assert faults(own_plan, document, unknown, read_plan) == [
        ("overrides.entitlements.x", "pro has no such entitlement")
    ]
