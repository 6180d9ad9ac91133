"""Lives in real time: the same as on a test clock, short, cheap, and patient."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from db.ids import new_id
from domain.errors import Unavailable
from tests.workflows.conftest import staged
from tests.workflows.paper import TRIAL, PaperSteps
from workflows.subscription import SPREAD


async def test_real_time_brings_what_a_test_clock_brings(
    temporal: Client, skipping: Client
) -> None:
    """The same steps at the same instants, whether timers fire or a clock is moved."""
    start = datetime.now(UTC)
    real, moved = PaperSteps(TRIAL), PaperSteps(TRIAL)
    real.last_period = moved.last_period = 1
    async with staged(skipping, real) as stage:
        life = real.new_subscription(new_id("sub"), start)
        await stage.lives.subscribe(life, None)
        await skipping.get_workflow_handle(life.id).result()
    async with staged(temporal, moved) as stage:
        life = moved.new_subscription(new_id("sub"), start, test_clock="clk")
        await stage.lives.subscribe(life, start)
        while moment := moved.next_moment(await stage.state(life.id)):
            await stage.lives.advance(*moment)
    billing = [step for step in moved.taken if step[0] != "attempt_payment"]
    assert [step for step, _ in billing] == ["begin", "begin", "end_period", "end_period"]
    assert [step for step in real.taken if step[0] != "attempt_payment"] == billing
    late = [r.at - m.at for r, m in zip(real.attempts, moved.attempts, strict=True)]
    assert all(timedelta(0) <= each <= SPREAD + timedelta(minutes=1) for each in late)


async def test_a_month_is_short_and_cheap(skipping: Client) -> None:
    """One period in real time with one payment: its histories are short, and so is the bill for them."""
    steps = PaperSteps()
    steps.last_period = 2
    async with staged(skipping, steps) as stage:
        life = steps.new_subscription(new_id("sub"), datetime.now(UTC))
        await stage.lives.subscribe(life, None)
        handle = skipping.get_workflow_handle(life.id)
        await handle.result()
        first = (await handle.fetch_history()).events[0].workflow_execution_started_event_attributes
        month = await fetch(skipping, life.id, first.continued_execution_run_id)
        invoice = steps.attempts[1].collection.invoice
        payment = await fetch(skipping, f"collect:{invoice}")
    assert len(month) + len(payment) <= 40
    assert actions_of(month) + actions_of(payment) <= 12


async def fetch(client: Client, workflow: str, run: str | None = None) -> Sequence[HistoryEvent]:
    return (await client.get_workflow_handle(workflow, run_id=run).fetch_history()).events


def actions_of(history: Sequence[HistoryEvent]) -> int:
    """What Temporal counts: a run, a timer, a step, a message, an update of attributes; a child is two."""
    counted = {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: 1,
        EventType.EVENT_TYPE_TIMER_STARTED: 1,
        EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: 1,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: 1,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: 1,
        EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: 1,
        EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: 2,
    }
    return sum(counted.get(event.event_type, 0) for event in history)


async def test_an_outage_is_waited_for(skipping: Client) -> None:
    steps = PaperSteps()
    steps.failing["begin"] = [Unavailable("the database is away") for _ in range(3)]
    async with staged(skipping, steps) as stage:
        life = steps.new_subscription(new_id("sub"), datetime.now(UTC))
        await stage.lives.subscribe(life, None)
        assert (await stage.state(life.id)).status == "active"
    assert steps.failing["begin"] == []
