"""Credits that have a life of their own: grants that end, top-ups that are paid for and then granted."""

from contextlib import suppress
from dataclasses import replace

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.steps import GrantLife, Moment, Steps, ToppedUp, TopUp
    from domain.reading import written
    from domain.subscription import Phase

from workflows.collection import collect
from workflows.life import Life


@workflow.defn
class GrantWorkflow(Life):
    """A grant until it ends: what is left of it then is breakage."""

    @workflow.init
    def __init__(self, grant: GrantLife) -> None:
        super().__init__(grant.test_clock)
        self.grant = grant

    @workflow.run
    async def run(self, grant: GrantLife) -> None:
        end = Moment(grant.expires_at, Phase.EXPIRIES)
        await self.rest(end, lambda: False, f"expires {written(grant.expires_at)}")
        await self.perform(Steps.end_grant, grant, f"end {grant.grant}")
        await self.leave()


@workflow.defn
class TopUpWorkflow(Life):
    """Pay, then grant, once."""

    @workflow.init
    def __init__(self, asked: TopUp) -> None:
        super().__init__(asked.test_clock)

    @workflow.run
    async def run(self, asked: TopUp) -> ToppedUp:
        why = f"top-up {asked.order.key}"
        topped_up = await self.perform(Steps.top_up, asked, why, refusable=True)
        collection = await collect(topped_up.collection)
        if topped_up.grant is not None and collection.status == "paid":
            await begin_grant(topped_up.grant)
        if topped_up.bonus is not None and collection.status == "paid":
            await begin_grant(topped_up.bonus)
        await self.leave()
        return replace(topped_up, collection=collection)


async def begin_grant(grant: GrantLife) -> None:
    """Let a grant watch over its own end, once for each grant."""
    with suppress(WorkflowAlreadyStartedError):
        await workflow.start_child_workflow(
            GrantWorkflow.run,
            grant,
            id=f"grant:{grant.grant}",
            parent_close_policy=ParentClosePolicy.ABANDON,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=f"{grant.grant} expires {written(grant.expires_at)}",
        )
