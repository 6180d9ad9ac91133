"""/v1/webhooks/stripe: what the payment provider tells us. Kept once, acknowledged, and then acted on by the relay.

The event is never believed for what it says: the payment it is about is read again. So neither the order of events nor
their number matters.
"""

from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from sqlalchemy.exc import IntegrityError

from api.answers import answer
from api.connections import Opened
from api.doorway import read_body
from api.schemas.problem import problem
from db.provider_events import KeptEvent, keep_event
from domain.errors import Unavailable
from providers.payments.webhooks import read_event

EXAMPLE = {
    "id": "evt_1Q0PsIJvEtkwdCNY",
    "type": "payment_intent.succeeded",
    "data": {"object": {"id": "pi_3Q0PsIJvEtkwdCNY", "object": "payment_intent"}},
}

router = APIRouter(prefix="/webhooks", tags=["webhooks"])


class Received(BaseModel):
    """Thank you."""

    received: bool
    duplicate: bool = Field(description="Whether it was here before.")


@router.post(
    "/stripe",
    response_model=Received,
    summary="Take an event of the payment provider",
    responses={400: problem("The signature is missing, wrong or too old: nothing was kept.")},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}, "example": EXAMPLE}},
        }
    },
)
async def stripe(
    request: Request,
    opened: Opened,
    signature: Annotated[
        str, Header(alias="Stripe-Signature", description="`t=…,v1=…`", max_length=2_000)
    ] = "",
) -> Response:
    """The signature is verified before anything is looked at. An event about nothing of ours is thanked for, not kept."""
    if opened.webhook_secret is None:
        raise Unavailable("no STRIPE_WEBHOOK_SECRET is set")
    body = await read_body(request.headers, request.receive)
    event = read_event(body, signature, opened.webhook_secret)
    if event.environment is None:
        return answer({"received": True, "duplicate": False})
    kept = KeptEvent(event.id, event.type, event.object_id, event.intent, event.metadata)
    try:
        async with opened.database.transaction(event.environment) as connection:
            is_new = await keep_event(connection, event.environment, kept)
    except IntegrityError:  # an environment that we do not have
        is_new = True
    return answer({"received": True, "duplicate": not is_new})
