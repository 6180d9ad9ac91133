"""Phases that could never begin are refused before the first one does."""

from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from domain.errors import Invalid
from domain.phases import Phase, check_plans, scheduled
from domain.plans import Plan
from tests.makings import BASE, JAN, SEATS, plan

PRO, SCALE = plan(BASE, SEATS), plan(SEATS, key="scale")
YEN = plan(BASE, key="yen", currency="JPY")


@pytest.mark.parametrize(
    ("second", "quantities", "path"),
    [
        pytest.param(SCALE, {"seats": 4}, None, id="fits"),
        pytest.param(YEN, {}, "phases.1.plan", id="another currency"),
        pytest.param(SCALE, {"base": 4}, "phases.1.quantities.base", id="an item it lacks"),
        pytest.param(SCALE, {"seats": -1}, "phases.1.quantities.seats", id="negative"),
    ],
)
def test_a_later_phase(second: Plan, quantities: dict[str, int], path: str | None) -> None:
    wanted = {key: Fraction(value) for key, value in quantities.items()}
    phases = [Phase(PRO.ref, 1), Phase(second.ref, quantities=wanted)]
    assert refused(check_plans, [PRO, second], phases) == path


@pytest.mark.parametrize("end", [JAN, JAN - timedelta(days=1)])
def test_an_end_that_is_not_after_the_start(end: datetime) -> None:
    assert refused(scheduled, [Phase(PRO.ref)], JAN, end) == "ends_at"


def refused(rule: Any, *of: Any) -> str | None:
    try:
        rule(*of)
    except Invalid as invalid:
        return invalid.faults[0].path
    return None
