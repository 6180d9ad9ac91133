"""What every life here has in common: a clock it goes by, steps that are done however long it takes, and an
operator who is called when one gives up.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.steps import REFUSED, Moment, Steps
    from workflows.visibility import NEEDS_ATTENTION
    from workflows.waiting import Clock

A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one try of a step may take, and how the next ones are spaced. What can succeed is tried for ever;
    what cannot (a decision refused, books that are wrong, a fault in the code) gives up by itself.
    """

    timeout: timedelta
    retries: RetryPolicy
    long: bool = False


# Where a step shows no sign of life for so long, its worker is dead, and another takes it over.
SIGN_OF_LIFE = timedelta(seconds=15)

BOOKS = Patience(timedelta(minutes=5), RetryPolicy(maximum_interval=timedelta(minutes=1)))
PROVIDER = Patience(timedelta(minutes=2), RetryPolicy(maximum_interval=timedelta(minutes=10)))
LONG = Patience(timedelta(days=7), RetryPolicy(maximum_interval=timedelta(minutes=1)), long=True)


def long_steps(task_queue: str) -> str:
    """The task queue of steps that wait for other steps: they must not take their slots."""
    return f"{task_queue}-long"


class Life:
    """A workflow that goes by a clock. Only `run` has steps done; handlers queue, and wait for it."""

    def __init__(self, test_clock: str | None) -> None:
        self.clock = Clock(test_clock)
        self.trouble: str | None = None
        self._resting = False
        self._wakes: Callable[[], bool] = bool

    @workflow.update
    async def advance(self, to: Moment | None = None) -> None:
        """Move the test clock and return when all that was due by then has happened here; in real time, when
        this life has caught up with it. Fails where a step has given up.
        """
        if to is not None:
            self.clock.move(to)
        await self.until(self._has_caught_up)

    @workflow.update
    def retry(self) -> None:
        """An operator has put right what made a step give up: try it again."""
        self.trouble = None

    @retry.validator
    def _can_retry(self) -> None:
        if self.trouble is None:
            raise ApplicationError("nothing has given up here", type="conflict")

    async def rest(
        self, until: Moment | None, or_when: Callable[[], bool], summary: str | None = None
    ) -> None:
        """Wait for `until`, or until `or_when` holds."""
        self._wakes = lambda: or_when() or self.clock.has_come(until)
        self._resting = True
        await self.clock.wait(until, or_when, summary)
        self._resting = False

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for `run` on behalf of somebody outside, who is told where a step gives up instead."""
        await workflow.wait_condition(lambda: self.trouble is not None or done())
        if self.trouble is not None:
            raise ApplicationError(f"needs attention: {self.trouble}", type="needs_attention")

    async def leave(self) -> None:
        """Let everyone who waits here have an answer before the run ends."""
        await self.rest(None, workflow.all_handlers_finished)

    async def perform(
        self,
        step: Callable[[Steps, A], Awaitable[R]],
        argument: A,
        summary: str,
        patience: Patience = BOOKS,
        *,
        refusable: bool = False,
    ) -> R:
        """Have a step done. One that gives up waits for an operator's `retry`; only where someone asked for it
        (`refusable`) is a refusal an answer, and raised as ApplicationError.
        """
        own = workflow.info().task_queue
        while True:
            try:
                return await workflow.execute_activity_method(
                    step,
                    argument,
                    task_queue=long_steps(own) if patience.long else own,
                    start_to_close_timeout=patience.timeout,
                    heartbeat_timeout=SIGN_OF_LIFE,
                    retry_policy=patience.retries,
                    summary=summary,
                )
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                if refusable and (refusal := refusal_of(error)):
                    raise refusal from error
                await self._call_for_attention(summary, error)

    async def _call_for_attention(self, summary: str, error: ActivityError) -> None:
        self.trouble = f"{summary}: {error.cause or error}"
        workflow.logger.error("a step gave up: %s", self.trouble)
        workflow.set_current_details(f"**needs attention**: {self.trouble}")
        workflow.upsert_search_attributes([NEEDS_ATTENTION.value_set(True)])
        await workflow.wait_condition(lambda: self.trouble is None)
        workflow.upsert_search_attributes([NEEDS_ATTENTION.value_set(False)])

    def _has_caught_up(self) -> bool:
        return self._resting and not self._wakes()


def refusal_of(error: ActivityError) -> ApplicationError | None:
    """The refusal, with its code as type and its faults as details, where a rule said no; None for any other."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.details[:1] == (REFUSED,):
        return ApplicationError(cause.message, *cause.details, type=cause.type, non_retryable=True)
    return None
