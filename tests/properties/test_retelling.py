"""A life told again is the same life: as it was, and on the one plan that it was on all along, to the cent."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.account import Facts, Outcome
from domain.ahead import Ahead
from domain.commands import Command, Request, Transfer
from domain.deciding import Taking
from domain.errors import Rejected
from domain.invoices import Invoice
from domain.retelling import Past, begun_on, retell, under_one_plan
from domain.scenarios.scenario import Scenario
from domain.simulation.acting import act
from domain.simulation.dues import Moment
from domain.simulation.world import World
from domain.subscription import Phase, Subscription
from tests.makings import BASE, SEATS
from tests.properties.test_previews import (
    LEVEL,
    MONTH,
    UNTIL,
    USE,
    Change,
    as_issued,
    asked,
    scenario,
    uses,
)

plans = st.fixed_dictionaries(
    {
        "interval": st.just(MONTH),
        "items": st.sampled_from([[BASE, SEATS], [BASE, SEATS, USE, LEVEL]]),
        "proration": st.sampled_from(["second", "day"]),
    },
    optional={
        "trial": st.just({"unit": "day", "count": 9}),
        "credits": st.just([{"key": "gift", "amount": "7.50", "every_period": True}]),
        "minimum_commitment": st.just("60.00"),
        "invoice_grace": st.just({"unit": "day", "count": 3}),
    },
)
starts = st.tuples(st.integers(0, 40), st.sampled_from([0, 0, 2, 32, 70]))


def without_other_plans(changed: list[tuple[int, Change]]) -> list[tuple[int, Change]]:
    return [each for each in changed if each[1][0] != "change_plan"]


def stories(changed: st.SearchStrategy[Any]) -> st.SearchStrategy[Scenario]:
    """With all usage known in time, and no credits but the plans'."""
    told = st.builds(scenario, plans, plans, starts, uses, changed, st.just(0))
    return told.map(
        lambda each: replace(each, timeline=tuple(e for e in each.timeline if e.name != "grant"))
    )


class Remembering(World):
    """A world that keeps how the life of s1 began, and what was asked of it."""

    def __init__(self, told: Scenario) -> None:
        super().__init__(told)
        self.past: list[Past] = []

    def live(self) -> Subscription:
        """Through the whole story; how the life began."""
        begun: list[Subscription] = []
        for entry in self.scenario.timeline:
            self.live_until(Moment(entry.at, Phase.ARRIVED))
            act(self, entry)
            if entry.name == "subscribe":
                begun.append(self.books.subscription("s1"))
        self.live_until(Moment(UNTIL, Phase.DONE))
        return begun[0]

    def carry_out(self, key: str, command: Command, at: datetime, request: str) -> Outcome:
        """What is refused may have closed a period in its grace, and is refused again; but for a transfer, which under
        another plan is a cancel.
        """
        if key == "s1":
            self.past.append(Past(Request(request, command), at))
        try:
            return super().carry_out(key, command, at, request)
        except Rejected:
            if key == "s1" and isinstance(command, Transfer):
                self.past.pop()
            raise

    def told_again(self, begun: Subscription, past: Sequence[Past]) -> list[Invoice]:
        facts = Facts(self.books.customer("acme"), self.books.plans, self.scenario.meters)
        told = retell(Ahead(begun, facts), past, UNTIL, Phase.DONE, self.take)
        return list(asyncio.run(told).ahead.invoices)

    async def take(self, ahead: Ahead, taking: Taking) -> Ahead:
        living, needs = ahead.subscription, ahead.needs(taking)
        used = self.books.used(living, needs)
        return ahead.after(taking, used)

    @property
    def issued(self) -> list[Invoice]:
        return [as_issued(i) for i in self.books.invoices.values() if i.subscription == "s1"]


@settings(max_examples=150)
@given(stories(asked))
def test_told_again_it_brings_the_same_documents(told: Scenario) -> None:
    """Changes of plan within a period, pauses, quantities, and whatever else is asked of it included."""
    world = Remembering(told)
    begun = world.live()
    assert world.told_again(begun, world.past) == world.issued


@settings(max_examples=150)
@given(stories(asked.map(without_other_plans)))
def test_on_the_plan_that_it_was_on_it_costs_what_it_cost(told: Scenario) -> None:
    world = Remembering(told)
    begun = begun_on(world.live(), told.plans["pro"], {})
    assert world.told_again(begun, under_one_plan(world.past)) == world.issued
