"""Credits: a plan's grants within a life and after it, top-ups."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from activities.steps import CustomerActed, Moment, TopUp
from db.ids import new_id
from domain.commands import Cancel
from domain.credits import TopUpOrder
from tests.workflows.conftest import asked, on_clock, staged
from tests.workflows.paper import PRO, PaperSteps

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)


async def test_what_a_plan_granted_outlives_the_subscription(temporal: Client) -> None:
    granting = {
        **PRO,
        "credits": [
            {
                "key": "monthly",
                "amount": "5.00",
                "every_period": False,
                "expires_after": {"unit": "month", "count": 3},
                "priority": 10,
            }
        ],
    }
    async with staged(temporal, PaperSteps(granting)) as stage:
        life = await on_clock(stage)
        (timer,) = (await stage.state(life)).grants
        await stage.lives.request(life, asked(Cancel("immediately"), JANUARY))
        await temporal.get_workflow_handle(life).result()
        await stage.lives.advance(f"grant:{timer.grant}", Moment(MARCH))
        assert ("end_grant", APRIL) not in stage.steps.taken
        await stage.lives.advance(f"grant:{timer.grant}", Moment(APRIL))
    assert stage.steps.taken[-1] == ("end_grant", APRIL)


async def test_a_grant_that_ends_with_a_period_does_not_keep_the_next_from_a_run_of_its_own(
    temporal: Client,
) -> None:
    granting = {
        **PRO,
        "credits": [
            {
                "key": "monthly",
                "amount": "5.00",
                "every_period": True,
                "expires_after": {"unit": "month", "count": 1},
                "priority": 10,
            }
        ],
    }
    async with staged(temporal, PaperSteps(granting)) as stage:
        life = await on_clock(stage)
        await stage.lives.advance(life, Moment(FEBRUARY))
        await stage.lives.advance(life, Moment(MARCH))
        await stage.lives.advance(life, Moment(MARCH))
        history = (await temporal.get_workflow_handle(life).fetch_history()).events
    steps = [e.activity_task_scheduled_event_attributes.activity_type.name for e in history]
    assert "end_period" not in steps


async def test_a_plan_s_grant_expires_within_the_life(temporal: Client) -> None:
    granting = {
        **PRO,
        "credits": [
            {
                "key": "weekly",
                "amount": "5.00",
                "every_period": False,
                "expires_after": {"unit": "week", "count": 1},
                "priority": 10,
            }
        ],
    }
    async with staged(temporal, PaperSteps(granting)) as stage:
        life = await on_clock(stage)
        await stage.lives.advance(life, Moment(FEBRUARY))
        assert (await stage.state(life)).grants == ()
    expiry = ("expire_grant", JANUARY + timedelta(days=7))
    assert stage.steps.taken.index(expiry) < stage.steps.taken.index(("end_period", FEBRUARY))


@pytest.mark.parametrize("by_subscription", [True, False])
async def test_a_top_up_is_paid_and_then_granted(temporal: Client, by_subscription: bool) -> None:
    async with staged(temporal, PaperSteps()) as stage:
        life = await on_clock(stage)
        top_up = a_top_up(expires_at=MARCH)
        done = await stage.lives.top_up(top_up, life if by_subscription else None)
        again = await stage.lives.top_up(top_up, None)
        assert done.grant is not None
        await stage.lives.advance(f"grant:{done.grant.grant}", Moment(MARCH))
    assert (done.collection.status, again) == ("paid", done)
    assert stage.steps.taken[-1] == ("end_grant", MARCH)


async def test_a_top_up_that_is_declined_is_void(temporal: Client) -> None:
    async with staged(temporal, PaperSteps(answers=["declined:insufficient_funds"])) as stage:
        done = await stage.lives.top_up(a_top_up())
    assert done.collection.status == "void"
    assert [step for step, _ in stage.steps.taken] == ["top_up", "attempt_payment"]


@pytest.mark.parametrize(
    ("let_go", "status"), [("declined:canceled", "void"), ("succeeded", "paid")]
)
async def test_an_automatic_top_up_that_nobody_confirms_is_over_by_a_timer(
    skipping: Client, let_go: str, status: str
) -> None:
    steps = PaperSteps(answers=["requires_action"])
    steps.word, steps.let_go = "requires_action", let_go
    asked = replace(a_top_up(), is_automatic=True, test_clock=None)
    async with staged(skipping, steps) as stage:
        assert (await stage.lives.top_up(asked)).collection.status == status
    assert [step for step, _ in steps.taken] == ["top_up", "attempt_payment", "look_up_payment"]


async def test_a_collection_that_somebody_else_began_is_waited_for(skipping: Client) -> None:
    """As after a repair: the top-up was lost, and what collects for it still runs."""
    top_up = a_top_up()
    owed = (await PaperSteps().top_up(top_up)).collection
    async with staged(skipping, PaperSteps(answers=["requires_action", "succeeded"])) as stage:
        await stage.lives.collect(owed)
        waiting = asyncio.create_task(stage.lives.top_up(top_up))
        handle = stage.client.get_workflow_handle(f"topup:{top_up.request}")
        while not await has_waited(handle):
            pass
        act = CustomerActed("req_1", new_method=False, at=JANUARY)
        assert (await stage.lives.customer_acted(owed, act)).status == "paid"
        assert (await waiting).collection.status == "paid"


async def has_waited(top_up: WorkflowHandle[Any, Any]) -> bool:
    """Whether it has found that the collection runs already."""
    try:
        history = await top_up.fetch_history()
    except RPCError:
        return False  # it has not begun yet
    return any(
        event.HasField("start_child_workflow_execution_failed_event_attributes")
        for event in history.events
    )


def a_top_up(expires_at: datetime | None = None) -> TopUp:
    order = TopUpOrder("more", "acme", Fraction(50), expires_at=expires_at)
    return TopUp("env_1", new_id("req"), "cus_acme", order, "USD", JANUARY, "clk")
