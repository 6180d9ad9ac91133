"""The usage pump's life: one workflow a shard, which works for ever and remembers nothing, since the watermark is a row."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.steps import PumpUsage, Steps

from workflows.life import SIGN_OF_LIFE, long_steps

TURNS_A_RUN = 20
LONGEST_TURN = timedelta(hours=1)
TRY_AGAIN = RetryPolicy(maximum_interval=timedelta(seconds=30))


@workflow.defn
class UsagePumpWorkflow:
    @workflow.run
    async def run(self, step: PumpUsage) -> None:
        for _ in range(TURNS_A_RUN):
            await workflow.execute_activity_method(
                Steps.pump_usage,
                step,
                start_to_close_timeout=LONGEST_TURN,
                task_queue=long_steps(workflow.info().task_queue),
                heartbeat_timeout=SIGN_OF_LIFE,
                retry_policy=TRY_AGAIN,
                summary=f"shard {step.shard + 1} of {step.shards}",
            )
        workflow.continue_as_new(step)
