"""Moving a test clock: everyone on it does what is due, one after the other, as they would have in real time."""

from temporalio import activity

from activities.lives import Lives
from activities.steps import AdvanceClock, Moment, Steps
from db.clocks import DueLife, clock_has_arrived, move_clock, next_life
from db.session import Database
from domain.errors import Corrupt
from domain.subscription import Phase

# A life that does not go on although it was told to this often is stuck.
TRIES = 20


class ClockSteps(Steps):
    def __init__(self, database: Database, lives: Lives) -> None:
        self.database = database
        self.lives = lives

    @activity.defn
    async def advance_clock(self, step: AdvanceClock) -> None:
        """The rows say who acts next, and every step writes down what is due after it in its own transaction: so a
        crash anywhere in here loses nothing, and to repeat it is to go on.
        """
        before, tries = None, 0
        while life := await self._next(step):
            tries = tries + 1 if life == before else 0
            if tries > TRIES:
                raise Corrupt(f"{life.workflow} does not go on, although it is due at {life.at}")
            activity.heartbeat(life.at.isoformat())
            await self.lives.advance(life.workflow, Moment(life.at, Phase(life.phase)))
            before = life
        async with self.database.transaction(step.environment) as connection:
            await move_clock(connection, step.clock, step.to.at, int(step.to.phase))
            await clock_has_arrived(connection, step.clock)

    async def _next(self, step: AdvanceClock) -> DueLife | None:
        """Who is to act next, with the clock moved to the moment of it."""
        async with self.database.transaction(step.environment) as connection:
            at, phase = step.to.at, int(step.to.phase)
            life = await next_life(connection, step.clock, at, phase, int(Phase.EXPIRIES))
            if life is not None:
                await move_clock(connection, step.clock, life.at, life.phase)
            return life
