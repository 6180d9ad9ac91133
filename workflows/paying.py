"""A customer who wants to pay what is open: with a new payment method, or with the old one once more."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.steps import Paid, Pay, Steps

from workflows.life import LONG, PROVIDER, Life


@workflow.defn
class PayWorkflow(Life):
    @workflow.init
    def __init__(self, asked: Pay) -> None:
        super().__init__(asked.test_clock)

    @workflow.run
    async def run(self, asked: Pay) -> Paid:
        method = None
        if asked.payment_method is not None:
            method = await self.perform(
                Steps.attach_payment_method, asked, "attach", PROVIDER, refusable=True
            )
        collections = await self.perform(
            Steps.attempt_unpaid, asked, "attempt what is unpaid", LONG
        )
        await self.leave()
        return Paid(collections, method)
