"""Stories whose histories are kept: every path through every workflow. `record.py` tells them anew."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from activities.steps import (
    AdvanceClock,
    Arrival,
    CustomerActed,
    GrantLife,
    Moment,
    Pay,
    SendRefund,
    TopUp,
    UsageSnapshot,
)
from db.ids import new_id
from domain.commands import Became, Cancel, Command, NotePayment, Pause, Request, Resume
from domain.credits import TopUpOrder
from domain.dunning import Collection
from domain.errors import Conflict, Corrupt
from domain.money import Money
from tests.workflows.conftest import Stage
from tests.workflows.paper import AS_USED, GATED, PRO, SUSPENDS_WITH_GRACE, TRIAL, PaperSteps
from workflows.collection import CollectionWorkflow, RefundWorkflow
from workflows.subscription import SubscriptionWorkflow

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
CLOCK = "clk_1"
SOFT, HARD = "declined:insufficient_funds", "declined:stolen_card"
EACH_MONTH = {
    **PRO,
    "credits": [
        {
            "key": "monthly",
            "amount": "5.00",
            "every_period": True,
            "expires_after": {"unit": "month", "count": 2},
            "priority": 10,
        }
    ],
}

AS_USED_WITH_GRACE = {**AS_USED, "invoice_grace": {"unit": "day", "count": 1}}

# A story is told on a stage, and names the workflows it was about.
Story = Callable[[Stage], Awaitable[list[str]]]


async def renewals(stage: Stage) -> list[str]:
    """Two periods, a run each, with grants that expire in the second; usage is told of meanwhile."""
    life = await subscribe(stage)
    await tell(stage, life, 5)
    await stage.lives.advance(life, Moment(FEBRUARY))
    await tell(stage, life, 7)
    await stage.lives.advance(life, Moment(MARCH))
    return [life]


async def as_it_is_used(stage: Stage) -> list[str]:
    """Usage that is charged as it arrives, before and in a window; in a grace it closes nothing."""
    life = await subscribe(stage)
    await stage.lives.advance(life, Moment(JANUARY))
    await stage.lives.usage_arrived(Arrival("env_1", life, 3, "e3", JANUARY, CLOCK), is_over=False)
    await stage.lives.advance(life, Moment(FEBRUARY))
    within = FEBRUARY + timedelta(hours=1)
    await stage.lives.usage_arrived(Arrival("env_1", life, 5, "e5", within, CLOCK), is_over=False)
    await stage.lives.advance(life, Moment(FEBRUARY + timedelta(days=2)))
    return [life]


async def a_trial(stage: Stage) -> list[str]:
    life = await subscribe(stage)
    await stage.lives.advance(life, Moment(JANUARY + timedelta(days=14)))
    return [life]


async def commands_and_the_end(stage: Stage) -> list[str]:
    """Paused, resumed, topped up, cancelled at the period's end."""
    life = await subscribe(stage)
    await ask(stage, life, Pause())
    await ask(stage, life, Resume())
    await stage.lives.top_up(a_top_up(), life)
    await ask(stage, life, Cancel("period_end"))
    await stage.lives.advance(life, Moment(FEBRUARY))
    return [life]


async def a_first_payment(stage: Stage) -> list[str]:
    """Declined and then paid, past the end of the period: what was due meanwhile is done at once."""
    life = await subscribe(stage)
    invoice = first_invoice(life)
    collection = f"collect:inv_{invoice}"
    await stage.lives.advance(collection, Moment(JANUARY + timedelta(days=3)))
    late = FEBRUARY + timedelta(days=1)
    await hear(stage, life, invoice, "paid", late)
    await stage.lives.advance(life, Moment(late))
    return [life, collection]


async def a_first_payment_given_up(stage: Stage) -> list[str]:
    """The life ends, and the collection of its invoice, which waits for the customer, with it."""
    life = await subscribe(stage)
    invoice = first_invoice(life)
    await hear(stage, life, invoice, "uncollectible", JANUARY)
    collection = f"collect:inv_{invoice}"
    for workflow in (life, collection):
        await stage.client.get_workflow_handle(workflow).result()
    return [life, collection]


async def a_payment_heard_of_in_a_grace(stage: Stage) -> list[str]:
    """It closes nothing; the period's end does."""
    life = await subscribe(stage)
    await stage.lives.advance(life, Moment(FEBRUARY))
    await hear(stage, life, first_invoice(life), "past_due", FEBRUARY + timedelta(days=1))
    await stage.lives.advance(life, Moment(FEBRUARY + timedelta(days=3)))
    return [life]


async def cancelled_at_once(stage: Stage) -> list[str]:
    """What its plan granted is left to itself; usage that arrives late has a life of its own."""
    life = await subscribe(stage)
    await stage.lives.usage_arrived(Arrival("env_1", life, 3, "e3", JANUARY, CLOCK), is_over=False)
    (timer,) = (await stage.state(life)).grants
    await ask(stage, life, Cancel("immediately"))
    await stage.client.get_workflow_handle(life).result()
    late = Arrival("env_1", life, 9, "e9", JANUARY, CLOCK)
    told = await stage.lives.usage_arrived(late, is_over=True)
    await stage.client.get_workflow_handle(told).result()
    grant = f"grant:{timer.grant}"
    await stage.lives.advance(grant, Moment(timer.expires_at))
    return [life, told, grant]


async def a_step_gives_up(stage: Stage) -> list[str]:
    stage.steps.failing["end_period"] = [Corrupt("the books are wrong")]
    life = await subscribe(stage)
    try:
        await stage.lives.advance(life, Moment(FEBRUARY))
    except Conflict:
        await stage.lives.retry(life)
    await stage.lives.advance(life, Moment(FEBRUARY))
    return [life]


async def in_real_time(stage: Stage) -> list[str]:
    """Waiting by timers, for the end of a period far away."""
    life = stage.steps.new_subscription(new_id("sub"), datetime.now(UTC))
    await stage.lives.subscribe(life, None)
    await ask(stage, life.id, Pause(), None)
    return [life.id]


async def dunning(stage: Stage) -> list[str]:
    workflow = await collect(stage)
    await stage.lives.advance(workflow, Moment(MARCH))
    return [workflow]


async def a_new_method(stage: Stage) -> list[str]:
    collection = owed()
    workflow = await collect(stage, collection)
    await stage.lives.advance(workflow, Moment(FEBRUARY))
    act = CustomerActed("req_1", new_method=True, at=FEBRUARY)
    await stage.lives.customer_acted(collection, act)
    return [workflow]


async def word_of_the_provider(stage: Stage) -> list[str]:
    collection = owed()
    workflow = await collect(stage, collection)
    await stage.lives.advance(workflow, Moment(FEBRUARY))
    await stage.lives.changed(collection)
    await stage.lives.advance(workflow, Moment(FEBRUARY))
    return [workflow]


async def a_top_up_by_itself(stage: Stage) -> list[str]:
    asked = a_top_up(expires_at=MARCH)
    done = await stage.lives.top_up(asked)
    assert done.grant is not None
    return [f"topup:{asked.request}", f"grant:{done.grant.grant}"]


async def errands(stage: Stage) -> list[str]:
    """A refund, a customer who pays, a clock, a grant in real time."""
    refund = SendRefund("env_1", new_id("refund"), JANUARY)
    await stage.client.execute_workflow(
        RefundWorkflow.run, refund, id=refund.refund, task_queue=stage.lives.task_queue
    )
    pay = Pay("env_1", new_id("req"), "cus_acme", JANUARY, payment_method="pm_card_visa")
    await stage.lives.pay(pay)
    clock = new_id("clk")
    await stage.lives.advance_clock(AdvanceClock("env_1", clock, Moment(FEBRUARY)))
    grant = GrantLife("env_1", new_id("crg"), "cus_acme", datetime.now(UTC) + timedelta(days=90))
    await stage.lives.watch_grant(grant)
    return [refund.refund, f"pay:{pay.request}", clock, f"grant:{grant.grant}"]


STORIES: Mapping[str, tuple[Story, Callable[[], PaperSteps]]] = {
    "renewals": (renewals, lambda: PaperSteps(EACH_MONTH)),
    "as_it_is_used": (as_it_is_used, lambda: PaperSteps(AS_USED_WITH_GRACE)),
    "a_trial": (a_trial, lambda: PaperSteps(TRIAL)),
    "commands_and_the_end": (commands_and_the_end, PaperSteps),
    "cancelled_at_once": (cancelled_at_once, lambda: PaperSteps(EACH_MONTH)),
    "a_first_payment": (a_first_payment, lambda: PaperSteps(GATED, [SOFT, "succeeded"])),
    "a_first_payment_given_up": (
        a_first_payment_given_up,
        lambda: PaperSteps(GATED, ["requires_action"]),
    ),
    "a_payment_heard_of_in_a_grace": (
        a_payment_heard_of_in_a_grace,
        lambda: PaperSteps(SUSPENDS_WITH_GRACE),
    ),
    "a_step_gives_up": (a_step_gives_up, PaperSteps),
    "in_real_time": (in_real_time, PaperSteps),
    "dunning": (dunning, lambda: PaperSteps(answers=[SOFT])),
    "a_new_method": (a_new_method, lambda: PaperSteps(answers=[HARD, "succeeded"])),
    "word_of_the_provider": (word_of_the_provider, lambda: PaperSteps(answers=["processing"])),
    "a_top_up_by_itself": (a_top_up_by_itself, PaperSteps),
    "errands": (errands, PaperSteps),
}


async def subscribe(stage: Stage) -> str:
    life = stage.steps.new_subscription(new_id("sub"), JANUARY, CLOCK)
    await stage.lives.subscribe(life, JANUARY)
    return life.id


async def ask(stage: Stage, life: str, command: Command, at: datetime | None = JANUARY) -> None:
    await stage.lives.request(life, Request(new_id("req"), command, at=at))


def first_invoice(life: str) -> str:
    return f"invoice:{life}:2026-01-01T00:00:00Z"


async def hear(stage: Stage, life: str, invoice: str, became: Became, at: datetime) -> None:
    request = Request(f"payment:{invoice}:{became}", NotePayment(invoice, became), at=at)
    await stage.lives.request(life, request)


async def tell(stage: Stage, life: str, watermark: int) -> None:
    snapshot = UsageSnapshot(watermark, JANUARY, {"tokens": str(watermark)})
    await stage.client.get_workflow_handle(life).signal(SubscriptionWorkflow.usage, snapshot)


def owed() -> Collection:
    return Collection(
        new_id("inv"),
        "cus_acme",
        Money(2000, "USD"),
        JANUARY,
        next_attempt_at=JANUARY,
        environment="env_1",
        test_clock=CLOCK,
    )


async def collect(stage: Stage, collection: Collection | None = None) -> str:
    collection = collection or owed()
    workflow = f"collect:{collection.invoice}"
    await stage.client.start_workflow(
        CollectionWorkflow.run, collection, id=workflow, task_queue=stage.lives.task_queue
    )
    return workflow


def a_top_up(expires_at: datetime | None = None) -> TopUp:
    order = TopUpOrder("more", "acme", Fraction(50), expires_at=expires_at)
    return TopUp("env_1", new_id("req"), "cus_acme", order, "USD", JANUARY, CLOCK)
