"""/v1/holds: credit, or a part of a limit, that a call whose cost is not known yet claims beforehand."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api import holding
from api.answers import answer
from api.auth import Reads, SendsUsage
from api.bodies import ExactRoute
from api.connections import Opened
from api.pages import Page
from api.paths import Named, NamedQuery
from api.schemas import holds as schemas
from api.schemas.documents import Raw, shown_as
from api.schemas.problem import problem
from db.customers import find_customer
from db.holds import find_hold, find_holds
from domain.holds import HoldStatus, read_hold

router = APIRouter(prefix="/holds", tags=["holds"], route_class=ExactRoute)

NewHold = Annotated[Raw, shown_as(schemas.NEW_HOLD, "New hold", schemas.NEW_HOLD_EXAMPLE)]
Settlement = Annotated[Raw, shown_as(schemas.SETTLEMENT, "Settlement", schemas.SETTLEMENT_EXAMPLE)]
StatusQuery = Annotated[HoldStatus | None, Query(description="Only those that are that now.")]


@router.post("", status_code=201, response_model=schemas.NewlyHeld, responses={402: problem("The credit does not cover it; `available` says what there is.")}, summary="Hold credit or a limit")  # fmt: skip
async def create(body: NewHold, caller: SendsUsage, opened: Opened) -> Response:
    """Claim an amount of credit, or a quantity of a feature, for a call whose cost is not known yet, or be refused. However many calls race, no more is
    held than there is. A hold that is neither settled nor released is worth nothing once it has expired.
    """
    return answer(await holding.hold(opened, caller, read_hold(body)), 201)


@router.get("", response_model=schemas.HoldPage, summary="List holds")
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
        found = await find_holds(connection, page.fetch, page.after, of, status)
    return answer(page.page(found, holding.hold_document, lambda row: row.hold.id))


@router.post("/{hold:path}/settle", response_model=schemas.Hold, summary="Settle a hold")
async def settle(hold: Named, body: Settlement, caller: SendsUsage, opened: Opened) -> Response:
    """End it with what the call really was: a usage event, which is kept in the same transaction. What it claims is given
    back once that event is counted in the wallet. Again with the same does nothing.
    """
    return answer(await holding.settle(opened, caller, hold, body))


@router.post("/{hold:path}/release", response_model=schemas.Hold, summary="Release a hold")
async def release(hold: Named, caller: SendsUsage, opened: Opened) -> Response:
    """Give it back: nothing was used. Again does nothing."""
    return answer(await holding.release(opened, caller, hold))


@router.get("/{hold:path}", response_model=schemas.Hold, summary="Read a hold")
async def find(hold: Named, caller: Reads, opened: Opened) -> Response:
    """As it is now."""
    async with opened.database.transaction(caller.environment) as connection:
        return answer(holding.hold_document(await find_hold(connection, hold)))
