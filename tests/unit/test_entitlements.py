"""Who is entitled to a feature, how far a limit goes, and for which period."""

from dataclasses import replace
from fractions import Fraction as F

import pytest

from domain import lifecycle
from domain.calendar import Period
from domain.entitlements import (
    NOT_ENTITLED,
    Checked,
    best,
    check_entitlement,
    entitlement_to,
    limited_period,
)
from domain.plans import Entitlement
from domain.subscription import Status
from tests.makings import FEB, FEBRUARY, JAN, JANUARY, day, facts, plan, subscription

PLAN = plan(
    entitlements=[
        {"feature": "sso", "type": "boolean"},
        {"feature": "off", "type": "boolean", "value": False},
    ]
)
TRIAL = plan(trial={"unit": "day", "count": 14})
LIVING = lifecycle.begin(facts(PLAN), subscription(PLAN), JAN).subscription


@pytest.mark.parametrize(("limit", "on_limit", "used", "quantity", "allowed", "reason"), [
    ("10", "block", 8, 2, True, None),
    ("10", "block", 8, 3, False, "limit_reached"),
    ("10", "block", 10, 0, True, None),
    ("10", "block", 12, 0, False, "limit_reached"),
    ("10", "allow", 12, 1, True, "limit_reached"),
    ("10", "notify", 12, 1, True, "limit_reached"),
    (None, "block", 12, 1000, True, None),
    ("0", "block", 0, 1, False, "limit_reached"),
])  # fmt: skip
def test_limits(
    limit: str | None, on_limit: str, used: int, quantity: int, allowed: bool, reason: str | None
) -> None:
    bound = None if limit is None else F(limit)
    entitlement = Entitlement("calls", "metered", True, bound, on_limit)  # type: ignore[arg-type]  # of the table
    assert check_entitlement(entitlement, F(used), F(quantity), JANUARY) == Checked(
        allowed, F(used), bound, FEB, reason
    )


def test_a_boolean_feature_has_neither_use_nor_limit() -> None:
    assert check_entitlement(Entitlement("sso", "boolean"), F(0), F(1), JANUARY) == Checked(True)


@pytest.mark.parametrize(("status", "feature", "entitled"), [
    ("active", "sso", True),
    ("trialing", "sso", True),
    ("active", "off", False),
    ("active", "unheard of", False),
    ("paused", "sso", False),
    ("cancelled", "sso", False),
    ("scheduled", "sso", False),
])  # fmt: skip
def test_who_is_entitled(status: Status, feature: str, entitled: bool) -> None:
    found = entitlement_to(replace(LIVING, status=status), PLAN, feature)
    assert (found is not None) == entitled


def test_the_period_of_a_limit() -> None:
    trialing = lifecycle.begin(facts(TRIAL), subscription(TRIAL), JAN).subscription
    assert limited_period(trialing, day(3)) == Period(JAN, day(15))
    assert limited_period(LIVING, day(3)) == JANUARY
    assert limited_period(LIVING, FEB) == FEBRUARY  # though the period is not closed yet


def test_one_subscription_that_allows_it_is_enough() -> None:
    no, yes = Checked(False, F(5), F(1)), Checked(True, F(5), F(9))
    assert best([no, yes]) == yes
    assert best([no, replace(no, limit=F(2))]) == no
    assert best([]) == NOT_ENTITLED
