"""A change of plan that is meant for one version: it is not made where somebody has moved the subscription meanwhile."""

from dataclasses import replace

import pytest

from domain import lifecycle
from domain.commands import ChangePlan
from domain.errors import Conflict
from domain.plans import PlanRef
from domain.subscription import Subscription
from tests.makings import day, plan, subscription

ONE, TWO, THREE = (PlanRef("pro", version) for version in (1, 2, 3))
ON_ONE = subscription(plan())
MOVE = ChangePlan(TWO, "period_end", if_on=ONE)


@pytest.mark.parametrize(
    "living",
    [ON_ONE, replace(ON_ONE, next_plan=THREE), replace(ON_ONE, status="paused")],
    ids=["on it", "to move to another version", "paused"],
)
def test_who_is_on_the_version_is_moved(living: Subscription) -> None:
    lifecycle.check(living, MOVE, day(3))


@pytest.mark.parametrize(
    ("living", "reason"),
    [
        (replace(ON_ONE, plan=TWO), "s1 is on version 2 of pro by now"),
        (replace(ON_ONE, plan=PlanRef("scale", 1)), "s1 is on version 1 of scale by now"),
        (replace(ON_ONE, next_plan=PlanRef("scale", 1)), "s1 changes to scale at the period's end"),
        (replace(ON_ONE, cancels_at_period_end=True), "s1 is cancelled at the period's end"),
        (replace(ON_ONE, status="cancelled"), "s1 is cancelled"),
    ],
)
def test_who_has_moved_meanwhile_is_left_alone(living: Subscription, reason: str) -> None:
    with pytest.raises(Conflict) as refused:
        lifecycle.check(living, MOVE, day(3))
    assert str(refused.value) == reason
