"""What payments do to a subscription's life, in the order in which things happen to it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client

from activities.steps import Moment
from domain.commands import Became, Cancel, NotePayment, Pause, Request
from domain.dunning import Collection
from domain.errors import Conflict
from tests.workflows.conftest import Stage, asked, on_clock, staged
from tests.workflows.paper import GATED, SUSPENDS_WITH_GRACE, PaperSteps

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
SOFT = "declined:insufficient_funds"


def first_invoice(life: str) -> str:
    return f"invoice:{life}:2026-01-01T00:00:00Z"


async def hear(stage: Stage, life: str, became: Became, at: datetime) -> object:
    invoice = first_invoice(life)
    request = Request(f"payment:{invoice}:{became}", NotePayment(invoice, became), at=at)
    return await stage.lives.request(life, request)


def lived(stage: Stage) -> list[tuple[str, datetime]]:
    """What was done but for payments."""
    payments = ("attempt_payment", "look_up_payment")
    return [step for step in stage.steps.taken if step[0] not in payments]


async def test_nothing_is_due_before_the_first_payment(temporal: Client) -> None:
    paid_at = FEBRUARY + timedelta(days=2)
    async with staged(temporal, PaperSteps(GATED, [SOFT])) as stage:
        life = await on_clock(stage)
        await stage.lives.advance(life, Moment(paid_at))
        assert (await stage.state(life)).status == "incomplete"
        await hear(stage, life, "paid", paid_at)
        await stage.lives.advance(life, Moment(paid_at))
        state = await stage.state(life)
    assert (state.status, state.period_index) == ("active", 1)
    assert lived(stage) == [
        ("begin", JANUARY),
        ("note_payment", paid_at),
        ("end_period", paid_at),
    ]


async def test_it_is_heard_once(temporal: Client) -> None:
    async with staged(temporal, PaperSteps(GATED, [SOFT])) as stage:
        life = await on_clock(stage)
        first = await hear(stage, life, "paid", JANUARY)
        assert await hear(stage, life, "paid", JANUARY) == first
    assert lived(stage) == [("begin", JANUARY), ("note_payment", JANUARY)]


@pytest.mark.parametrize("by", ["given up", "cancelled"])
async def test_a_life_that_ends_before_its_first_payment_ends_the_collection_too(
    temporal: Client, by: str
) -> None:
    steps = PaperSteps(GATED, ["requires_action"])
    steps.held["attempt_payment"] = asyncio.Event()
    async with staged(temporal, steps) as stage:
        life = await on_clock(stage)
        await steps.begun.wait()
        steps.held[
            "attempt_payment"
        ].set()  # the payment waits for its customer before anything else is asked
        with pytest.raises(Conflict, match="is incomplete"):
            await stage.lives.request(life, asked(Pause(), JANUARY))
        if by == "cancelled":
            await stage.lives.request(life, asked(Cancel("immediately"), JANUARY))
        else:
            await hear(stage, life, "uncollectible", JANUARY)
        await temporal.get_workflow_handle(life).result()
        collection = f"collect:inv_{first_invoice(life)}"
        handle = temporal.get_workflow_handle(collection, result_type=Collection)
        ended: Collection = await handle.result()
    assert ended.status == "void"
    assert stage.steps.taken[-1][0] == "look_up_payment"


async def test_in_a_grace_only_what_changes_bills_closes_the_period(temporal: Client) -> None:
    within = FEBRUARY + timedelta(days=1)
    async with staged(temporal, PaperSteps(SUSPENDS_WITH_GRACE)) as stage:
        life = await on_clock(stage)
        await stage.lives.advance(life, Moment(within))
        await hear(stage, life, "past_due", within)
        assert lived(stage)[1:] == [("note_payment", within)]
        await stage.lives.request(life, asked(Pause(), within))
    assert lived(stage)[2:] == [("end_period", within), ("pause", within)]
