"""Whether we live, and whether we can serve."""

import asyncio
from datetime import timedelta

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from temporalio.service import RPCError

from api.connections import Connections, Opened
from api.problems import Problem, respond
from api.schemas.problem import problem
from db import migrate
from domain.errors import BillingError

PROBE_SECONDS = 3

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: str = Field(examples=["ok"])


class Readiness(Health):
    checks: dict[str, str] = Field(
        examples=[{"database": "ok", "migrations": "ok", "temporal": "ok"}]
    )


@router.get("/healthz", response_model=Health, summary="Are we alive?")
async def healthz() -> Response:
    return JSONResponse({"status": "ok"})


@router.get(
    "/readyz",
    response_model=Readiness,
    summary="Can we serve?",
    responses={503: problem("Something we depend on does not answer; `detail` says what.")},
)
async def readyz(opened: Opened) -> Response:
    """The database answers, its migrations are all applied, Temporal answers."""
    probes = {
        "database": _database(opened),
        "migrations": _migrations(opened),
        "temporal": _temporal(opened),
    }
    found = dict(zip(probes, await asyncio.gather(*probes.values()), strict=True))
    failed = "; ".join(f"{name}: {state}" for name, state in found.items() if state != "ok")
    if failed:
        return respond(Problem(503, "unavailable", "Not ready", failed))
    return JSONResponse({"status": "ok", "checks": found})


async def _database(opened: Connections) -> str:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await opened.database.check_role()
    except (BillingError, TimeoutError) as error:
        return str(error) or "no answer in time"
    return "ok"


async def _migrations(opened: Connections) -> str:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            applied = await opened.database.revision()
    except (BillingError, TimeoutError) as error:
        return str(error) or "no answer in time"
    newest = migrate.head()
    return "ok" if applied == newest else f"at {applied}, not at {newest}: run `weir migrate`"


async def _temporal(opened: Connections) -> str:
    try:
        healthy = await opened.temporal.service_client.check_health(
            timeout=timedelta(seconds=PROBE_SECONDS)
        )
    except (RPCError, RuntimeError) as error:
        return str(error) or "no answer"
    return "ok" if healthy else "not serving"
