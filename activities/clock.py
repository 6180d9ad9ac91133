"""Moving a test clock: everyone on it does what is due, one after the other, as they would have in real time."""

import asyncio
from contextlib import suppress

from temporalio import activity

from activities.arriving import tell_of_arrivals
from activities.lives import Lives
from activities.steps import AdvanceClock, Moment, Steps
from db.clocks import DueLife, clock_has_arrived, find_clock, move_clock, next_life
from db.requests import answer_request, find_request
from db.session import Database
from db.usage_horizon import wait_for_horizon
from domain.codec import from_plain
from domain.commands import Request
from domain.errors import Corrupt, NotFound, Rejected
from domain.subscription import Phase

# A life that does not go on although it was told to this often is stuck.
TRIES = 20
NOTES = "payment:"  # how requests that tell of payments are named
PAUSE_SECONDS = 0.05


class ClockSteps(Steps):
    def __init__(self, database: Database, lives: Lives) -> None:
        self.database = database
        self.lives = lives

    @activity.defn
    async def advance_clock(self, step: AdvanceClock) -> None:
        """The rows say who acts next, and every step writes down what is due after it in its own transaction: so a
        crash anywhere in here loses nothing, and to repeat it is to go on.
        """
        await self._charge_what_arrived(step)
        before, tries = None, 0
        while life := await self._next(step):
            tries = tries + 1 if life == before else 0
            if tries > TRIES:
                raise Corrupt(f"{life.workflow} does not go on, although it is due at {life.at}")
            await asyncio.sleep(tries * PAUSE_SECONDS)
            await self._let_go_on(
                step.environment, life.workflow, Moment(life.at, Phase(life.phase))
            )
            before = life
        async with self.database.transaction(step.environment) as connection:
            await move_clock(connection, step.clock, step.to.at, int(step.to.phase))
            await clock_has_arrived(connection, step.clock)

    async def _charge_what_arrived(self, step: AdvanceClock) -> None:
        """Usage that does not wait for a period's end, while the clock still shows when it arrived."""
        environment, clock = step.environment, step.clock
        await wait_for_horizon(self.database)
        async with self.database.transaction(environment) as connection:
            now = (await find_clock(connection, clock)).now
        told = await tell_of_arrivals(self.database, self.lives, environment, clock, now)
        for workflow in dict.fromkeys(told):
            await self._let_go_on(environment, workflow, Moment(now, Phase.ARRIVED))

    async def _let_go_on(self, environment: str, workflow: str, to: Moment) -> None:
        if workflow.startswith(NOTES):
            await self._let_hear(environment, workflow)
            return
        with suppress(NotFound):  # it has just ended, or is about to begin: the rows tell
            await self.lives.advance(workflow, to)

    async def _let_hear(self, environment: str, name: str) -> None:
        """What became of a payment, before anything else happens. The relay may have told it meanwhile."""
        async with self.database.transaction(environment) as connection:
            asked = await find_request(connection, name)
        try:
            request = from_plain(Request, asked.body)
            await self.lives.request(asked.subscription or "", request)
        except Rejected as refusal:
            why = {"code": refusal.code, "message": str(refusal)}
            async with self.database.transaction(environment) as connection:
                await answer_request(connection, name, "refused", why)

    async def _next(self, step: AdvanceClock) -> DueLife | None:
        """Who is to act next, with the clock moved to the moment of it."""
        async with self.database.transaction(step.environment) as connection:
            at, phase = step.to.at, int(step.to.phase)
            life = await next_life(connection, step.clock, at, phase, int(Phase.EXPIRIES))
            if life is not None:
                await move_clock(connection, step.clock, life.at, life.phase)
            return life
