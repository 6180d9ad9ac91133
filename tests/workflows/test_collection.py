"""The collection of an invoice: what each answer of the payment provider leads to, and when."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client

from activities.steps import CustomerActed, Moment, SendRefund
from db.ids import new_id
from domain.dunning import CONFIRMED_WITHIN, NOT_CONFIRMED, Collection
from domain.errors import Conflict, Corrupt, Unavailable
from domain.money import Money
from domain.subscription import Phase
from tests.workflows.conftest import Stage, staged
from tests.workflows.paper import PaperSteps
from workflows.collection import ASK_AGAIN, CollectionWorkflow, RefundWorkflow

ISSUED = datetime(2026, 1, 1, tzinfo=UTC)
FOR_EVER = Moment(datetime(2036, 1, 1, tzinfo=UTC))
SOFT, HARD = "declined:insufficient_funds", "declined:stolen_card"


def owed(at: datetime = ISSUED, test_clock: str | None = "clk") -> Collection:
    return Collection(
        new_id("inv"),
        "cus_acme",
        Money(2000, "USD"),
        at,
        next_attempt_at=at,
        environment="env_1",
        test_clock=test_clock,
    )


async def begun(stage: Stage, collection: Collection) -> str:
    workflow = f"collect:{collection.invoice}"
    await stage.client.start_workflow(
        CollectionWorkflow.run, collection, id=workflow, task_queue=stage.lives.task_queue
    )
    return workflow


async def state(stage: Stage, workflow: str) -> Collection:
    return await stage.client.get_workflow_handle(workflow).query(CollectionWorkflow.state)


async def end_of(stage: Stage, workflow: str) -> Collection:
    handle = stage.client.get_workflow_handle(workflow, result_type=Collection)
    ended: Collection = await handle.result()
    return ended


def days_of(steps: PaperSteps) -> list[int]:
    return [(step.at - ISSUED).days for step in steps.attempts]


@pytest.mark.parametrize(
    ("answers", "days", "status"),
    [
        (["succeeded"], [0], "paid"),
        ([SOFT, "succeeded"], [0, 3], "paid"),
        ([SOFT, SOFT, SOFT, "succeeded"], [0, 3, 5, 7], "paid"),
        ([SOFT], [0, 3, 5, 7], "uncollectible"),
    ],
)
async def test_declines_are_tried_again_on_schedule(
    temporal: Client, answers: list[str], days: list[int], status: str
) -> None:
    steps = PaperSteps(answers=answers)
    async with staged(temporal, steps) as stage:
        workflow = await begun(stage, owed())
        await stage.lives.advance(workflow, FOR_EVER)
        ended = await state(stage, workflow)
    assert days_of(steps) == days
    assert [step.attempt for step in steps.attempts] == list(range(1, len(days) + 1))
    assert ended.status == status


async def test_the_first_attempt_is_a_part_of_issuing(temporal: Client) -> None:
    """Nobody has to move a clock for it; the next one waits for its phase."""
    steps = PaperSteps(answers=[SOFT])
    async with staged(temporal, steps) as stage:
        workflow = await begun(stage, owed())
        await stage.lives.advance(workflow, Moment(ISSUED, Phase.ARRIVED))
        assert days_of(steps) == [0]
        await stage.lives.advance(workflow, Moment(ISSUED + timedelta(days=3), Phase.ARRIVED))
        assert days_of(steps) == [0]
        await stage.lives.advance(workflow, Moment(ISSUED + timedelta(days=3), Phase.ATTEMPTS))
        assert days_of(steps) == [0, 3]


async def test_a_hard_decline_waits_for_a_new_method(temporal: Client) -> None:
    steps = PaperSteps(answers=[HARD, "succeeded"])
    collection = owed()
    async with staged(temporal, steps) as stage:
        workflow = await begun(stage, collection)
        await stage.lives.advance(workflow, FOR_EVER)
        assert days_of(steps) == [0]
        again = CustomerActed("req_1", new_method=False, at=ISSUED + timedelta(days=9))
        assert (await stage.lives.customer_acted(collection, again)).status == "past_due"
        assert days_of(steps) == [0]
        method = CustomerActed("req_2", new_method=True, at=ISSUED + timedelta(days=10))
        assert (await stage.lives.customer_acted(collection, method)).status == "paid"
    assert days_of(steps) == [0, 10]


@pytest.mark.parametrize(
    ("let_go", "status", "code"),
    [
        ("declined:canceled", "void", NOT_CONFIRMED),
        ("succeeded", "paid", None),  # in the instant in which it is given up
        ("processing", "open", None),
    ],
)
async def test_an_automatic_top_up_that_nobody_confirms_is_given_up(
    temporal: Client, let_go: str, status: str, code: str | None
) -> None:
    steps = PaperSteps(answers=["requires_action"])
    steps.word, steps.let_go = "requires_action", let_go
    collection = replace(owed(), purpose="top_up", is_automatic=True)
    async with staged(temporal, steps) as stage:
        workflow = await begun(stage, collection)
        await stage.lives.advance(workflow, Moment(ISSUED + timedelta(days=2)))
        await stage.lives.changed(collection)
        await stage.lives.advance(workflow)
        await stage.lives.advance(workflow, Moment(ISSUED + CONFIRMED_WITHIN, Phase.ARRIVED))
        assert (await state(stage, workflow)).awaiting == "customer"
        await stage.lives.advance(workflow, Moment(ISSUED + CONFIRMED_WITHIN, Phase.ATTEMPTS))
        ended = await state(stage, workflow)
    assert (ended.status, ended.attempts, steps.failure_code) == (status, 1, code)
    assert [step for step, _ in steps.taken[1:]] == ["look_up_payment"] * 2


async def test_a_top_up_that_somebody_asked_for_waits(temporal: Client) -> None:
    steps = PaperSteps(answers=["requires_action"])
    async with staged(temporal, steps) as stage:
        workflow = await begun(stage, replace(owed(), purpose="top_up"))
        await stage.lives.advance(workflow, FOR_EVER)
        assert (await state(stage, workflow)).awaiting == "customer"
    assert len(steps.taken) == 1


async def test_what_was_given_up_begins_again_when_the_customer_acts(temporal: Client) -> None:
    steps = PaperSteps(answers=[SOFT, SOFT, SOFT, SOFT, "succeeded"])
    async with staged(temporal, steps) as stage:
        workflow = await begun(stage, owed())
        await stage.lives.advance(workflow, FOR_EVER)
        given_up = await end_of(stage, workflow)
        act = CustomerActed("req_1", new_method=True, at=ISSUED + timedelta(days=20))
        paid = await stage.lives.customer_acted(given_up, act)
    assert (given_up.status, paid.status) == ("uncollectible", "paid")
    assert days_of(steps) == [0, 3, 5, 7, 20]


async def test_a_new_method_during_an_attempt_makes_no_second_one_at_the_same_time(
    temporal: Client,
) -> None:
    steps = PaperSteps(answers=[SOFT, "succeeded"])
    steps.held["attempt_payment"] = asyncio.Event()
    collection = owed()
    async with staged(temporal, steps) as stage:
        await begun(stage, collection)
        await steps.begun.wait()
        act = CustomerActed("req_1", new_method=True, at=ISSUED + timedelta(hours=1))
        acting = asyncio.create_task(stage.lives.customer_acted(collection, act))
        assert len(steps.attempts) == 1
        steps.held["attempt_payment"].set()
        assert (await acting).status == "paid"
    assert [step.attempt for step in steps.attempts] == [1, 2]


async def test_a_customer_who_acts_on_what_is_paid_is_not_charged_again(temporal: Client) -> None:
    steps = PaperSteps()
    collection = owed()
    async with staged(temporal, steps) as stage:
        workflow = await begun(stage, collection)
        paid = await end_of(stage, workflow)
        acted = await stage.lives.customer_acted(paid, CustomerActed("req_1", at=ISSUED))
    assert acted.status == "paid"
    assert len(steps.attempts) == 1


@pytest.mark.parametrize("answer", ["processing", "requires_action"])
@pytest.mark.parametrize(("word", "status"), [("succeeded", "paid"), (SOFT, "past_due")])
async def test_a_payment_under_way_waits_for_word_of_the_provider(
    temporal: Client, answer: str, word: str, status: str
) -> None:
    steps = PaperSteps(answers=[answer])
    steps.word = word
    collection = owed()
    async with staged(temporal, steps) as stage:
        workflow = await begun(stage, collection)
        await stage.lives.advance(workflow, Moment(ISSUED + timedelta(days=2)))
        assert (await state(stage, workflow)).status == "open"
        await stage.lives.changed(collection)
        await stage.lives.changed(collection)  # webhooks come twice, and in any order
        await stage.lives.advance(workflow, Moment(ISSUED + timedelta(days=2)))
        assert (await state(stage, workflow)).status == status
    assert len(steps.attempts) == 1


async def test_a_payment_under_way_is_never_charged_again(temporal: Client) -> None:
    steps = PaperSteps(answers=["processing"])
    steps.word = "processing"
    collection = owed()
    async with staged(temporal, steps) as stage:
        workflow = await begun(stage, collection)
        await stage.lives.advance(workflow, FOR_EVER)
        acted = await stage.lives.customer_acted(
            collection, CustomerActed("req_1", new_method=True, at=ISSUED + timedelta(days=1))
        )
    assert acted.status == "open"
    assert len(steps.attempts) == 1


async def test_an_outage_is_no_decline(skipping: Client) -> None:
    steps = PaperSteps()
    steps.failing["attempt_payment"] = [Unavailable("the provider is away") for _ in range(3)]
    async with staged(skipping, steps) as stage:
        workflow = await begun(stage, owed(datetime.now(UTC), test_clock=None))
        ended = await end_of(stage, workflow)
    assert (ended.status, ended.attempts) == ("paid", 1)
    assert {step.attempt for step in steps.attempts} == {1}


async def test_where_no_word_comes_the_provider_is_asked(skipping: Client) -> None:
    steps = PaperSteps(answers=["processing"])
    issued = datetime.now(UTC)
    async with staged(skipping, steps) as stage:
        workflow = await begun(stage, owed(issued, test_clock=None))
        ended = await end_of(stage, workflow)
    (asked,) = [at for step, at in steps.taken if step == "look_up_payment"]
    assert ended.status == "paid"
    assert asked - steps.attempts[0].at >= ASK_AGAIN


async def test_an_attempt_that_gives_up_waits_for_an_operator(temporal: Client) -> None:
    steps = PaperSteps()
    steps.failing["attempt_payment"] = [Corrupt("nobody knows this customer")]
    async with staged(temporal, steps) as stage:
        workflow = await begun(stage, owed())
        with pytest.raises(Conflict, match="nobody knows"):
            await stage.lives.advance(workflow, FOR_EVER)
        with pytest.raises(Conflict, match="nobody knows"):
            await stage.lives.customer_acted(await state(stage, workflow), CustomerActed("req_1"))
        await stage.lives.retry(workflow)
        ended = await end_of(stage, workflow)
    assert (ended.status, ended.attempts) == ("paid", 1)


async def test_a_refund_is_sent_however_long_the_provider_is_away(skipping: Client) -> None:
    steps = PaperSteps()
    steps.failing["send_refund"] = [Unavailable("the provider is away") for _ in range(3)]
    async with staged(skipping, steps) as stage:
        refund = SendRefund("env_1", new_id("refund"), ISSUED)
        await stage.client.execute_workflow(
            RefundWorkflow.run, refund, id=refund.refund, task_queue=stage.lives.task_queue
        )
    assert steps.taken == [("send_refund", ISSUED)]
