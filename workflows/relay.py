"""What was written down but never arrived is sent on: requests whose sender died, events of the provider."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.steps import Relay, Steps

from workflows.life import SIGN_OF_LIFE, long_steps

ROUNDS = 600
LONGEST_STEP = timedelta(hours=1)
TRY_AGAIN = RetryPolicy(maximum_interval=timedelta(seconds=30))


@workflow.defn
class RelayWorkflow:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity_method(
            Steps.relay,
            Relay(ROUNDS),
            start_to_close_timeout=LONGEST_STEP,
            task_queue=long_steps(workflow.info().task_queue),
            heartbeat_timeout=SIGN_OF_LIFE,
            retry_policy=TRY_AGAIN,
        )
        workflow.continue_as_new()
