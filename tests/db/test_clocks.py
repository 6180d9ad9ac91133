"""A test clock goes from moment to moment, and those who live on it act in the order of what is due."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities import clock as clock_steps
from activities.clock import ClockSteps
from activities.steps import AdvanceClock, Arrival, Moment
from db.clocks import arrive_idly, find_clock
from db.session import Database
from db.tenants import Environment
from domain.commands import Cancel
from domain.errors import Conflict, Corrupt, NotFound
from domain.subscription import Phase
from tests.billing_world import FEBRUARY, JANUARY, MARCH, PRO, World, open_world
from tests.lives_on_paper import LivesOnPaper

AS_USED = {**PRO, "items": [{**PRO["items"][1], "charged": "in_advance"}]}


class Clock:
    """A clock, those who live on it, and what each was told."""

    def __init__(self, *worlds: World) -> None:
        self.worlds = {world.subscription.id: world for world in worlds}
        self.world = worlds[0]
        self.lives = LivesOnPaper()
        self.lives.on_advance = self._act
        self.acted: list[tuple[str, datetime]] = []

    @property
    def id(self) -> str:
        assert self.world.subscription.test_clock is not None
        return self.world.subscription.test_clock

    async def advance(self, to: Moment) -> None:
        steps = ClockSteps(self.world.database, self.lives)
        await ActivityEnvironment().run(
            steps.advance_clock, AdvanceClock(self.world.environment, self.id, to)
        )

    async def stands(self) -> tuple[datetime, int]:
        async with self.world.database.transaction(self.world.environment) as connection:
            row = await find_clock(connection, self.id)
        return row.now, row.phase

    async def _act(self, workflow: str, to: Moment) -> None:
        """What is due of a subscription, at the moment it is told of."""
        assert await self.stands() >= (to.at, int(to.phase))
        world = self.worlds.get(workflow)
        if world is None:
            await self._settle(workflow)
            return
        due = world.subscription.next_due()
        if due is None or Moment(due.at, due.phase) > to:
            return
        self.acted.append((world.subscription.key, due.at))
        match due.reason:
            case "start":
                await world.begin(due.at)
            case "window_start":
                await world.start_window(due.at)
            case _:
                await world.end_period(due.at)

    async def _settle(self, workflow: str) -> None:
        """An invoice's collection is over with its first attempt."""
        invoice = workflow.removeprefix("collect:")
        self.acted.append(("attempt", (await self.stands())[0]))
        async with self.world.database.transaction(self.world.environment) as connection:
            await connection.execute(
                text("""
                    UPDATE collections SET next_attempt_at = NULL, next_phase = NULL
                    WHERE invoice_id = :invoice
                """),
                {"invoice": invoice},
            )


@pytest.fixture
async def world(database: Database, environment: Environment) -> World:
    return await open_world(database, environment)


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_steps, "PAUSE_SECONDS", 0)


async def test_lives_act_in_the_order_of_their_instants_and_of_their_beginning(
    world: World,
) -> None:
    second = await world.sibling("s2")
    clock = Clock(world, second)
    await clock.advance(Moment(MARCH))
    assert clock.acted == [
        *[("s1", JANUARY), ("attempt", JANUARY), ("s2", JANUARY), ("attempt", JANUARY)],
        *[("s1", FEBRUARY), ("attempt", FEBRUARY), ("s2", FEBRUARY), ("attempt", FEBRUARY)],
        *[("s1", MARCH), ("attempt", MARCH), ("s2", MARCH), ("attempt", MARCH)],
    ]
    assert await clock.stands() == (MARCH, int(Phase.DONE))


async def test_what_is_due_at_an_instant_waits_for_its_phase(world: World) -> None:
    clock = Clock(world)
    await clock.advance(Moment(FEBRUARY, Phase.ARRIVED))
    assert clock.acted == [("s1", JANUARY), ("attempt", JANUARY)]
    assert await clock.stands() == (FEBRUARY, int(Phase.ARRIVED))
    await clock.advance(Moment(FEBRUARY))
    assert clock.acted[2:] == [("s1", FEBRUARY), ("attempt", FEBRUARY)]


async def test_what_was_interrupted_goes_on_where_it_was(world: World) -> None:
    clock = Clock(world)
    clock.lives.failing = [ConnectionError("the worker dies")]
    with pytest.raises(ConnectionError):
        await clock.advance(Moment(FEBRUARY))
    await clock.advance(Moment(FEBRUARY))
    assert [who for who, _ in clock.acted] == ["s1", "attempt", "s1", "attempt"]


async def test_a_grant_ends_after_the_periods_of_its_instant(world: World) -> None:
    await world.grant(700, expires_at=FEBRUARY)
    clock = Clock(world)
    await clock.advance(Moment(FEBRUARY, Phase.PERIODS))
    assert [who for who, _ in clock.acted] == ["s1", "attempt", "s1", "attempt"]
    clock.lives.failing = [Conflict("that is the grant's")]
    with pytest.raises(Conflict):
        await clock.advance(Moment(FEBRUARY, Phase.EXPIRIES))


async def test_a_life_that_does_not_go_on_is_told_of(world: World, no_pause: None) -> None:
    clock = Clock(world)
    clock.lives.on_advance = None
    with pytest.raises(Corrupt, match="does not go on"):
        await clock.advance(Moment(FEBRUARY))


async def test_a_life_that_has_given_up_stops_the_clock(world: World) -> None:
    clock = Clock(world)
    clock.lives.failing = [Conflict("needs attention")]
    with pytest.raises(Conflict):
        await clock.advance(Moment(FEBRUARY))
    assert await clock.stands() == (JANUARY, int(Phase.ARRIVED))


async def test_a_life_that_is_about_to_begin_is_waited_for(world: World, no_pause: None) -> None:
    clock = Clock(world)
    clock.lives.failing = [NotFound("not started yet"), NotFound("nor now")]
    await clock.advance(Moment(JANUARY))
    assert clock.acted == [("s1", JANUARY), ("attempt", JANUARY)]


async def test_usage_that_is_charged_as_it_arrives_is_told_while_the_clock_shows_it(
    database: Database, environment: Environment
) -> None:
    world = await open_world(database, environment, AS_USED)
    clock = Clock(world)
    await clock.advance(Moment(JANUARY, Phase.ARRIVED))
    clock.lives.told.clear()
    await world.use("e1", 5, JANUARY)
    await world.use("e2", 5, JANUARY)
    await clock.advance(Moment(JANUARY + timedelta(days=1)))
    arrived = [whom for call, whom in clock.lives.told if call == "usage"]
    assert [each.event for each in arrived if isinstance(each, Arrival)] == ["e1", "e2"]
    assert all(isinstance(each, Arrival) and each.at == JANUARY for each in arrived)
    clock.lives.told.clear()
    await clock.advance(Moment(JANUARY + timedelta(days=2)))
    assert clock.lives.told == []


async def test_usage_of_other_plans_is_not_told_of(world: World) -> None:
    clock = Clock(world)
    await clock.advance(Moment(JANUARY, Phase.ARRIVED))
    clock.lives.told.clear()
    await world.use("e1", 5, JANUARY)
    await clock.advance(Moment(JANUARY + timedelta(days=1)))
    assert clock.lives.told == []


async def test_usage_after_the_final_invoice_is_told_of(world: World) -> None:
    clock = Clock(world)
    await clock.advance(Moment(JANUARY, Phase.ARRIVED))
    await world.ask(Cancel("immediately"), JANUARY + timedelta(days=9))
    clock.lives.told.clear()
    await world.use("e1", 5, JANUARY + timedelta(days=3))
    await world.use("e2", 5, JANUARY + timedelta(days=12))  # it was over by then
    await clock.advance(Moment(JANUARY + timedelta(days=20), Phase.ARRIVED))
    late = [whom for call, whom in clock.lives.told if call == "late"]
    assert [each.event for each in late if isinstance(each, Arrival)] == ["e1"]


async def test_a_clock_with_nothing_to_do_on_it_arrives_at_once(world: World) -> None:
    clock = Clock(world)
    idly = (world.database, world.environment, clock.id)
    expiries = int(Phase.EXPIRIES)
    assert not await arrive_idly(*idly, JANUARY, int(Phase.ARRIVED), expiries)
    await clock.advance(Moment(JANUARY))
    half = JANUARY + timedelta(days=15)
    assert await arrive_idly(*idly, half, int(Phase.DONE), expiries)
    assert await clock.stands() == (half, int(Phase.DONE))
    assert not await arrive_idly(*idly, FEBRUARY, int(Phase.DONE), expiries)
    assert await clock.stands() == (half, int(Phase.DONE))
