"""A subscription's life, in the order in which things happen to it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from activities.steps import Arrival, Moment, UsageSnapshot
from domain.commands import Cancel, Pause, Resume
from domain.errors import Conflict, Corrupt, NotFound, Rejected
from domain.subscription import Phase
from tests.workflows.conftest import asked, on_clock, staged
from tests.workflows.paper import AS_USED, PRO, TRIAL, PaperSteps
from workflows import visibility
from workflows.subscription import SubscriptionWorkflow
from workflows.visibility import NEEDS_ATTENTION

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


async def test_it_renews_each_period_in_a_run_of_its_own(temporal: Client) -> None:
    async with staged(temporal, PaperSteps()) as stage:
        life = await on_clock(stage)
        runs = {(await temporal.get_workflow_handle(life).describe()).run_id}
        for month in (FEBRUARY, MARCH):
            await stage.lives.advance(life, Moment(month))
            # What has happened does not happen again.
            await stage.lives.advance(life, Moment(month))
            runs.add((await temporal.get_workflow_handle(life).describe()).run_id)
        state = await stage.state(life)
    assert [step for step in stage.steps.taken if step[0] != "attempt_payment"] == [
        ("begin", JANUARY),
        ("end_period", FEBRUARY),
        ("end_period", MARCH),
    ]
    assert (state.status, state.period_index) == ("active", 2)
    assert len(runs) == 3


async def test_nothing_happens_before_the_clock_is_there(temporal: Client) -> None:
    async with staged(temporal, PaperSteps()) as stage:
        life = await on_clock(stage)
        for moment in (
            Moment(FEBRUARY - timedelta(microseconds=1)),
            Moment(FEBRUARY, Phase.ARRIVED),
            Moment(FEBRUARY, Phase.ATTEMPTS),
        ):
            await stage.lives.advance(life, moment)
        assert ("end_period", FEBRUARY) not in stage.steps.taken
        await stage.lives.advance(life, Moment(FEBRUARY, Phase.PERIODS))
    assert ("end_period", FEBRUARY) in stage.steps.taken


async def test_a_trial_is_a_run_and_bills_nothing(temporal: Client) -> None:
    async with staged(temporal, PaperSteps(TRIAL)) as stage:
        life = await on_clock(stage)
        assert (await stage.state(life)).status == "trialing"
        await stage.lives.advance(life, Moment(JANUARY + timedelta(days=14)))
        state = await stage.state(life)
        invoice = f"inv_invoice:{life}:2026-01-15T00:00:00Z"
        await temporal.get_workflow_handle(f"collect:{invoice}").result()
    assert state.period is not None
    assert state.period.start == JANUARY + timedelta(days=14)
    assert [step for step, _ in stage.steps.taken] == ["begin", "begin", "attempt_payment"]


async def test_it_ends_at_the_end_of_a_period_when_it_was_cancelled(temporal: Client) -> None:
    async with staged(temporal, PaperSteps()) as stage:
        life = await on_clock(stage)
        await stage.lives.request(life, asked(Cancel("period_end"), JANUARY))
        await stage.lives.advance(life, Moment(FEBRUARY))
        await temporal.get_workflow_handle(life).result()
        with pytest.raises(NotFound):
            await stage.lives.request(life, asked(Pause(), FEBRUARY))
        await stage.lives.subscribe(stage.steps.new_subscription(life, JANUARY), None)
        await temporal.get_workflow_handle(life).result()
        status = (await temporal.get_workflow_handle(life).describe()).status
    billing = [step for step in stage.steps.taken if step[0] != "attempt_payment"]
    assert billing[-1] == ("end_period", FEBRUARY)
    assert status is WorkflowExecutionStatus.COMPLETED


async def test_it_ends_at_once_when_it_was_cancelled_immediately(temporal: Client) -> None:
    async with staged(temporal, PaperSteps()) as stage:
        life = await on_clock(stage)
        answer = await stage.lives.request(life, asked(Cancel("immediately"), JANUARY))
        await temporal.get_workflow_handle(life).result()
    assert answer == {"invoices": 0}


async def test_a_request_that_the_rules_forbid_is_refused_and_leaves_no_trace(
    temporal: Client,
) -> None:
    async with staged(temporal, PaperSteps()) as stage:
        life = await on_clock(stage)
        with pytest.raises(Conflict, match="not paused"):
            await stage.lives.request(life, asked(Resume(), JANUARY))
        history = await temporal.get_workflow_handle(life).fetch_history()
    accepted = [
        event.workflow_execution_update_accepted_event_attributes.accepted_request.input.name
        for event in history.events
        if event.HasField("workflow_execution_update_accepted_event_attributes")
    ]
    assert accepted == ["advance"]


async def test_a_request_that_a_step_refuses_is_answered_with_the_reason(temporal: Client) -> None:
    steps = PaperSteps()
    steps.failing["pause"] = [Rejected("not today")]
    async with staged(temporal, steps) as stage:
        life = await on_clock(stage)
        with pytest.raises(Rejected, match="not today"):
            await stage.lives.request(life, asked(Pause(), JANUARY))
        await stage.lives.request(life, asked(Pause(), JANUARY))
        assert (await stage.state(life)).status == "paused"


async def test_a_request_is_carried_out_once_in_all_runs(temporal: Client) -> None:
    async with staged(temporal, PaperSteps()) as stage:
        life = await on_clock(stage)
        pause = asked(Pause(), JANUARY)
        await stage.lives.request(life, pause)
        await stage.lives.request(life, pause)
        await stage.lives.request(life, asked(Resume(), JANUARY))
        await stage.lives.advance(life, Moment(FEBRUARY))
        await stage.lives.request(life, pause)
        assert (await stage.state(life)).status == "active"


async def test_a_request_that_comes_during_a_step_waits_for_its_turn(temporal: Client) -> None:
    steps = PaperSteps()
    steps.held["end_period"] = asyncio.Event()
    async with staged(temporal, steps) as stage:
        life = await on_clock(stage)
        advancing = asyncio.create_task(stage.lives.advance(life, Moment(FEBRUARY)))
        await steps.begun.wait()
        pausing = asyncio.create_task(stage.lives.request(life, asked(Pause(), FEBRUARY)))
        steps.held["end_period"].set()
        await asyncio.gather(advancing, pausing)
        state = await stage.state(life)
    assert state.period is not None
    assert (state.status, state.period.start) == ("paused", FEBRUARY)


async def test_no_request_is_lost_while_one_run_follows_another(temporal: Client) -> None:
    """Requests come all the time, and a new run begins with every month: each of them is answered."""
    steps = PaperSteps()
    async with staged(temporal, steps) as stage:
        life = await on_clock(stage)

        async def ask_all_the_time() -> int:
            for _ in range(20):
                await stage.lives.request(life, asked(Pause(), JANUARY))
                await stage.lives.request(life, asked(Resume(), JANUARY))
            return 20

        async def live_on() -> None:
            for month in range(2, 10):
                await stage.lives.advance(life, Moment(datetime(2026, month, 1, tzinfo=UTC)))

        asking, _ = await asyncio.gather(ask_all_the_time(), live_on())
        state = await stage.state(life)
    carried_out = [step for step, _ in steps.taken if step in ("pause", "resume")]
    assert carried_out == ["pause", "resume"] * asking
    assert (state.status, state.period_index) == ("active", 8)


async def test_operators_find_a_life_by_what_it_is(temporal: Client) -> None:
    async with staged(temporal, PaperSteps()) as stage:
        life = await on_clock(stage)
        handle = temporal.get_workflow_handle(life)
        await stage.lives.request(life, asked(Pause(), JANUARY))
        await stage.lives.advance(life)
        paused = (await handle.describe()).typed_search_attributes
        await stage.lives.advance(life, Moment(FEBRUARY))
        renewed = (await handle.describe()).typed_search_attributes
    assert paused.get(visibility.BILLING_STATUS) == "paused"
    assert paused.get(visibility.PERIOD_END) == paused.get(visibility.NEXT_ACTION_AT) == FEBRUARY
    assert renewed.get(visibility.PERIOD_END) == MARCH
    assert renewed.get(visibility.CUSTOMER_ID) == "cus_acme"
    assert (renewed.get(visibility.PLAN_ID), renewed.get(visibility.CURRENCY)) == ("pro", "USD")


async def test_a_step_that_gives_up_waits_for_an_operator(temporal: Client) -> None:
    steps = PaperSteps()
    steps.failing["end_period"] = [Corrupt("the books are wrong")]
    async with staged(temporal, steps) as stage:
        life = await on_clock(stage)
        handle = temporal.get_workflow_handle(life)
        with pytest.raises(Conflict, match="nothing has given up"):
            await stage.lives.retry(life)
        with pytest.raises(Conflict, match="the books are wrong"):
            await stage.lives.advance(life, Moment(FEBRUARY))
        noticed = (await handle.describe()).typed_search_attributes.get(NEEDS_ATTENTION)
        await stage.lives.retry(life)
        await stage.lives.advance(life, Moment(FEBRUARY))
        after = (await handle.describe()).typed_search_attributes.get(NEEDS_ATTENTION)
    assert (noticed, after) == (True, False)
    assert ("end_period", FEBRUARY) in steps.taken


async def test_usage_that_arrives_is_charged_once_for_each_transaction(temporal: Client) -> None:
    async with staged(temporal, PaperSteps()) as stage:
        life = await on_clock(stage)
        for transaction in (7, 8, 7):
            arrival = Arrival("env_1", life, transaction, f"e{transaction}", JANUARY, "clk")
            assert await stage.lives.usage_arrived(arrival, is_over=False) == life
        await stage.lives.advance(life, Moment(JANUARY, Phase.ARRIVED))
    assert stage.steps.charged == [7, 8]


async def test_usage_that_arrives_after_the_end_has_a_life_of_its_own(temporal: Client) -> None:
    async with staged(temporal, PaperSteps()) as stage:
        life = await on_clock(stage)
        await stage.lives.request(life, asked(Cancel("immediately"), JANUARY))
        await temporal.get_workflow_handle(life).result()
        arrival = Arrival("env_1", life, 9, "e9", JANUARY, "clk")
        told = await stage.lives.usage_arrived(arrival, is_over=False)
        assert await stage.lives.usage_arrived(arrival, is_over=True) == told != life
        await temporal.get_workflow_handle(told).result()
    assert stage.steps.charged == [9]


async def test_what_came_before_its_window_is_charged_as_that_begins(temporal: Client) -> None:
    """A step of its own, where usage is charged as it arrives: after the start, and after each period's end."""
    async with staged(temporal, PaperSteps(AS_USED)) as stage:
        life = await on_clock(stage)
        await stage.lives.advance(life, Moment(JANUARY, Phase.ARRIVED))
        assert (await stage.state(life)).opened is None
        await stage.lives.advance(life, Moment(FEBRUARY))
        state = await stage.state(life)
    steps = [step for step in stage.steps.taken if step[0] != "attempt_payment"]
    assert steps == [
        ("begin", JANUARY),
        ("start_window", JANUARY),
        ("end_period", FEBRUARY),
        ("start_window", FEBRUARY),
    ]
    assert (state.period_index, state.opened) == (1, None)


async def test_usage_does_not_end_a_grace(temporal: Client) -> None:
    grace = {**AS_USED, "invoice_grace": {"unit": "day", "count": 3}}
    async with staged(temporal, PaperSteps(grace)) as stage:
        life = await on_clock(stage)
        await stage.lives.advance(life, Moment(FEBRUARY))
        after = FEBRUARY + timedelta(days=1)
        arrival = Arrival("env_1", life, 7, "e7", after, "clk")
        await stage.lives.usage_arrived(arrival, is_over=False)
        await stage.lives.advance(life, Moment(after, Phase.ARRIVED))
        state = await stage.state(life)
    assert (state.period_index, stage.steps.charged) == (0, [7])


async def test_a_period_in_its_grace_is_closed_before_anything_is_done(temporal: Client) -> None:
    """Its invoice would come three days later; a request does not wait so long."""
    grace = {**PRO, "invoice_grace": {"unit": "day", "count": 3}}
    async with staged(temporal, PaperSteps(grace)) as stage:
        life = await on_clock(stage)
        await stage.lives.advance(life, Moment(FEBRUARY))
        assert ("end_period", FEBRUARY) not in stage.steps.taken
        after = FEBRUARY + timedelta(days=1)
        await stage.lives.request(life, asked(Pause(), after))
        state = await stage.state(life)
    billing = [step for step in stage.steps.taken if step[0] != "attempt_payment"]
    assert billing[1:] == [("end_period", after), ("pause", after)]
    assert (state.status, state.period_index) == ("paused", 1)


async def test_only_a_newer_snapshot_of_usage_counts(temporal: Client) -> None:
    async with staged(temporal, PaperSteps()) as stage:
        life = await on_clock(stage)
        handle = temporal.get_workflow_handle(life)
        for watermark in (5, 9, 7, 9):
            told = UsageSnapshot(watermark, JANUARY, {"tokens": str(watermark)})
            await handle.signal(SubscriptionWorkflow.usage, told)
        known = await handle.query(SubscriptionWorkflow.used_so_far)
    assert known is not None
    assert known.totals == {"tokens": "9"}
