"""A test clock on its way: everyone who lives on it does what is due, moment by moment."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.steps import AdvanceClock, Steps
    from domain.reading import written

from workflows.life import SIGN_OF_LIFE, long_steps

LONGEST_WAY = timedelta(hours=24)
TRY_AGAIN = RetryPolicy(maximum_interval=timedelta(seconds=10))


@workflow.defn
class TestClockWorkflow:
    """One advance of a clock. It fails where a life on it has given up: once that is put right and the life was told
    to `retry`, advance again."""

    __test__ = False  # no test of pytest's

    @workflow.run
    async def run(self, advance: AdvanceClock) -> None:
        await workflow.execute_activity_method(
            Steps.advance_clock,
            advance,
            start_to_close_timeout=LONGEST_WAY,
            task_queue=long_steps(workflow.info().task_queue),
            heartbeat_timeout=SIGN_OF_LIFE,
            retry_policy=TRY_AGAIN,
            summary=f"to {written(advance.to.at)}",
        )
