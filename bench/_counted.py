"""What Temporal counts of a history: its events, and the actions it bills for.

After Temporal's price list, read the dear way: a run (also one that continues another), a timer, each try of a step, a
signal, an update and an update of attributes are one action each; a child is two for its parent, besides its own run.
Workflow tasks, markers and answers cost nothing. Signs of life are in no history: one is counted for each few seconds
that a step took.
"""

from collections import Counter
from collections.abc import Sequence

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from activities.signs_of_life import BEAT_SECONDS

_KINDS = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: ("runs", 1),
    EventType.EVENT_TYPE_TIMER_STARTED: ("timers", 1),
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: ("steps", 1),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: ("signals", 1),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: ("updates", 1),
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: ("attributes", 1),
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: ("children", 2),
}

# What moving a life through time by hand leaves in its history, and no life in production has.
_OF_THE_MEASUREMENT = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED,
}


def events_of(history: Sequence[HistoryEvent]) -> int:
    """How long the run's history would be in production."""
    return sum(event.event_type not in _OF_THE_MEASUREMENT for event in history)


def actions_of(history: Sequence[HistoryEvent]) -> Counter[str]:
    """The actions of a run, by kind."""
    actions: Counter[str] = Counter()
    began: dict[int, float] = {}
    for event in history:
        kind, number = _KINDS.get(event.event_type, ("", 0))
        actions[kind] += number
        match event.event_type:
            case EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                attempt = event.activity_task_started_event_attributes.attempt
                actions["tries again"] += attempt - 1
                began[event.event_id] = event.event_time.ToMicroseconds()
            case EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
                started = event.activity_task_completed_event_attributes.started_event_id
                seconds = (event.event_time.ToMicroseconds() - began[started]) // 1_000_000
                actions["signs of life"] += int(seconds // BEAT_SECONDS)
    return +actions
