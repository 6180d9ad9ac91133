"""/v1/tenants: who sells."""

from typing import get_args

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.answers import answer, show_once
from api.auth import Administers, Operates
from api.bodies import ExactRoute
from api.connections import Opened
from api.paths import Named
from api.schemas import keys as schemas
from db.keys import create_key
from db.session import Database
from db.tenants import Environment, Mode, Tenant, find_tenant, open_environment, open_tenant
from domain.errors import Conflict, NotFound
from domain.reading import written

router = APIRouter(prefix="/tenants", tags=["tenants"], route_class=ExactRoute)


@router.post("", status_code=201, response_model=schemas.MadeTenant, summary="Make a tenant")
async def create(
    body: schemas.NewTenant, request: Request, caller: Operates, opened: Opened
) -> Response:
    """Make a tenant, its `live` and its `test` environment, and a first `admin` key for each."""
    async with opened.database.registry() as connection:
        if await find_tenant(connection, body.key) is not None:
            raise Conflict(f"there is a tenant {body.key} already")
        tenant = await open_tenant(connection, body.key, body.name)
        environments = [
            await open_environment(connection, tenant.id, mode) for mode in get_args(Mode)
        ]
    secrets = {each.mode: await _first_key(opened.database, each) for each in environments}
    return show_once(request, {**document(tenant), "secrets": secrets}, "secrets", 201)


@router.get("/{tenant:path}", response_model=schemas.Tenant, summary="Read your tenant")
async def find(tenant: Named, caller: Administers, opened: Opened) -> Response:
    """The tenant of the key, by id or key; others are not there."""
    async with opened.database.transaction(caller.environment) as connection:
        found = await find_tenant(connection, tenant)
    if found is None:
        raise NotFound(f"there is no tenant {tenant}")
    return answer(document(found))


@router.get("", response_model=schemas.TenantPage, summary="List your tenants")
async def find_all(caller: Administers, opened: Opened) -> Response:
    """The tenant of the key: the only one it sees."""
    async with opened.database.transaction(caller.environment) as connection:
        own = await find_tenant(connection, caller.key.tenant_id)
    return answer({"data": [document(own)] if own else [], "next": None})


async def _first_key(database: Database, environment: Environment) -> str:
    async with database.transaction(environment.id) as connection:
        return (await create_key(connection, environment, "first", ["admin"]))[1]


def document(tenant: Tenant) -> dict[str, object]:
    return {
        "id": tenant.id,
        "key": tenant.key,
        "name": tenant.name,
        "created_at": written(tenant.created_at),
    }
