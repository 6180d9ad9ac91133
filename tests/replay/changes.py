"""More stories whose histories are kept: what else is asked of a life, comes due in it, or goes wrong."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from activities.steps import Arrival, CustomerActed, Moment
from db.ids import new_id
from domain.commands import (
    Cancel,
    Pause,
    Resume,
    Schedule,
    SetTrialEnd,
    Transfer,
    Withdraw,
)
from domain.errors import Conflict, Corrupt, Rejected
from tests.replay.stories import (
    CLOCK,
    FEBRUARY,
    HARD,
    JANUARY,
    MARCH,
    SOFT,
    Story,
    a_top_up,
    ask,
    collect,
    owed,
    subscribe,
)
from tests.workflows.conftest import Stage
from tests.workflows.paper import AS_USED, PRO, TRIAL, PaperSteps

MID_JANUARY = JANUARY + timedelta(days=15)
WITH_GRACE = {**PRO, "invoice_grace": {"unit": "day", "count": 3}}
IN_THE_GRACE = FEBRUARY + timedelta(days=1)
BY_THE_DAY = {**AS_USED, "advance_invoicing": "day"}
IN_ARREARS = {
    **PRO,
    "items": [
        {
            "key": "calls",
            "kind": "usage",
            "meter": "calls",
            "charged": "in_arrears",
            "price": {"model": "per_unit", "unit_amount": "1"},
        }
    ],
}


async def a_schedule(stage: Stage) -> list[str]:
    """One change is withdrawn; one comes due in a grace, and has the period closed before."""
    life = await subscribe(stage)
    await ask(stage, life, Schedule(Pause(), at=MID_JANUARY))
    await ask(stage, life, Schedule(Resume(), at=IN_THE_GRACE))
    await ask(stage, life, Schedule(Cancel("immediately"), at=FEBRUARY, id="end"))
    await ask(stage, life, Withdraw("end"))
    await stage.lives.advance(life, Moment(MID_JANUARY))
    await stage.lives.advance(life, Moment(IN_THE_GRACE))
    return [life]


async def asked_in_a_grace(stage: Stage) -> list[str]:
    """The period is closed before anything is done."""
    life = await subscribe(stage)
    await stage.lives.advance(life, Moment(FEBRUARY))
    await ask(stage, life, Pause(), IN_THE_GRACE)
    await stage.lives.advance(life, Moment(IN_THE_GRACE))
    return [life]


async def a_top_up_with_a_bonus(stage: Stage) -> list[str]:
    """The bonus watches over its own end."""
    stage.steps.bonus_until = FEBRUARY
    asked = a_top_up()
    done = await stage.lives.top_up(asked)
    assert done.bonus is not None
    bonus = f"grant:{done.bonus.grant}"
    await stage.lives.advance(bonus, Moment(FEBRUARY))
    return [f"topup:{asked.request}", bonus]


async def a_transfer(stage: Stage) -> list[str]:
    life, other = await subscribe(stage), new_id("sub")
    await ask(stage, life, Transfer(other, "cus_other", "s2"), MID_JANUARY)
    await stage.client.get_workflow_handle(life).result()
    await stage.lives.advance(other, Moment(FEBRUARY))
    return [life, other]


async def money_back(stage: Stage) -> list[str]:
    life = await subscribe(stage)
    await ask(stage, life, Cancel("immediately", unused="refund"), MID_JANUARY)
    await stage.client.get_workflow_handle(life).result()
    return [life]


async def gathered_by_the_day(stage: Stage) -> list[str]:
    life = await subscribe(stage)
    await stage.lives.advance(life, Moment(JANUARY))
    await stage.lives.usage_arrived(
        Arrival("env_1", life, 3, "e3", MID_JANUARY, CLOCK), is_over=False
    )
    await stage.lives.advance(life, Moment(MID_JANUARY + timedelta(days=2)))
    return [life]


async def late_and_collected(stage: Stage) -> list[str]:
    life = await subscribe(stage)
    await ask(stage, life, Cancel("immediately"), MID_JANUARY)
    await stage.client.get_workflow_handle(life).result()
    stage.steps.used = 2
    late = Arrival("env_1", life, 9, "e9", FEBRUARY, CLOCK)
    told = await stage.lives.usage_arrived(late, is_over=True)
    await stage.client.get_workflow_handle(told).result()
    return [told]


async def refused_by_a_step(stage: Stage) -> list[str]:
    stage.steps.failing["pause"] = [Rejected("not today")]
    life = await subscribe(stage)
    try:
        await ask(stage, life, Pause())
    except Rejected:
        await ask(stage, life, Pause())
    return [life]


async def begun_in_the_past(stage: Stage) -> list[str]:
    """Two periods are billed at once, each in a run of its own."""
    life = stage.steps.new_subscription(new_id("sub"), JANUARY, CLOCK)
    life = replace(life, created_at=MARCH)
    await stage.lives.subscribe(life, MARCH)
    await stage.lives.advance(life.id, Moment(MARCH))
    return [life.id]


async def begun_in_the_future(stage: Stage) -> list[str]:
    """It is paused for a while as it begins."""
    life = stage.steps.new_subscription(new_id("sub"), FEBRUARY, CLOCK)
    await stage.lives.subscribe(life, JANUARY)
    await stage.lives.advance(life.id, Moment(FEBRUARY))
    await ask(stage, life.id, Pause(until=FEBRUARY + timedelta(days=7)), FEBRUARY)
    await stage.lives.advance(life.id, Moment(MARCH))
    return [life.id]


async def a_trial_cut_short(stage: Stage) -> list[str]:
    life = await subscribe(stage)
    await ask(stage, life, SetTrialEnd(), JANUARY + timedelta(days=3))
    await stage.lives.advance(life, Moment(JANUARY + timedelta(days=3)))
    return [life]


async def a_top_up_declined(stage: Stage) -> list[str]:
    """Asked of a subscription; nothing is granted."""
    life, asked = await subscribe(stage), a_top_up(expires_at=MARCH)
    await stage.lives.top_up(asked, life)
    return [life, f"topup:{asked.request}"]


async def an_attempt_gives_up(stage: Stage) -> list[str]:
    stage.steps.failing["attempt_payment"] = [Corrupt("nobody knows this customer")]
    workflow = await collect(stage)
    try:
        await stage.lives.advance(workflow, Moment(FEBRUARY))
    except Conflict:
        await stage.lives.retry(workflow)
    await stage.client.get_workflow_handle(workflow).result()
    return [workflow]


async def the_customer_acts_in_vain(stage: Stage) -> list[str]:
    """While a payment is under way it is asked for, and not made again."""
    stage.steps.word = "processing"
    collection = owed()
    workflow = await collect(stage, collection)
    await stage.lives.advance(workflow, Moment(FEBRUARY))
    await stage.lives.customer_acted(collection, CustomerActed("req_1", at=FEBRUARY))
    return [workflow]


async def given_up_and_paid(stage: Stage) -> list[str]:
    """What was written off begins again when the customer acts."""
    workflow = await collect(stage)
    await stage.lives.advance(workflow, Moment(MARCH))
    given_up = await stage.client.get_workflow_handle(workflow).result()
    assert given_up is not None
    collection = stage.steps.collections[workflow.removeprefix("collect:")]
    act = CustomerActed("req_1", new_method=True, at=MARCH)
    await stage.lives.customer_acted(collection, act)
    return [workflow]


async def dunning_in_real_time(stage: Stage) -> list[str]:
    """Waiting for the next attempt by a timer; the customer is quicker."""
    now = datetime.now(UTC)
    collection = replace(owed(), issued_at=now, next_attempt_at=now, test_clock=None)
    workflow = await collect(stage, collection)
    await stage.lives.advance(workflow)
    await stage.lives.customer_acted(collection, CustomerActed("req_1", new_method=True))
    return [workflow]


async def confirmed_in_time(stage: Stage) -> list[str]:
    """An automatic top-up waits for the customer by a timer; the customer is quicker."""
    now = datetime.now(UTC)
    collection = replace(owed(), issued_at=now, next_attempt_at=now, test_clock=None)
    collection = replace(collection, purpose="top_up", is_automatic=True)
    workflow = await collect(stage, collection)
    await stage.lives.advance(workflow)
    await stage.lives.changed(collection)
    await stage.client.get_workflow_handle(workflow).result()
    return [workflow]


MORE: Mapping[str, tuple[Story, Callable[[], PaperSteps]]] = {
    "a_schedule": (a_schedule, lambda: PaperSteps(WITH_GRACE)),
    "asked_in_a_grace": (asked_in_a_grace, lambda: PaperSteps(WITH_GRACE)),
    "a_top_up_with_a_bonus": (a_top_up_with_a_bonus, PaperSteps),
    "a_transfer": (a_transfer, lambda: PaperSteps(books=True)),
    "money_back": (money_back, lambda: PaperSteps(books=True)),
    "gathered_by_the_day": (gathered_by_the_day, lambda: PaperSteps(BY_THE_DAY, books=True)),
    "late_and_collected": (late_and_collected, lambda: PaperSteps(IN_ARREARS, books=True)),
    "refused_by_a_step": (refused_by_a_step, PaperSteps),
    "begun_in_the_past": (begun_in_the_past, PaperSteps),
    "begun_in_the_future": (begun_in_the_future, PaperSteps),
    "a_trial_cut_short": (a_trial_cut_short, lambda: PaperSteps(TRIAL)),
    "a_top_up_declined": (a_top_up_declined, lambda: PaperSteps(answers=["succeeded", HARD])),
    "an_attempt_gives_up": (an_attempt_gives_up, PaperSteps),
    "the_customer_acts_in_vain": (
        the_customer_acts_in_vain,
        lambda: PaperSteps(answers=["processing"]),
    ),
    "given_up_and_paid": (
        given_up_and_paid,
        lambda: PaperSteps(answers=[SOFT] * 4 + ["succeeded"]),
    ),
    "confirmed_in_time": (confirmed_in_time, lambda: PaperSteps(answers=["requires_action"])),
    "dunning_in_real_time": (
        dunning_in_real_time,
        lambda: PaperSteps(answers=[SOFT, "succeeded"]),
    ),
}
