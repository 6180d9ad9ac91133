"""Usage that came after a subscription's final invoice: charged on an invoice of its own, and collected."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.steps import Arrival, ChargeUsage, Steps

from workflows.collection import begin_collection
from workflows.life import Life


@workflow.defn
class LateUsageWorkflow(Life):
    @workflow.init
    def __init__(self, arrival: Arrival) -> None:
        super().__init__(arrival.test_clock)

    @workflow.run
    async def run(self, arrival: Arrival) -> None:
        step = ChargeUsage(arrival, arrival.at or workflow.now())
        turn = await self.perform(Steps.charge_usage, step, f"late usage {arrival.event}")
        for collection in turn.collections:
            await begin_collection(collection)
        await self.leave()
