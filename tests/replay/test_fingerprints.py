"""No command of a workflow is changed unnoticed, and each one is in a history that is kept."""

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from tests.replay.fingerprints import KEPT, ROOM, outlines, sendable
from tests.replay.test_replay import ENDLESS, HISTORIES_KEPT, history_of
from worker import WORKFLOWS

HOW = """
The commands of a workflow have changed. Lives that run were begun under the old ones: docs/changing-workflows.md says how to
part the two with `workflow.patched`, and which histories to record. Then `python -m tests.replay.fingerprints`.
"""
NAMES = [each.__name__ for each in WORKFLOWS if each.__name__ not in ENDLESS]
OF_EVERY_LIFE = {"update advance", "update retry"}
# Told by many stories, and by no more of them if each kind of life did it once more.
OFTEN = {"attributes", "timer"}


def test_the_commands_of_workflows_are_those_that_were_written_down() -> None:
    assert outlines() == json.loads(KEPT.read_text()), HOW


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("Steps.end_day, EndDay", "Steps.start_window, EndDay"),
        ("if not self.asked and workflow.all_handlers_finished():", "if not self.asked:"),
        ('workflow.patched("usage-leaves-the-grace")', 'workflow.patched("another")'),
        (
            "        await self.rest(due, lambda",
            "        self.show()\n        await self.rest(due, lambda",
        ),
    ],
    ids=["another step", "another condition", "another patch", "one more command"],
)
def test_a_change_of_commands_is_found(tmp_path: Path, written: str, instead: str) -> None:
    """Each of these is in `workflows/subscription.py`, and no history needs to meet it."""
    room = copytree(ROOM, tmp_path / "workflows")
    code = (room / "subscription.py").read_text()
    assert code.count(written) == 1
    (room / "subscription.py").write_text(code.replace(written, instead))
    assert outlines(room) != outlines()


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_in_a_history(name: str) -> None:
    histories = [history_of(path) for path in HISTORIES_KEPT if f"-{name}." in path.name]
    shown = {each for history in histories for each in commands_of(history)}
    assert sendable(name, outlines()) - OF_EVERY_LIFE - OFTEN <= shown


def test_every_kind_of_command_is_in_a_history() -> None:
    shown = {each for path in HISTORIES_KEPT for each in commands_of(history_of(path))}
    assert shown >= OF_EVERY_LIFE | OFTEN


def commands_of(history: WorkflowHistory) -> Iterator[str]:
    for event in history.events:
        if told := _command(event):
            yield told


def _command(event: HistoryEvent) -> str | None:
    match event.WhichOneof("attributes"):
        case "activity_task_scheduled_event_attributes":
            return f"step {event.activity_task_scheduled_event_attributes.activity_type.name}"
        case "start_child_workflow_execution_initiated_event_attributes":
            child = event.start_child_workflow_execution_initiated_event_attributes
            return f"child {child.workflow_type.name}"
        case "marker_recorded_event_attributes":
            marker = event.marker_recorded_event_attributes.details["patch-data"].payloads[0]
            return f"patch '{json.loads(marker.data)['id']}'"
        case "signal_external_workflow_execution_initiated_event_attributes":
            return "signal to another life"
        case "workflow_execution_signaled_event_attributes":
            return f"signal {event.workflow_execution_signaled_event_attributes.signal_name}"
        case "workflow_execution_update_accepted_event_attributes":
            asked = event.workflow_execution_update_accepted_event_attributes.accepted_request
            return f"update {asked.input.name}"
        case "workflow_execution_continued_as_new_event_attributes":
            return "new run"
        case "upsert_workflow_search_attributes_event_attributes":
            return "attributes"
        case "timer_started_event_attributes":
            return "timer"
        case _:
            return None
