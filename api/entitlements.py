"""/v1/entitlements: what a customer may use, asked of rows and never of a workflow."""

from fastapi import APIRouter
from fastapi.responses import Response

from api.answers import answer
from api.auth import Reads, SendsUsage
from api.bodies import ExactRoute
from api.checking import check, check_all
from api.connections import Opened
from api.paths import Named
from api.schemas import billing as schemas

router = APIRouter(tags=["entitlements"], route_class=ExactRoute)


@router.post("/entitlements/check", response_model=schemas.Checked, summary="May it be used?")
async def check_one(body: schemas.Check, caller: SendsUsage, opened: Opened) -> Response:
    """Whether a feature may be used, so much more of it where it is metered. It reserves nothing."""
    shown = await check(opened, caller, body.customer, body.feature, body.quantity)
    return answer(shown)


@router.get(
    "/customers/{customer:path}/entitlements",
    response_model=schemas.Entitlements,
    summary="List a customer's entitlements",
)
async def find_all(customer: Named, caller: Reads, opened: Opened) -> Response:
    """Every feature there is, and whether the customer may use it now."""
    return answer({"data": await check_all(opened, caller, customer)})
