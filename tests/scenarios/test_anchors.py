"""The ten years of anchors, start by start: each invoice comes when the calendar says that its period begins."""

from datetime import datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cli.exact_yaml import read_yaml
from domain.calendar import Cycle
from domain.reading import instant
from domain.scenarios.scenario import Scenario, read_scenario
from domain.simulation.run import simulate

FILE = Path(__file__).parent / "anchors-for-ten-years.yaml"
STORY = read_scenario(read_yaml(FILE.read_text(encoding="utf-8")))
SUBSCRIBED = [entry.action for entry in STORY.timeline]
YORK = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def issued() -> dict[str, list[datetime]]:
    """When each subscription's invoices were issued."""
    found: dict[str, list[datetime]] = {}
    invoices: Any = simulate(STORY)["invoices"]
    for invoice in invoices:
        found.setdefault(invoice["subscription"], []).append(instant(invoice["issued_at"]))
    return found


def cycle_of(story: Scenario, subscribed: Any) -> Cycle:
    plan = story.plans[subscribed.phases[0].plan]
    timezone = story.actors[subscribed.customer].customer.timezone
    return Cycle(subscribed.starts_at, plan.interval, plan.anchor, timezone)


@pytest.mark.parametrize("subscribed", SUBSCRIBED, ids=lambda each: each.key)
def test_each_period_begins_when_the_calendar_says(
    issued: dict[str, list[datetime]], subscribed: Any
) -> None:
    starts = cycle_of(STORY, subscribed).starts(200)
    assert issued[subscribed.key] == list(takewhile(lambda at: at <= STORY.until, starts))


def test_the_31st_comes_back_at_midnight(issued: dict[str, list[datetime]]) -> None:
    local = [at.astimezone(YORK) for at in issued["last"]]
    assert len(local) == 121
    assert {(at.hour, at.minute) for at in local} == {(0, 0)}
    for at in local:
        assert at.day == 31 or (at + timedelta(days=1)).day == 1


def test_a_time_that_is_skipped_or_there_twice(issued: dict[str, list[datetime]]) -> None:
    skipped = {at.year: at.astimezone(YORK).strftime("%H:%M %z") for at in issued["skipped"]}
    assert (skipped[2026], skipped[2027], skipped[2032]) == ("02:30 -0400", "03:00 -0400", "03:00 -0400")  # fmt: skip
    twice = {at.year: at.astimezone(YORK).strftime("%H:%M %z") for at in issued["twice"]}
    assert (twice[2026], twice[2027], twice[2032]) == ("01:30 -0500", "01:30 -0400", "01:30 -0400")
