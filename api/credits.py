"""/v1/credit-grants: credit given to customers."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.steps import GrantLife
from api import documents
from api.answers import answer
from api.auth import Caller, Reads, Writes
from api.bodies import ExactRoute
from api.connections import Opened
from api.moments import time_to_act
from api.pages import Page
from api.paths import Named, NamedQuery
from api.requests import done
from api.schemas import billing as schemas
from api.schemas.credits import GRANT, GRANT_EXAMPLE
from api.schemas.documents import Raw, shown_as, with_text_decimals
from api.units import grant_in_unit
from db.balances import usual_currency
from db.credits import GrantRow, add_grant, end_grant, find_grant, find_grants
from db.customers import CustomerRow, find_customer
from db.ledger import is_posted, post
from db.locks import lock_customer
from db.outbox import announce
from db.requests import Asked, write_request
from db.top_ups import is_top_up_key
from domain import ledger
from domain.codec import to_plain
from domain.credits import Grant, GrantOrder, check_void, new_grant, read_grant
from domain.errors import Conflict, Invalid, NotFound

router = APIRouter(prefix="/credit-grants", tags=["credits"], route_class=ExactRoute)

NewGrant = Annotated[Raw, shown_as(GRANT, "New credit grant", GRANT_EXAMPLE)]


@router.post("", status_code=201, response_model=schemas.CreditGrant, summary="Grant credit")
async def create(body: NewGrant, caller: Writes, opened: Opened) -> Response:
    """Give a customer credit. It burns in the order of its priority, and what is left at its end lapses."""
    own_id = caller.id_for("crg")
    order = read_grant({"key": own_id, **with_text_decimals(GRANT, body)})
    async with opened.database.transaction(caller.environment) as connection:
        given = await _given(connection, caller, own_id, order)
    if given.balance.grant.expires_at is not None:
        customer = given.balance.grant.customer
        async with opened.database.transaction(caller.environment) as connection:
            clock = (await find_customer(connection, customer)).test_clock
        await opened.lives.watch_grant(_life(caller, given.balance.grant, clock))
        await done(opened, caller, own_id)
    return answer(documents.grant(given), 201)


@router.get("", response_model=schemas.CreditGrantPage, summary="List credit grants")
async def find_all(
    page: Page, caller: Reads, opened: Opened, customer: NamedQuery = None
) -> Response:
    """Oldest first, those that plans give included."""
    async with opened.database.transaction(caller.environment) as connection:
        of = None if customer is None else (await find_customer(connection, customer)).id
        found = await find_grants(connection, page.fetch, page.after_number, of)
    return answer(page.page(found, documents.grant, lambda row: str(row.seq)))


@router.post("/{grant:path}/void", response_model=schemas.CreditGrant, summary="Void a grant")
async def void(grant: Named, caller: Writes, opened: Opened) -> Response:
    """Take back what is left of it. Again does nothing; refused where it has expired, or nothing is left."""
    async with opened.database.transaction(caller.environment) as connection:
        found = (await find_grant(connection, grant)).balance.grant
        await lock_customer(connection, found.customer)
        row = await find_grant(connection, found.id)
        if not await is_posted(connection, ledger.name_of_void(found)):
            await _take_back(connection, caller, row)
        return answer(documents.grant(await find_grant(connection, found.id)))


@router.get("/{grant:path}", response_model=schemas.CreditGrant, summary="Read a grant")
async def find(grant: Named, caller: Reads, opened: Opened) -> Response:
    """With what the ledger says is left of it."""
    async with opened.database.transaction(caller.environment) as connection:
        return answer(documents.grant(await find_grant(connection, grant)))


async def currency_for(
    connection: AsyncConnection, customer: CustomerRow, asked: str | None
) -> str:
    """The currency that was asked for, or the one the customer usually pays in. Raises `Invalid` where neither is."""
    found = asked or await usual_currency(connection, customer.id)
    if found is None:
        raise Invalid.at("currency", f"is required: {customer.key} pays in none yet")
    return found


async def _given(
    connection: AsyncConnection, caller: Caller, own_id: str, order: GrantOrder
) -> GrantRow:
    """The grant of this request, made unless it is there already. One that ends is written down as a request too: its
    end must be watched, whatever happens to us.
    """
    customer = await find_customer(connection, order.customer)
    now = await time_to_act(connection, customer)
    await lock_customer(connection, customer.id)
    try:
        return await find_grant(connection, own_id)
    except NotFound:
        order = await grant_in_unit(connection, order)
        currency = await currency_for(connection, customer, order.currency)
        grant = new_grant(order, id=own_id, customer=customer.id, currency=currency, at=now.at)
    if await is_top_up_key(connection, order.key, own_id):
        raise Conflict(f"there is a grant {order.key} already")
    await add_grant(connection, caller.environment, grant)
    await post(connection, caller.environment, customer.id, ledger.granted(grant))
    told = {"key": grant.key, "kind": grant.kind, "amount": str(grant.amount)}
    topic = "credit_grant.created"
    await announce(connection, caller.environment, topic, own_id, now.at, told)
    if grant.expires_at is not None:
        life = to_plain(_life(caller, grant, customer.test_clock))
        asked = Asked(own_id, "grant", customer.id, None, life, caller.name)
        await write_request(connection, caller.environment, asked)
    return await find_grant(connection, own_id)


async def _take_back(connection: AsyncConnection, caller: Caller, row: GrantRow) -> None:
    grant, left = row.balance.grant, row.balance.remaining
    now = await time_to_act(connection, await find_customer(connection, grant.customer))
    check_void(row.balance, now.at)
    voided = ledger.voided(grant, left, now.at)
    await post(connection, caller.environment, grant.customer, voided)
    await end_grant(connection, grant.id, now.at)
    told = {"key": grant.key, "amount": str(left)}
    await announce(connection, caller.environment, "credit_grant.voided", grant.id, now.at, told)


def _life(caller: Caller, grant: Grant, clock: str | None) -> GrantLife:
    assert grant.expires_at is not None
    return GrantLife(caller.environment, grant.id, grant.customer, grant.expires_at, clock)
