"""Who is entitled to a feature, by what, and what several sources of it come to together."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from fractions import Fraction as F
from typing import Any, Literal

import pytest

from domain import lifecycle
from domain.allowances import Allowance, check_allowance
from domain.entitlements import (
    Entitled,
    Override,
    Source,
    Standing,
    Use,
    allowance,
    combined,
    entitled,
    standing,
)
from domain.features import read_entitlement
from domain.plans import Combine, Entitlement, Feature
from domain.subscription import AddOn, Status
from tests.makings import FEB, JAN, MAR, day, facts, plan, subscription

SSO, CALLS, REGION = (
    Feature("sso", "boolean"),
    Feature("calls", "metered", "calls"),
    Feature("region", "static"),
)
PLAN = plan(
    entitlements=[
        {"feature": "sso", "type": "boolean"},
        {"feature": "off", "type": "boolean", "value": False},
        {"feature": "region", "type": "static", "value": False},
    ]
)
LIVING = lifecycle.begin(facts(PLAN), subscription(PLAN), JAN).subscription
OTHER = replace(LIVING, id="other", key="other")


def metered(limit: str | None = "10", **members: Any) -> Entitlement:
    """Of calls; amounts are written as decimals."""
    document = {"feature": "calls", "type": "metered", "limit": limit, **members}
    return read_entitlement(document)


def stands(*entitlements: Entitlement, **members: Any) -> Standing:
    return Standing(LIVING, tuple(Source("plan", each) for each in entitlements), **members)


def has(feature: Feature, *standings: Standing, override: Override | None = None) -> Entitled:
    return entitled(feature, standings, override, day(10))


def allowed(combine: Combine, standings: Sequence[Standing], *used: int) -> Allowance:
    feature = replace(CALLS, combine=combine)
    return allowance(feature, has(feature, *standings), [Use(F(each)) for each in used])


@pytest.mark.parametrize(("status", "feature", "gives"), [
    ("active", "sso", True),
    ("trialing", "sso", True),
    ("active", "region", True),  # a static value may be false
    ("active", "off", False),
    ("active", "unheard of", False),
    ("paused", "sso", None),
    ("cancelled", "sso", None),
    ("scheduled", "sso", None),
])  # fmt: skip
def test_what_a_subscription_gives(status: Status, feature: str, gives: bool | None) -> None:
    found = standing(replace(LIVING, status=status), PLAN, feature)
    assert (None if found is None else bool(found.sources)) == gives


@pytest.mark.parametrize(("status", "past_due", "on_past_due", "feature", "reason"), [
    ("incomplete", (), "continue", "sso", "incomplete"),
    ("incomplete", (), "continue", "off", "not_entitled"),
    ("active", ("i1",), "suspend", "sso", "past_due"),
    ("trialing", ("i1",), "suspend", "sso", "past_due"),
    ("active", ("i1",), "suspend", "unheard of", "not_entitled"),
    ("active", ("i1",), "continue", "sso", None),
])  # fmt: skip
def test_what_is_withheld_until_it_is_paid(
    status: Status,
    past_due: tuple[str, ...],
    on_past_due: Literal["continue", "suspend"],
    feature: str,
    reason: str | None,
) -> None:
    living = replace(LIVING, status=status, past_due=past_due)
    found = standing(living, replace(PLAN, on_past_due=on_past_due), feature)
    assert found is not None
    assert has(replace(SSO, key=feature), found).reason == reason


def test_an_add_on_gives_what_it_says_while_it_lives() -> None:
    document = {"key": "x", "kind": "recurring", "price": {"model": "flat", "amount": "1"}}
    given = [{"feature": "calls", "type": "metered", "limit": "5"}]
    add_on = AddOn("x", {**document, "entitlements": given}, JAN)
    living, removed = (
        replace(LIVING, add_ons=(each,)) for each in (add_on, replace(add_on, until=day(5)))
    )
    found = standing(living, PLAN, "calls")
    assert found is not None
    assert found.sources == (Source("add_on", metered("5")),)
    assert standing(removed, PLAN, "calls") == Standing(removed)


def test_a_boolean_feature_is_there_where_anything_gives_it() -> None:
    sso = Entitlement("sso", "boolean")
    late = Override(sso, JAN, expires_at=day(12))
    assert has(SSO).reason == "not_entitled"
    assert has(SSO, stands()).reason == "not_entitled"
    assert has(SSO, stands(), stands(sso)) == Entitled()
    assert has(SSO, override=late) == Entitled(valid_until=day(12))
    assert has(SSO, override=replace(late, expires_at=day(10))).reason == "not_entitled"
    withheld = stands(sso, withheld="past_due")
    assert has(SSO, withheld).reason == "past_due"
    assert has(SSO, withheld, stands(sso)).reason is None
    assert has(SSO, withheld, override=late).reason is None  # it does not hang on what is paid


def test_a_static_value_is_that_of_the_highest_precedence() -> None:
    def of(value: str) -> Entitlement:
        return Entitlement("region", "static", value)

    plans, older = stands(of("eu")), Source("add_on", of("us"))
    with_add_ons = replace(plans, sources=(*plans.sources, Source("add_on", of("asia")), older))
    assert has(REGION, plans, stands(of("af"))).value == "eu"
    assert has(REGION, plans, with_add_ons).value == "asia"  # the newest add-on stands first
    assert has(REGION, with_add_ons, override=Override(of("mars"), JAN)).value == "mars"


@pytest.mark.parametrize(("combine", "given", "expected"), [
    ("maximum", [metered("10"), metered("4")], metered("10")),
    ("sum", [metered("10"), metered("4")], metered("14")),
    ("sum", [metered("10"), metered(None)], metered(None)),
    ("maximum", [metered("10"), metered(None)], metered(None)),
    ("sum", [metered("10", soft_limit="8"), metered("4")], metered("14", soft_limit="12")),
    ("maximum", [metered("10", soft_limit="8"), metered("20")], metered("20")),
    ("maximum", [metered("10", soft_limit="8"), metered("9", soft_limit="9")], metered("10", soft_limit="9")),
    ("sum", [metered(None, soft_limit="8"), metered("4")], metered(None, soft_limit="12")),
    ("maximum", [metered("10"), metered("4", on_limit="allow")], metered("10", on_limit="allow")),
    ("sum", [metered("10", on_limit="notify"), metered("4")], metered("14", on_limit="notify")),
    ("sum", [metered("10", carry_over=True, carry_over_maximum="3"), metered("4")], metered("14", carry_over=True, carry_over_maximum="3")),
    ("sum", [metered("1", carry_over=True, carry_over_maximum="3"), metered("4", carry_over=True, carry_over_maximum="2")],
     metered("5", carry_over=True, carry_over_maximum="5")),
    ("maximum", [metered("1", carry_over=True, carry_over_maximum="3"), metered("4", carry_over=True)], metered("4", carry_over=True)),
])  # fmt: skip
def test_limits_of_one_subscription_together(
    combine: Combine, given: list[Entitlement], expected: Entitlement
) -> None:
    assert combined(given, combine) == expected


@pytest.mark.parametrize(("combine", "standings", "used", "limit", "counted"), [
    ("maximum", [stands(metered("10"))], [4], 10, 4),
    ("maximum", [stands(metered("10")), stands(metered("5"))], [8, 1], 5, 1),  # 2 and 4 are left
    ("maximum", [stands(metered("10")), stands(metered(None))], [8, 1], None, 1),
    ("maximum", [stands(metered("10")), stands(metered("5", on_limit="allow"))], [8, 9], 5, 9),
    ("sum", [stands(metered("10")), stands(metered("5"))], [8, 1], 15, 9),
    ("sum", [stands(metered("10")), stands(metered("5"))], [12, 1], 15, 11),  # 4 are left, as without the first
    ("sum", [stands(metered("10", reset="day"), metered("5"))], [3, 4], 15, 7),
    ("maximum", [stands(metered("10", reset="day"), metered("5"))], [9, 2], 5, 2),
])  # fmt: skip
def test_limits_of_several_subscriptions_and_resets(
    combine: Combine, standings: list[Standing], used: list[int], limit: object, counted: object
) -> None:
    found = allowed(combine, standings, *used)
    assert (found.limit, found.used) == (limit, counted)


def test_what_ends_first_ends_an_answer() -> None:
    daily = stands(metered("10", reset="day"), metered("10"))
    found = allowed("maximum", [daily], 9, 2)
    assert (found.resets_at, found.valid_until) == (FEB, day(11))
    never = allowed("maximum", [stands(metered("10", reset="never"))], 1)
    assert (never.resets_at, never.valid_until) == (None, FEB)


def test_an_override_is_reset_with_the_oldest_subscription_of_its_own() -> None:
    pooled = Standing(OTHER, (Source("plan", metered("3")),), is_own=False)
    more = Override(metered("50"), since=day(5))
    alone, *others = has(CALLS, pooled, override=more).claims[::-1]
    assert [c.subscription for c in (alone, *others)] == [None, OTHER]
    assert (alone.windows.current.start, alone.windows.current.end) == (day(5), FEB)
    (host, other) = has(CALLS, stands(), pooled, override=more).claims
    assert (host.subscription, host.entitlement.limit) == (LIVING, F(50))
    assert other.entitlement.limit == F(3)


@pytest.mark.parametrize(("maximum", "before", "limit"), [
    (None, [4], 16),
    (None, [12], 10),
    (None, [4, 0], 26),  # 6 were left, then 16
    (None, [4, 13], 13),
    ("2", [0], 12),
    ("2", [0, 11], 11),
])  # fmt: skip
def test_what_is_carried_over(maximum: str | None, before: list[int], limit: int) -> None:
    given = metered("10", carry_over=True, carry_over_maximum=maximum)
    use = Use(F(3), tuple(F(each) for each in before))
    found = allowance(CALLS, has(CALLS, stands(given)), [use])
    assert (found.limit, found.used) == (F(limit), F(3))


@pytest.mark.parametrize(("at", "index"), [(day(10), 0), (FEB, 1), (MAR, 2)])
def test_what_is_carried_over_begins_with_the_subscription(at: datetime, index: int) -> None:
    given = stands(metered("10", carry_over=True))
    (claim,) = entitled(CALLS, [given], None, at).claims
    assert len(claim.measured) == index + 1
    (without,) = entitled(CALLS, [stands(metered("10"))], None, at).claims
    assert without.measured == claim.measured[-1:]


def test_nothing_of_a_feature_is_used_where_it_is_not_metered() -> None:
    found = allowance(SSO, has(SSO, stands(Entitlement("sso", "boolean"))), [])
    assert check_allowance(found, F(1)).allowed
    refused = check_allowance(allowance(SSO, has(SSO), []), F(0))
    assert (refused.allowed, refused.reason) == (False, "not_entitled")
