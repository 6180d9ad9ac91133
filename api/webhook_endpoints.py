"""/v1/webhook-endpoints: who is told of what happens here."""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api.answers import answer, show_once
from api.auth import Caller, Reads, Writes
from api.bodies import ExactRoute
from api.connections import Opened
from api.pages import Page
from api.paths import Named
from api.schemas import webhook_endpoints as schemas
from db.webhook_endpoints import (
    EndpointRow,
    add_endpoint,
    change_endpoint,
    delete_endpoint,
    disable_endpoint,
    enable_endpoint,
    find_endpoint,
    find_endpoints,
    lock_endpoint,
    set_secret,
)
from domain.reading import written
from domain.webhooks.addresses import require_secure

router = APIRouter(prefix="/webhook-endpoints", tags=["webhook endpoints"], route_class=ExactRoute)


@router.post(
    "", status_code=201, response_model=schemas.MadeWebhookEndpoint, summary="Make an endpoint"
)
async def create(
    body: schemas.NewWebhookEndpoint, request: Request, caller: Writes, opened: Opened
) -> Response:
    """From now on it is told of what happens. The secret is in this answer alone."""
    require_secure(body.url, caller.key.mode, opened.private_addresses)
    own_id = caller.id_for("whe")
    async with opened.database.transaction(caller.environment) as connection:
        made = await add_endpoint(
            connection, caller.environment, own_id, body.url, body.topics, body.description
        )
        secret = await _set_secret(connection, caller, own_id, body.secret)
    return show_once(request, {**document(made), "secret": secret}, "secret", 201)


@router.get("", response_model=schemas.WebhookEndpointPage, summary="List the endpoints")
async def find_all(page: Page, caller: Reads, opened: Opened) -> Response:
    """Oldest first, those that are disabled included."""
    async with opened.database.transaction(caller.environment) as connection:
        found = await find_endpoints(connection, page.fetch, page.after)
    return answer(page.page(found, document, lambda endpoint: endpoint.id))


@router.get("/{id}", response_model=schemas.WebhookEndpoint, summary="Read an endpoint")
async def find(id: Named, caller: Reads, opened: Opened) -> Response:
    """Without its secret."""
    async with opened.database.transaction(caller.environment) as connection:
        return answer(document(await find_endpoint(connection, id)))


@router.patch("/{id}", response_model=schemas.WebhookEndpoint, summary="Change an endpoint")
async def change(
    id: Named, body: schemas.WebhookEndpointChanges, caller: Writes, opened: Opened
) -> Response:
    """A new URL is that of all attempts from now on. While it is disabled nothing is sent, and of what happens meanwhile it is
    not told.
    """
    if body.url is not None:
        require_secure(body.url, caller.key.mode, opened.private_addresses)
    async with opened.database.transaction(caller.environment) as connection:
        await _change(connection, await lock_endpoint(connection, id), body)
        return answer(document(await find_endpoint(connection, id)))


@router.delete("/{id}", response_model=schemas.DeletedWebhookEndpoint, summary="Delete an endpoint")
async def delete(id: Named, caller: Writes, opened: Opened) -> Response:
    """Nothing more is sent to it, and its secrets are forgotten."""
    async with opened.database.transaction(caller.environment) as connection:
        await lock_endpoint(connection, id)
        await delete_endpoint(connection, id)
    return answer({"id": id, "deleted": True})


@router.post(
    "/{id}/rotate-secret",
    response_model=schemas.MadeWebhookEndpoint,
    summary="Give an endpoint a new secret",
)
async def rotate(
    id: Named, body: schemas.SecretRotation, request: Request, caller: Writes, opened: Opened
) -> Response:
    """The new one is in this answer alone. For 24 hours the one it replaces signs as well, in the same header."""
    async with opened.database.transaction(caller.environment) as connection:
        row = await lock_endpoint(connection, id)
        secret = await _set_secret(connection, caller, id, body.secret)
    return show_once(request, {**document(row), "secret": secret}, "secret", 200)


def document(endpoint: EndpointRow) -> Mapping[str, object]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "topics": list(endpoint.topics),
        "description": endpoint.description,
        "enabled": endpoint.disabled_at is None,
        "disabled_at": written(endpoint.disabled_at) if endpoint.disabled_at else None,
        "disabled_because": endpoint.disabled_because,
        "failing_since": written(endpoint.failing_since) if endpoint.failing_since else None,
        "created_at": written(endpoint.created_at),
    }


async def _set_secret(
    connection: AsyncConnection, caller: Caller, endpoint: str, given: str | None
) -> str:
    return await set_secret(connection, caller.environment, endpoint, caller.id_for("whs"), given)


async def _change(
    connection: AsyncConnection, row: EndpointRow, body: schemas.WebhookEndpointChanges
) -> None:
    says_what = "description" in body.model_fields_set
    await change_endpoint(
        connection,
        row.id,
        body.url or row.url,
        body.topics or row.topics,
        body.description if says_what else row.description,
    )
    if body.enabled is True:
        await enable_endpoint(connection, row.id)
    if body.enabled is False:
        await disable_endpoint(connection, row.id, "asked")
