"""Lives that run for years meet today's code: kept histories must replay, command for command."""

import gzip
import re
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from domain.subscription import Subscription
from tests.replay.record import HISTORIES, TOLD
from worker import RUNNER, WORKFLOWS
from workflows.wire import DATA_CONVERTER

HISTORIES_KEPT = sorted(HISTORIES.glob("*.json.gz"))
ENDLESS = {
    "RelayWorkflow",
    "UsagePumpWorkflow",
    "WebhookWorkflow",
}  # they hold nothing that a new run would miss


def history_of(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, gzip.decompress(path.read_bytes()).decode())


@pytest.mark.parametrize(
    "path", HISTORIES_KEPT, ids=lambda path: path.name.removesuffix(".json.gz")
)
async def test_a_kept_history_replays(path: Path) -> None:
    replayer = Replayer(workflows=WORKFLOWS, data_converter=DATA_CONVERTER, workflow_runner=RUNNER)
    await replayer.replay_workflow(history_of(path))


def test_every_workflow_and_every_story_has_a_history() -> None:
    names = [re.match(r"(\w+)-\d+-(\w+)\.", path.name) for path in HISTORIES_KEPT]
    told = {name.group(1) for name in names if name}
    types = {name.group(2) for name in names if name}
    assert told == set(TOLD)
    assert types == {each.__name__ for each in WORKFLOWS} - ENDLESS


@workflow.defn(name="SubscriptionWorkflow")
class Careless:
    """Sleeps where the life it stands for had a step done."""

    @workflow.run
    async def run(self, subscription: Subscription) -> None:
        await workflow.sleep(timedelta(days=1))


async def test_a_change_of_commands_is_found() -> None:
    path = next(path for path in HISTORIES_KEPT if path.name.startswith("renewals-1-"))
    replayer = Replayer(
        workflows=[Careless],
        data_converter=DATA_CONVERTER,
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    with pytest.raises(workflow.NondeterminismError):
        await replayer.replay_workflow(history_of(path))
