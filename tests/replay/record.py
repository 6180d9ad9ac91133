"""Tell every story anew and keep its histories: `python -m tests.replay.record`.

Only where the workflows' commands were meant to change, and no life that runs was begun under the old ones: the histories
that are kept stand for those lives. `--new` keeps what is there and records only the stories that have none yet.
"""

import asyncio
import gzip
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from temporalio.client import Client

from cli.stack.temporal import Temporal
from tests.replay.changes import MORE
from tests.replay.stories import STORIES
from tests.workflows.conftest import staged
from workflows.wire import DATA_CONVERTER

TOLD = {**STORIES, **MORE}
HISTORIES = Path(__file__).parent / "histories"


async def record(new_only: bool) -> None:
    with TemporaryDirectory(prefix="weir-replay-") as directory:
        async with Temporal(Path(directory)) as server:
            client = await Client.connect(server.address, data_converter=DATA_CONVERTER)
            for name, (story, steps) in TOLD.items():
                if new_only and any(HISTORIES.glob(f"{name}-*")):
                    continue
                async with staged(client, steps()) as stage:
                    await keep(client, name, await story(stage))


async def keep(client: Client, name: str, workflows: list[str]) -> None:
    """The history of every run of some workflows."""
    number = 0
    for workflow in workflows:
        latest = await client.get_workflow_handle(workflow).fetch_history()
        started = latest.events[0].workflow_execution_started_event_attributes
        run = started.first_execution_run_id
        while run:
            history = await client.get_workflow_handle(workflow, run_id=run).fetch_history()
            number += 1
            path = HISTORIES / f"{name}-{number}-{started.workflow_type.name}.json.gz"
            path.write_bytes(gzip.compress(history.to_json().encode(), mtime=0))
            ended = history.events[-1].workflow_execution_continued_as_new_event_attributes
            run = ended.new_execution_run_id


if __name__ == "__main__":
    asyncio.run(record("--new" in sys.argv))
    sys.stdout.flush()
    os._exit(0)  # the client's runtime may crash an interpreter that ends by itself
