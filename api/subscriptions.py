"""/v1/subscriptions: customers on plans. A change is a request: written down, then asked of the subscription's life."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api import documents, paying, previews
from api.answers import answer, later
from api.asked import told
from api.auth import Reads, Writes
from api.bodies import ExactRoute
from api.connections import Opened
from api.named import new_subscription
from api.pages import Page
from api.paths import Named, NamedQuery
from api.paying import TOPPED_UP, NewTopUp
from api.requests import begin
from api.schemas import subscriptions as schemas
from api.schemas.billing import Invoice, TopUpResult
from api.schemas.documents import later_as
from db.customers import find_customer
from db.subscriptions import find_subscription, find_subscriptions
from db.timeline import entries, totals_of
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
        asked = await new_subscription(connection, caller, body)
    wanted = asked.subscription
    if body.preview:
        return answer(await previews.of_beginning(opened, wanted, asked.chosen))
    sent = await begin(opened, caller, wanted, body.reason)
    shown = await told(opened, caller, wanted.id, sent)
    return later(shown) if sent.answer is None else answer(shown, 201)


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
    "/{subscription:path}/top-up",
    status_code=201,
    response_model=TopUpResult,
    responses=TOPPED_UP,
    summary="Top up",
)
async def top_up(subscription: Named, body: NewTopUp, caller: Writes, opened: Opened) -> Response:
    """Have the subscription's customer pay for prepaid credit, and grant it; with `preview`, its invoice."""
    async with opened.database.transaction(caller.environment) as connection:
        state = (await find_subscription(connection, subscription)).state
    life = None if state.is_over else state.id
    return await paying.top_up(opened, caller, state.customer, body, state.id, life)


@router.get(
    "/{subscription:path}/timeline", response_model=schemas.Timeline, summary="Read the timeline"
)
async def timeline(subscription: Named, page: Page, caller: Reads, opened: Opened) -> Response:
    """What happened to it, step by step: who asked for it, why, and what it came to in money."""
    async with opened.database.transaction(caller.environment) as connection:
        found = (await find_subscription(connection, subscription)).state
        steps = await entries(connection, found.id, page.fetch, page.after_number)
        totals = await totals_of(connection, [entry for _, entry in steps])
    shown = page.page(
        steps, lambda step: documents.step(step[1], totals), lambda step: str(step[0])
    )
    return answer(shown)


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
