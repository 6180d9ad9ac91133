"""/v1/webhook-endpoints/…/deliveries: what an endpoint was told, what it answered, and telling it again."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api.answers import answer
from api.auth import Reads, Writes
from api.bodies import ExactRoute
from api.connections import Opened
from api.pages import Page
from api.paths import Named
from api.schemas import webhook_endpoints as schemas
from db.outbox import note_for_one
from db.webhook_deliveries import (
    DeliveryRow,
    add_delivery,
    attempt_again,
    find_deliveries,
    find_delivery,
)
from db.webhook_endpoints import find_endpoint, lock_endpoint
from domain.errors import Conflict
from domain.reading import written
from domain.webhooks.attempts import DeliveryStatus
from domain.webhooks.topics import PING

StatusQuery = Annotated[
    DeliveryStatus | None, Query(description="Only those that stand so.", examples=["failed"])
]

router = APIRouter(
    prefix="/webhook-endpoints/{id}", tags=["webhook endpoints"], route_class=ExactRoute
)


@router.post(
    "/test",
    status_code=202,
    response_model=schemas.WebhookDelivery,
    summary="Send a ping to an endpoint",
)
async def test(id: Named, caller: Writes, opened: Opened) -> Response:
    """A notification `ping` to this endpoint alone, whatever its topics are; read the delivery to learn what came of it."""
    notification, delivery = caller.id_for("ntf"), caller.id_for("whd")
    async with opened.database.transaction(caller.environment) as connection:
        await _require_enabled(connection, id)
        await note_for_one(connection, caller.environment, notification, PING, id)
        await add_delivery(connection, caller.environment, delivery, id, notification)
        return answer(document(await find_delivery(connection, id, delivery)), 202)


@router.get("/deliveries", response_model=schemas.WebhookDeliveryPage, summary="List deliveries")
async def find_all(
    id: Named, page: Page, caller: Reads, opened: Opened, status: StatusQuery = None
) -> Response:
    """Newest first."""
    async with opened.database.transaction(caller.environment) as connection:
        await find_endpoint(connection, id)
        found = await find_deliveries(connection, id, page.fetch, page.after, status or "")
    return answer(page.page(found, document, lambda delivery: delivery.id))


@router.get(
    "/deliveries/{delivery}", response_model=schemas.WebhookDelivery, summary="Read a delivery"
)
async def find(id: Named, delivery: Named, caller: Reads, opened: Opened) -> Response:
    async with opened.database.transaction(caller.environment) as connection:
        await find_endpoint(connection, id)
        return answer(document(await find_delivery(connection, id, delivery)))


@router.post(
    "/deliveries/{delivery}/retry",
    response_model=schemas.WebhookDelivery,
    summary="Deliver once more",
)
async def retry(id: Named, delivery: Named, caller: Writes, opened: Opened) -> Response:
    """Attempt it now, whether it has failed, waits or was delivered: it is the same notification under the same id. Where this
    attempt fails, too, what is left of the schedule follows.
    """
    async with opened.database.transaction(caller.environment) as connection:
        await _require_enabled(connection, id)
        await find_delivery(connection, id, delivery)
        await attempt_again(connection, id, delivery)
        return answer(document(await find_delivery(connection, id, delivery)))


def document(delivery: DeliveryRow) -> Mapping[str, object]:
    next_at, last_at = delivery.next_attempt_at, delivery.last_attempt_at
    return {
        "id": delivery.id,
        "notification": delivery.notification,
        "topic": delivery.topic,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "next_attempt_at": written(next_at) if next_at else None,
        "last_attempt_at": written(last_at) if last_at else None,
        "response_status": delivery.response_status,
        "response_body": delivery.response_body,
        "error": delivery.error,
        "duration_ms": delivery.duration_ms,
        "created_at": written(delivery.created_at),
    }


async def _require_enabled(connection: AsyncConnection, endpoint: str) -> None:
    """Raises `Conflict`."""
    if (await lock_endpoint(connection, endpoint)).disabled_at is not None:
        raise Conflict(f"the webhook endpoint {endpoint} is disabled: enable it first")
