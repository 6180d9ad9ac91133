"""/v1/api-keys: who may call, and what for."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.answers import answer, show_once
from api.auth import Administers
from api.bodies import ExactRoute
from api.connections import Opened
from api.pages import Page
from api.paths import Named
from api.schemas import keys as schemas
from db.keys import ApiKey, create_key, list_keys, read_key, revoke_key
from db.tenants import Environment
from domain.errors import Forbidden
from domain.reading import written

router = APIRouter(prefix="/api-keys", tags=["API keys"], route_class=ExactRoute)


@router.post("", status_code=201, response_model=schemas.MadeApiKey, summary="Make an API key")
async def create(
    body: schemas.NewApiKey, request: Request, caller: Administers, opened: Opened
) -> Response:
    """Make a key for the environment of the one that asks. The secret is in this answer alone."""
    if "operator" in body.scopes and "operator" not in caller.key.scopes:
        raise Forbidden("only a key with the scope operator can hand it on")
    own = caller.key
    environment = Environment(own.environment_id, own.tenant_id, own.mode)
    async with opened.database.transaction(caller.environment) as connection:
        key_id, secret = await create_key(connection, environment, body.name, body.scopes)
        made = await read_key(connection, key_id)
    return show_once(request, {**document(made), "secret": secret}, "secret", 201)


@router.get("", response_model=schemas.ApiKeyPage, summary="List the API keys")
async def find_all(page: Page, caller: Administers, opened: Opened) -> Response:
    """The keys of the environment, oldest first, revoked ones included."""
    async with opened.database.transaction(caller.environment) as connection:
        found = await list_keys(connection, page.fetch, page.after)
    return answer(page.page(found, document, lambda key: key.id))


@router.get("/{id}", response_model=schemas.ApiKey, summary="Read an API key")
async def find(id: Named, caller: Administers, opened: Opened) -> Response:
    """One key, without its secret."""
    async with opened.database.transaction(caller.environment) as connection:
        return answer(document(await read_key(connection, id)))


@router.post("/{id}/revoke", response_model=schemas.ApiKey, summary="Revoke an API key")
async def revoke(id: Named, caller: Administers, opened: Opened) -> Response:
    """From now on the key opens nothing. Again does nothing; a key can revoke itself."""
    async with opened.database.transaction(caller.environment) as connection:
        await revoke_key(connection, id)
        return answer(document(await read_key(connection, id)))


def document(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "mode": key.mode,
        "scopes": list(key.scopes),
        "created_at": written(key.created_at),
        "revoked_at": written(key.revoked_at) if key.revoked_at else None,
    }
