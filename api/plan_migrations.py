"""/v1/plans/{key}/migrate: subscriptions stay on their version of a plan until they are moved to another one."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api import previews
from api.answers import answer
from api.auth import Caller, Reads, Writes
from api.bodies import ExactRoute
from api.connections import Connections, Opened
from api.migrating import MOST_AT_ONCE, Moving, migrate, read_migration
from api.pages import Page
from api.paths import Named
from api.schemas import plan_migrations as schemas
from db import plan_migrations as kept
from db.plan_migrations import Candidate, Move, PlanMigration
from db.plans import PlanVersion, find_plan
from db.requests import Status
from domain.documents import Document
from domain.errors import Invalid, Rejected
from domain.reading import written

router = APIRouter(prefix="/plans", tags=["plans"], route_class=ExactRoute)

StatusQuery = Annotated[Status | None, Query(description="Only those whose request stands so.")]


@router.post(
    "/{plan:path}/migrate",
    status_code=202,
    response_model=schemas.ShownMigration,
    responses={200: {"description": "A preview.", "model": schemas.MigrationPreview}},
    summary="Move subscriptions to a version",
)
async def move(plan: Named, body: schemas.Migrate, caller: Writes, opened: Opened) -> Response:
    """A change of plan is asked of each subscription that is on an older version, with its overrides put into the new
    one. All of it is written down, then done one by one; what is refused holds up no other. With `preview`, what that
    would issue at once, a page at a time.
    """
    async with opened.database.transaction(caller.environment) as connection:
        moving = await read_migration(connection, caller, plan, body)
        if not body.preview:
            if "limit" in body.model_fields_set:
                raise Invalid.at(
                    "limit", f"is for previews: up to {MOST_AT_ONCE} are moved at once"
                )
            begun = await migrate(connection, caller.environment, moving, body.after)
            counts = await kept.counts_of(connection, [begun.id])
            moves = await kept.moves_of(connection, begun.id, MOST_AT_ONCE)
            shown = _document(begun, moving.version, counts)
            last = None if begun.is_whole else moves[-1].subscription
            return answer({**shown, "data": [_moved(m) for m in moves], "next": last}, 202)
        found = await moving.concerned(connection, body.limit + 1, body.after)
    return answer(await _preview(opened, caller, moving, body.limit, found))


@router.get(
    "/{plan:path}/migrations",
    response_model=schemas.PlanMigrationPage,
    summary="List a plan's migrations",
)
async def find_all(plan: Named, page: Page, caller: Reads, opened: Opened) -> Response:
    """Oldest first."""
    async with opened.database.transaction(caller.environment) as connection:
        version = await find_plan(connection, plan)
        found = await kept.find_migrations(connection, version.id, page.fetch, page.after)
        counts = await kept.counts_of(connection, [each.id for each in found])
    shown = page.page(found, lambda each: _document(each, version, counts), lambda each: each.id)
    return answer(shown)


@router.get(
    "/{plan:path}/migrations/{migration}",
    response_model=schemas.ShownMigration,
    summary="Read a migration",
)
async def find(
    plan: Named,
    migration: Named,
    page: Page,
    caller: Reads,
    opened: Opened,
    status: StatusQuery = None,
) -> Response:
    """What became of each subscription, and why one was refused."""
    async with opened.database.transaction(caller.environment) as connection:
        version = await find_plan(connection, plan)
        found = await kept.find_migration(connection, version.id, migration)
        counts = await kept.counts_of(connection, [found.id])
        moves = await kept.moves_of(connection, found.id, page.fetch, page.after, status)
    listed = page.page(moves, _moved, lambda each: each.subscription)
    return answer({**_document(found, version, counts), **listed})


async def _preview(
    opened: Connections,
    caller: Caller,
    moving: Moving,
    limit: int,
    found: Sequence[Candidate],
) -> Document:
    page = found[:limit]
    return {
        "preview": True,
        "plan": moving.version.key,
        "from": moving.migration.from_version,
        "to": moving.version.version,
        "effective": moving.migration.effective,
        "data": [await _previewed(opened, caller, moving, each) for each in page],
        "next": page[-1].row.state.id if len(found) > limit else None,
    }


async def _previewed(
    opened: Connections, caller: Caller, moving: Moving, candidate: Candidate
) -> Document:
    state = candidate.row.state
    shown: Document = {"subscription": state.key, "request": None}
    shown |= {"invoices": [], "credit_notes": []}
    try:
        move = moving.move(candidate)
        told = await previews.of_command(opened, caller, state.id, move.command, move.to)
    except Rejected as refusal:
        error = {"code": refusal.code, "message": str(refusal)}
        return {**shown, "status": "refused", "error": error, "issued": None}
    return {**shown, "status": "preview", "error": None, "issued": told["issued"]}


def _document(
    migration: PlanMigration, plan: PlanVersion, counts: Mapping[str, Mapping[str, int]]
) -> Document:
    known = counts.get(migration.id, {})
    return {
        "id": migration.id,
        "plan": plan.key,
        "from": migration.from_version,
        "to": migration.to_version,
        "effective": migration.effective,
        "actor": migration.actor,
        "reason": migration.reason,
        "more": not migration.is_whole,
        "counts": {status: known.get(status, 0) for status in ("asked", "done", "refused")},
        "created_at": migration.created_at and written(migration.created_at),
    }


def _moved(move: Move) -> Document:
    told = move.answer or {}
    refused = move.status == "refused"
    return {
        "subscription": move.subscription_key,
        "request": move.request,
        "status": move.status,
        "error": {name: told.get(name) for name in ("code", "message")} if refused else None,
        "invoices": told.get("invoices", []),
        "credit_notes": told.get("credit_notes", []),
        "issued": None,
    }
