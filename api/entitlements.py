"""/v1/entitlements: what a customer may use, asked of rows and never of a workflow; and what one customer is given."""

from typing import Annotated

from fastapi import APIRouter, Body
from fastapi.responses import Response

from api.answers import answer
from api.auth import Reads, SendsUsage, Writes
from api.bodies import ExactRoute
from api.checking import check, check_all
from api.choosing import features_named
from api.connections import Opened
from api.moments import now_for
from api.paths import Named
from api.problems import problem_of
from api.schemas import entitlements as schemas
from api.schemas.documents import Raw, shown_as
from db.customer_entitlements import OverrideRow, put_override, remove_override
from db.customers import find_customer
from domain.checks import Check, read_override
from domain.documents import Document
from domain.errors import NotFound
from domain.features import entitlement_document

router = APIRouter(tags=["entitlements"], route_class=ExactRoute)

Given = Annotated[Raw, shown_as(schemas.GIVEN, "An override", schemas.GIVEN_EXAMPLE)]


@router.post(
    "/entitlements/check",
    response_model=schemas.Checked | schemas.CheckedMany,
    summary="May it be used?",
)
async def check_some(
    body: Annotated[schemas.Checks, Body()], caller: SendsUsage, opened: Opened
) -> Response:
    """Whether a feature may be used, so much more of it where it is metered; with `checks`, each of up to 100, in their
    order. It reserves nothing.
    """
    if isinstance(body, Check):
        (found,) = await check(opened, caller, [body])
        if isinstance(found, NotFound):
            raise found
        return answer(found)
    answers = await check(opened, caller, body)
    return answer({"data": [_one_of(*each) for each in zip(body, answers, strict=True)]})


@router.get(
    "/customers/{customer:path}/entitlements",
    response_model=schemas.Entitlements,
    summary="List a customer's entitlements",
)
async def find_all(customer: Named, caller: Reads, opened: Opened) -> Response:
    """Every feature there is (the oldest 1,000 of them), and whether the customer may use it now."""
    return answer({"data": await check_all(opened, caller, customer)})


@router.post(
    "/customers/{customer:path}/entitlements",
    response_model=schemas.EntitlementState,
    summary="Give a customer a feature",
)
async def give(customer: Named, body: Given, caller: Writes, opened: Opened) -> Response:
    """Beside what all plans and add-ons give, in the place of what was given of the feature this way before. Answered with
    what of it the customer may use now.
    """
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_customer(connection, customer)
        at = (await now_for(connection, row.test_clock)).at
        named = body.get("feature")
        features = await features_named(connection, [named] if isinstance(named, str) else [])
        given = read_override(body, features, at)
        document = entitlement_document(given.entitlement)
        feature = given.entitlement.feature
        put = OverrideRow(feature, document, given.reason, caller.name, at, given.expires_at)
        await put_override(connection, caller.environment, row.id, put)
    (state,) = await check_all(opened, caller, row.id, feature)
    return answer(state)


@router.delete(
    "/customers/{customer:path}/entitlements/{feature:path}",
    response_model=schemas.EntitlementState,
    summary="Take back what a customer was given",
)
async def take_back(customer: Named, feature: Named, caller: Writes, opened: Opened) -> Response:
    """What plans and add-ons give stays. Answered with what of it the customer may use now."""
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_customer(connection, customer)
        await remove_override(connection, row.id, feature)
    (state,) = await check_all(opened, caller, row.id, feature)
    return answer(state)


def _one_of(asked: Check, found: Document | NotFound) -> Document:
    """One answer of several, told with what it answers."""
    named = {"customer": asked.customer, "feature": asked.feature}
    if isinstance(found, NotFound):
        return {**named, "error": problem_of(found).document()}
    return {**named, **found}
