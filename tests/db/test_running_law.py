"""What runs up for a life is at every look what the pure rules say of all its windows and all its usage up to there,
however old it is, in whatever order its usage comes, and however far the pump is.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

import db.running_facts
from db import usage_tail
from db.billed_usage import BilledWindow, billed_windows, windows_since
from db.foresight import Foresight
from db.ids import new_id
from db.meters import KeptMeter, kept_meters
from db.plans import add_version, lock_plan
from db.pools import consumer_of
from db.running import mark_running, rate_running
from db.running_facts import Payer
from db.session import Database
from db.subscriptions import state_of
from db.tenants import Environment
from db.usage import usage_for
from db.usage_horizon import cut_off, wait_for_horizon
from db.usage_of_many import Asked, usage_of_many
from db.usage_pump import pump_once, pump_step
from db.usage_voids import void_event
from domain.commands import Cancel, ChangePlan
from domain.money import Money, total
from domain.plans import PlanRef
from domain.pricing.usage import Usage
from domain.running import billed_usage, running_needs, running_up
from tests.billing_world import JANUARY, METERED, PRO, TOKENS, World, open_world
from tests.db.test_wallets import wallet
from tests.usage_world import add_meter, an_event, send

DAY = timedelta(days=1)
TURNS = 60
PEAK = {**TOKENS, "key": "peak", "aggregation": "max"}
SEATS = {**TOKENS, "key": "seats", "value": "seats", "carry_over": True}
LATER = {**TOKENS, "key": "later", "event_name": "other"}
TIERS = [{"up_to": "5000", "unit_amount": "0.01"}, {"up_to": None, "unit_amount": "0.003"}]


def priced(meter: str, amount: str) -> Mapping[str, Any]:
    return {
        **METERED,
        "key": meter,
        "meter": meter,
        "price": {"model": "per_unit", "unit_amount": amount},
    }


PLAN = {
    **PRO,
    "items": [
        {**METERED, "price": {"model": "graduated", "tiers": TIERS}},
        priced("peak", "0.05"),
    ],
}
LEVELS = {**PLAN, "items": [*PLAN["items"], priced("seats", "0.25")]}
OTHER = {**PLAN, "key": "other", "items": [priced("tokens", "0.02"), priced("later", "0.01")]}


class Life:
    """A life on a test clock that shows `now`, and what was sent of its usage."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world, self.chance = world, chance
        self.now = JANUARY
        self.events: list[str] = []
        self.plans = ["pro", "other"]

    async def use(self) -> None:
        """Mostly of now, sometimes of any day since the beginning."""
        late = self.chance.random() < 0.3
        since = JANUARY if late else max(JANUARY, self.now - 2 * DAY)
        time = since + (self.now - since) * self.chance.random()
        name = self.chance.choice(["llm", "llm", "other"])
        await self.use_at(time, self.chance.choice([-300, 100, 700, 5_000]), name)

    async def use_at(self, time: datetime, tokens: int = 700, name: str = "llm") -> None:
        used = {"tokens": str(tokens), "seats": str(self.chance.choice([-3, 1, 2]))}
        event = an_event(new_id("evt"), time=time, event_name=name, properties=used)
        assert (await send(self.world.database, self.world.environment, [event])).accepted
        self.events.append(event.id)

    async def void(self) -> None:
        if self.events:
            event = self.events.pop(self.chance.randrange(len(self.events)))
            async with self.world.database.transaction(self.world.environment) as connection:
                await void_event(connection, self.world.environment, event, "a mistake")

    async def wait(self) -> None:
        await self._stand_at(self.now + self.chance.randint(1, 20) * DAY)

    async def until_the_next_period(self) -> None:
        period = self.world.subscription.period
        assert period is not None
        await self._stand_at(max(self.now, period.end))
        while (period := self.world.subscription.period) and period.end <= self.now:
            await self.close()

    async def _stand_at(self, now: datetime) -> None:
        self.now = now
        async with self.world.database.transaction(self.world.environment) as connection:
            await connection.execute(text("UPDATE test_clocks SET now = :now"), {"now": self.now})

    async def close(self) -> None:
        """Where the period is over; in its grace until then."""
        period = self.world.subscription.period
        assert period is not None
        if period.end <= self.now:
            await self.world.end_period(self.now)

    async def have_another_plan(self) -> None:
        """From here on, by a meter that has to catch up."""
        environment = self.world.environment
        async with self.world.database.transaction(environment) as connection:
            await add_meter(connection, environment, LATER)
            plan = await lock_plan(connection, environment, new_id("pln"), "other")
            await add_version(connection, environment, plan, OTHER)

    async def change(self) -> None:
        period = self.world.subscription.period
        assert period is not None
        if self.now < period.end:
            other = PlanRef(self.chance.choice(self.plans), 1)
            if other != self.world.subscription.plan:
                await self.world.ask(ChangePlan(other, "immediately"), self.now)

    async def end(self) -> None:
        await self.until_the_next_period()
        await self.world.ask(Cancel("immediately", "none"), self.now)

    async def pump(self) -> None:
        await wait_for_horizon(self.world.database)
        limit = self.chance.randint(1, 4)
        await pump_step(self.world.database, self.world.environment, limit)

    async def look(self) -> None:
        """Rate, and hold it against the rules."""
        payer = Payer(self.world.customer, "USD")
        async with self.world.database.transaction(self.world.environment) as connection:
            await mark_running(connection, {payer.customer: JANUARY})
        await wait_for_horizon(self.world.database)  # whatever other tests have open
        await rate_running(self.world.database, self.world.environment, payer)
        assert (await wallet(self.world)).running == await self.expected()

    async def expected(self) -> Money:
        """With all windows that were billed before what is counted now, as if each might have been reached."""
        world = self.world
        async with world.database.transaction(world.environment, "REPEATABLE READ") as connection:
            kept = {each.meter.key: each for each in await kept_meters(connection)}
            meters = {key: each.meter for key, each in kept.items()}
            until = max(each.rolled_up_to for each in kept.values()) or await cut_off(connection)
            foresight = Foresight(connection, until)
            living = await state_of(connection, world.subscription.id)
            ahead = await foresight.of(living, "period_end")
            windows = await billed_windows(connection, living.id)
            every = tuple(window.billed for window in windows if window.cut_off < until)
            facts = replace(ahead.facts, billed=every, grants=(), credit_notes=())
            ahead = replace(ahead, facts=facts)
            is_waiting = living.period is not None and living.period.end <= self.now
            if is_waiting and not living.is_over:
                ahead = await foresight.until(ahead, self.now)
            living, facts = ahead.subscription, ahead.facts
            consumer = await consumer_of(connection, living, until)
            needs = running_needs(living, facts)
            used = await usage_for(connection, consumer, needs, meters, until)
            closed = [billed_usage(invoice.lines, "USD") for invoice in ahead.invoices]
            up = running_up(replace(facts, usage=used), living, self.now)
            return total([*closed, up], "USD")


async def begun(
    database: Database, environment: Environment, plan: Mapping[str, Any], chance: random.Random
) -> Life:
    world = await open_world(database, environment, plan)
    async with database.transaction(environment.id) as connection:
        for meter in (PEAK, SEATS):
            await add_meter(connection, environment.id, meter)
    await world.begin()
    await world.grant(10_000_000)
    return Life(world, chance)


@pytest.mark.parametrize("plan", [PLAN, LEVELS], ids=["plain", "levels"])
@pytest.mark.parametrize("seed", range(3))
async def test_what_runs_up_is_what_the_rules_say(
    database: Database,
    environment: Environment,
    plan: Mapping[str, Any],
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chance = random.Random(seed)
    if seed % 2:
        monkeypatch.setattr(usage_tail, "MOST_READ_WHOLE", 1)
    life = await begun(database, environment, plan, chance)
    turns = [life.use, life.void, life.wait, life.close, life.pump, life.look]
    weights = [8, 1, 2, 3, 4, 4]
    for turn in range(TURNS):
        if turn == TURNS // 2:
            await life.have_another_plan()
            turns, weights = [*turns, life.change], [*weights, 1]
        (what,) = chance.choices(turns, weights)
        await what()
    await life.end()
    for _ in range(2):
        await wait_for_horizon(database)
        await pump_once(database, environment.id)
        await life.look()
        await life.use_at(JANUARY + DAY)


async def test_of_an_old_life_only_windows_that_usage_has_reached_are_read(
    database: Database, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = await begun(database, environment, PLAN, random.Random(0))
    ends: list[datetime] = []

    async def noted(
        connection: AsyncConnection, since: Mapping[str, datetime]
    ) -> dict[str, tuple[BilledWindow, ...]]:
        found = await windows_since(connection, since)
        ends.extend(each.billed.window.end for those in found.values() for each in those)
        return found

    monkeypatch.setattr(db.running_facts, "windows_since", noted)

    async def looked() -> set[datetime]:
        ends.clear()
        await pump_once(database, environment.id)
        await life.look()
        return {*ends}

    for _ in range(6):
        await life.use_at(life.now)
        await life.until_the_next_period()
    await looked()  # for the first time, at all of them
    await life.use_at(life.now)
    assert await looked() == set()
    months = [datetime(2026, month, 1, tzinfo=UTC) for month in (4, 5, 6, 7)]
    await life.use_at(months[0] + DAY)
    for _ in range(2):
        assert await looked() == {*months[1:]}  # late in one, and it stays so
        await life.use_at(life.now)
    await life.until_the_next_period()
    await looked()
    await life.use_at(life.now)
    assert await looked() == set()


async def test_periods_in_their_grace_are_rated_together(
    database: Database, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await open_world(database, environment)
    lives = [world, *[await world.sibling(f"s{number}") for number in range(2, 5)]]
    for each in lives:
        await each.begin()
    await world.grant(10_000)
    await world.use("e1", 700, JANUARY + DAY)
    async with database.transaction(environment.id) as connection:
        await connection.execute(text("UPDATE test_clocks SET now = '2026-02-02T00:00:00Z'"))
    await wait_for_horizon(database)
    await pump_once(database, environment.id)
    asked: list[int] = []

    async def noted(
        connection: AsyncConnection,
        those: Sequence[Asked],
        meters: Mapping[str, KeptMeter],
        cutoff: int,
    ) -> dict[Asked, Usage]:
        asked.append(len({each.consumer.subscription for each in those}))
        return await usage_of_many(connection, those, meters, cutoff)

    monkeypatch.setattr(db.running_facts, "usage_of_many", noted)
    await rate_running(database, environment.id, Payer(world.customer, "USD"))
    assert asked == [4, 4]  # of the periods that are over, and of those after them
    assert str((await wallet(world)).running) == "28.00"
