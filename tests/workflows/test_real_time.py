"""Lives in real time: the same as on a test clock, short, cheap, and patient."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.testing import TimeSkipper

from activities.steps import UsageSnapshot
from bench._counted import actions_of, events_of
from db.ids import new_id
from domain.errors import Unavailable
from tests.workflows.conftest import staged
from tests.workflows.paper import TRIAL, PaperSteps
from workflows.subscription import SPREAD, SubscriptionWorkflow


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


async def test_a_month_is_short_and_cheap(temporal: Client) -> None:
    """One period in real time with one payment, in which it is told what it used: its histories are short, and so is
    the bill for them. `bench/actions.py` measures the same with real steps and a million events.
    """
    steps = PaperSteps()
    async with staged(temporal, steps) as stage:
        life = steps.new_subscription(new_id("sub"), datetime.now(UTC))
        await stage.lives.subscribe(life, None)
        handle = temporal.get_workflow_handle(life.id)
        await skip_a_month(temporal, life.id)
        run = (await handle.describe()).run_id
        snapshot = UsageSnapshot(7, datetime.now(UTC), {"tokens": "7"})
        await handle.signal(SubscriptionWorkflow.usage, snapshot)
        assert (await handle.query(SubscriptionWorkflow.used_so_far)) == snapshot
        await skip_a_month(temporal, life.id)
        month = await fetch(temporal, life.id, run)
        payment = temporal.get_workflow_handle(f"collect:{steps.attempts[-1].collection.invoice}")
        await payment.result()
        lives = [month, await fetch(temporal, payment.id)]
    assert sum((actions_of(life) for life in lives), Counter()) == {
        "runs": 2,
        "signals": 1,
        "timers": 1,
        "steps": 2,
        "children": 2,
    }
    assert sum(events_of(life) for life in lives) <= 40


async def skip_a_month(client: Client, workflow: str) -> None:
    """Until the next run has begun."""
    handle = client.get_workflow_handle(workflow)
    before = (await handle.describe()).run_id
    await TimeSkipper(client).fast_forward(handle, timedelta(days=32))
    while (await handle.describe()).run_id == before:  # noqa: ASYNC110 - it is the worker's doing
        await asyncio.sleep(0.02)


async def fetch(client: Client, workflow: str, run: str | None = None) -> Sequence[HistoryEvent]:
    return (await client.get_workflow_handle(workflow, run_id=run).fetch_history()).events


async def test_an_outage_is_waited_for(skipping: Client) -> None:
    steps = PaperSteps()
    steps.failing["begin"] = [Unavailable("the database is away") for _ in range(3)]
    async with staged(skipping, steps) as stage:
        life = steps.new_subscription(new_id("sub"), datetime.now(UTC))
        await stage.lives.subscribe(life, None)
        assert (await stage.state(life.id)).status == "active"
    assert steps.failing["begin"] == []
