"""/v1/plans: what is sold. A plan is never changed: each change makes a new version, for new subscriptions."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api.answers import answer
from api.auth import Caller, Reads, Writes
from api.bodies import ExactRoute
from api.choosing import known_to
from api.connections import Opened
from api.pages import Page
from api.paths import Named
from api.schemas.catalog import PLAN, PLAN_EXAMPLE
from api.schemas.documents import (
    Raw,
    Schema,
    kept,
    maybe,
    page_of,
    responses,
    shown_as,
    with_text_decimals,
)
from api.schemas.documents import document as schema_of
from db import plans
from db.plans import PlanVersion
from domain.catalog import read_plan, require_known
from domain.errors import Conflict, Invalid
from domain.reading import written

router = APIRouter(prefix="/plans", tags=["plans"], route_class=ExactRoute)

_EXAMPLE: dict[str, object] = {
    "id": "pln_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b",
    "version": 1,
    **PLAN_EXAMPLE,
    "created_at": "2026-01-01T00:00:00Z",
    "archived_at": None,
    "based_on_version": None,
    "overrides": None,
    "subscription": None,
}
_VERSION = {"type": ["integer", "null"], "minimum": 1}
_OWN: dict[str, Schema] = {
    "based_on_version": {**_VERSION, "description": "Of a subscription's own version: what it is made of."},
    "overrides": maybe({"type": "object", "description": "What is put into that."}),
    "subscription": {"type": ["string", "null"], "description": "Id of the subscription whose own it is."},
}  # fmt: skip
_SHOWN = kept(PLAN, "Plan", _EXAMPLE, version={"type": "integer", "minimum": 1}, **_OWN)
_PATCH = schema_of({}, {name: schema for name, schema in PLAN["properties"].items() if name != "key"})  # fmt: skip
New = Annotated[Raw, shown_as(PLAN, "New plan", PLAN_EXAMPLE)]
Changes = Annotated[Raw, shown_as(_PATCH, "Changes of a plan", {"name": "Pro, as it was meant"})]
Version = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="The newest one unless given.")]  # fmt: skip


@router.post("", status_code=201, summary="Make a plan", responses=responses(_SHOWN, 200, 201))
async def create(body: New, caller: Writes, opened: Opened) -> Response:
    """Make a plan, or a new version of it where the key is taken. The same document again is the same version (200)."""
    async with opened.database.transaction(caller.environment) as connection:
        return await _put(connection, caller, body)


@router.get("", summary="List plans", responses=responses(page_of(_SHOWN), 200))
async def find_all(page: Page, caller: Reads, opened: Opened) -> Response:
    """The newest version of each plan."""
    async with opened.database.transaction(caller.environment) as connection:
        found = await plans.find_plans(connection, page.fetch, page.after)
    return answer(page.page(found, document, lambda plan: plan.id))


@router.get("/{plan:path}/versions", summary="List a plan's versions", responses=responses(page_of(_SHOWN), 200))  # fmt: skip
async def versions(plan: Named, caller: Reads, opened: Opened) -> Response:
    """All versions, oldest first."""
    async with opened.database.transaction(caller.environment) as connection:
        newest = await plans.find_plan(connection, plan)
        found = await plans.versions_of(connection, newest.id)
    return answer({"data": [document(version) for version in found], "next": None})


@router.post("/{plan:path}/archive", summary="Archive a plan", responses=responses(_SHOWN, 200))
async def archive(plan: Named, caller: Writes, opened: Opened) -> Response:
    """Who is on it stays on it; nobody new gets it. Again does nothing."""
    async with opened.database.transaction(caller.environment) as connection:
        return answer(document(await plans.archive_plan(connection, plan)))


@router.get("/{plan:path}", summary="Read a plan", responses=responses(_SHOWN, 200))
async def find(plan: Named, caller: Reads, opened: Opened, version: Version = None) -> Response:
    async with opened.database.transaction(caller.environment) as connection:
        return answer(document(await plans.find_plan(connection, plan, version)))


@router.patch("/{plan:path}", summary="Change a plan", responses=responses(_SHOWN, 200, 201))
async def change(plan: Named, body: Changes, caller: Writes, opened: Opened) -> Response:
    """Make a new version: the newest one with these members in place of its own (null takes one away)."""
    if "key" in body:
        raise Invalid.at("key", "cannot be changed: subscriptions know the plan by it")
    async with opened.database.transaction(caller.environment) as connection:
        newest = await plans.find_plan(connection, plan)
        changed = {**newest.document, **body}
        given = {name: member for name, member in changed.items() if member is not None}
        return await _put(connection, caller, given)


def document(plan: PlanVersion) -> dict[str, object]:
    return {
        "id": plan.id,
        "version": plan.version,
        **plan.document,
        "created_at": written(plan.created_at),
        "archived_at": written(plan.archived_at) if plan.archived_at else None,
        "based_on_version": plan.own and plan.own.based_on,
        "overrides": plan.own and plan.own.overrides,
        "subscription": plan.own and plan.own.subscription,
    }


async def _put(connection: AsyncConnection, caller: Caller, body: Mapping[str, Any]) -> Response:
    """Make the next version of a plan, unless its newest one says the same."""
    whole = with_text_decimals(PLAN, body)
    wanted = read_plan(whole)
    known = await known_to(connection, wanted)
    require_known(wanted, known.meters, known.features)
    environment = caller.environment
    plan_id = await plans.lock_plan(connection, environment, caller.id_for("pln"), wanted.key)
    versions = await plans.versions_of(connection, plan_id)
    if versions and versions[-1].archived_at is not None:
        raise Conflict(f"the plan {wanted.key} is archived")
    if versions and read_plan(versions[-1].document) == wanted:
        return answer(document(versions[-1]))
    return answer(document(await plans.add_version(connection, environment, plan_id, whole)), 201)
