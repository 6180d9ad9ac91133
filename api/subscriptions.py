"""/v1/subscriptions: customers on plans. A change is a request: written down, then asked of the subscription's life."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api import documents, previews
from api.answers import answer, later
from api.auth import Caller, Reads, Writes
from api.bodies import ExactRoute
from api.connections import Connections, Opened
from api.named import new_subscription, plan_for_sale
from api.pages import Page
from api.paths import Named, NamedQuery
from api.paying import NewTopUp, topped_up, write_top_up
from api.requests import Sent, ask, begin
from api.schemas import subscriptions as schemas
from api.schemas.billing import Invoice, TopUpResult
from api.schemas.documents import later_as
from db.customers import find_customer
from db.subscriptions import find_subscription, find_subscriptions
from db.timeline import entries
from domain import commands
from domain.documents import Document
from domain.subscription import Status

router = APIRouter(prefix="/subscriptions", tags=["subscriptions"], route_class=ExactRoute)

LATER = later_as(schemas.AnsweredSubscription)
StatusQuery = Annotated[Status | None, Query(description="Only those with this status.")]


@router.post(
    "",
    status_code=201,
    response_model=schemas.AnsweredSubscription,
    responses={
        200: {"description": "A preview.", "model": schemas.AnsweredSubscription},
        **LATER,
    },
    summary="Subscribe",
)
async def create(body: schemas.NewSubscription, caller: Writes, opened: Opened) -> Response:
    """Put a customer on a plan. Answers when it has begun: in its trial, or with its first invoice issued."""
    async with opened.database.transaction(caller.environment) as connection:
        wanted = await new_subscription(connection, caller, body)
    if body.preview:
        return answer(await previews.of_beginning(opened, wanted))
    sent = await begin(opened, caller, wanted, body.reason)
    told = await _told(opened, caller, wanted.id, sent)
    return later(told) if sent.answer is None else answer(told, 201)


@router.get("", response_model=schemas.SubscriptionPage, summary="List subscriptions")
async def find_all(
    page: Page,
    caller: Reads,
    opened: Opened,
    customer: NamedQuery = None,
    status: StatusQuery = None,
) -> Response:
    """Oldest first."""
    async with opened.database.transaction(caller.environment) as connection:
        of = None if customer is None else (await find_customer(connection, customer)).id
        found = await find_subscriptions(connection, page.fetch, page.after, of, status)
        shown = [await documents.subscription(connection, row) for row in found]
    return answer(page.page(shown, lambda each: each, lambda each: str(each["id"])))


@router.post(
    "/{subscription:path}/cancel",
    response_model=schemas.AnsweredSubscription,
    responses=LATER,
    summary="Cancel a subscription",
)
async def cancel(
    subscription: Named, body: schemas.Cancel, caller: Writes, opened: Opened
) -> Response:
    """At the period's end, or immediately: then its usage is billed at once."""
    command = commands.Cancel(body.effective, body.unused)
    return await _ask(opened, caller, subscription, body, command)


@router.post(
    "/{subscription:path}/change-plan",
    response_model=schemas.AnsweredSubscription,
    responses=LATER,
    summary="Change the plan",
)
async def change_plan(
    subscription: Named, body: schemas.ChangePlan, caller: Writes, opened: Opened
) -> Response:
    """Immediately, with the rest of the period prorated on an invoice of its own, or at the period's end."""
    async with opened.database.transaction(caller.environment) as connection:
        plan = await plan_for_sale(connection, body.plan)
    command = commands.ChangePlan(plan.ref, body.effective)
    return await _ask(opened, caller, subscription, body, command)


@router.post(
    "/{subscription:path}/set-quantity",
    response_model=schemas.AnsweredSubscription,
    responses=LATER,
    summary="Set a quantity",
)
async def set_quantity(
    subscription: Named, body: schemas.SetQuantity, caller: Writes, opened: Opened
) -> Response:
    """Of a recurring item, from now on; the next invoice prorates the change."""
    command = commands.SetQuantity(body.item, body.quantity)
    return await _ask(opened, caller, subscription, body, command)


@router.post(
    "/{subscription:path}/add-ons",
    response_model=schemas.AnsweredSubscription,
    responses=LATER,
    summary="Charge once",
)
async def charge_once(
    subscription: Named, body: schemas.ChargeOnce, caller: Writes, opened: Opened
) -> Response:
    """Add a charge of its own to the next invoice."""
    description = body.description or body.key
    command = commands.ChargeOnce(body.key, description, body.amount, body.quantity)
    return await _ask(opened, caller, subscription, body, command)


@router.post(
    "/{subscription:path}/pause",
    response_model=schemas.AnsweredSubscription,
    responses=LATER,
    summary="Pause a subscription",
)
async def pause(
    subscription: Named, body: schemas.Asked, caller: Writes, opened: Opened
) -> Response:
    """Usage in a pause is not billed, and nothing is charged in advance."""
    return await _ask(opened, caller, subscription, body, commands.Pause())


@router.post(
    "/{subscription:path}/resume",
    response_model=schemas.AnsweredSubscription,
    responses=LATER,
    summary="Resume a subscription",
)
async def resume(
    subscription: Named, body: schemas.Asked, caller: Writes, opened: Opened
) -> Response:
    """Go on after a pause: the rest of a period that was not charged yet is charged at once."""
    return await _ask(opened, caller, subscription, body, commands.Resume())


@router.post(
    "/{subscription:path}/top-up",
    status_code=201,
    response_model=TopUpResult,
    responses=later_as(TopUpResult),
    summary="Top up",
)
async def top_up(subscription: Named, body: NewTopUp, caller: Writes, opened: Opened) -> Response:
    """Have the subscription's customer pay for prepaid credit, and grant it."""
    async with opened.database.transaction(caller.environment) as connection:
        state = (await find_subscription(connection, subscription)).state
    asked = await write_top_up(opened, caller, state.customer, body, state.id)
    return await topped_up(opened, caller, asked, None if state.is_over else state.id)


@router.get(
    "/{subscription:path}/timeline", response_model=schemas.Timeline, summary="Read the timeline"
)
async def timeline(subscription: Named, page: Page, caller: Reads, opened: Opened) -> Response:
    """What happened to it, step by step, and who asked for it."""
    async with opened.database.transaction(caller.environment) as connection:
        found = (await find_subscription(connection, subscription)).state
        steps = await entries(connection, found.id, page.fetch, page.after_number)
    return answer(page.page(steps, lambda step: documents.step(step[1]), lambda step: str(step[0])))


@router.get(
    "/{subscription:path}/upcoming-invoice",
    response_model=Invoice,
    summary="Preview the next invoice",
)
async def upcoming_invoice(subscription: Named, caller: Reads, opened: Opened) -> Response:
    """What would be issued when the period ends, with the usage so far. 404 where nothing is to be billed."""
    return answer(await previews.upcoming_invoice(opened, caller, subscription))


@router.get(
    "/{subscription:path}", response_model=schemas.Subscription, summary="Read a subscription"
)
async def find(subscription: Named, caller: Reads, opened: Opened) -> Response:
    """As it was after its last step."""
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_subscription(connection, subscription)
        return answer(await documents.subscription(connection, row))


async def _ask(
    opened: Connections, caller: Caller, name: str, body: schemas.Asked, command: commands.Command
) -> Response:
    if body.preview:
        return answer(await previews.of_command(opened, caller, name, command))
    sent = await ask(opened, caller, name, command, body.reason)
    told = await _told(opened, caller, name, sent)
    return later(told) if sent.answer is None else answer(told)


async def _told(opened: Connections, caller: Caller, name: str, sent: Sent) -> Document:
    """The subscription as a request has left it, and the documents that it brought."""
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_subscription(connection, name)
        shown = await documents.subscription(connection, row)
        issued = await documents.issued(connection, sent.answer or {})
    status = "asked" if sent.answer is None else "done"
    request = {"preview": False, "request": sent.id, "request_status": status}
    return {**shown, **request, "issued": issued}
