"""Holds, in and out."""

from typing import Literal

from pydantic import Field

from api.schemas.billing import Document
from api.schemas.documents import document
from api.schemas.events import NAME, PROPERTIES
from api.schemas.fields import DECIMAL, INSTANT, KEY
from domain.holds import LONGEST_SECONDS, USUAL_SECONDS

_POSITIVE = {**DECIMAL, "pattern": DECIMAL["pattern"].replace("-?", "")}

NEW_HOLD = document(
    {
        "customer": {**KEY, "description": "Id or key of the customer."},
    },
    {
        "amount": {
            **_POSITIVE,
            "description": "Of credit, also less than a cent; or else a feature.",
        },
        "currency": {
            "type": "string",
            "pattern": "^[A-Z]{3}$",
            "description": "Of the amount; the one the customer usually pays in, if not given.",
        },
        "unit": {
            **KEY,
            "description": "Of the catalogue: the amount is in it. The currency is the unit's.",
        },
        "feature": {**KEY, "description": "Whose limit it is to be held of."},
        "quantity": {**_POSITIVE, "description": "Of the feature; 1 if not given."},
        "expires_in": {
            "type": "integer",
            "minimum": 1,
            "maximum": LONGEST_SECONDS,
            "default": USUAL_SECONDS,
            "description": "Seconds.",
        },
        "key": {**KEY, "description": "Your name for it: the same hold again is not made twice."},
    },
)
NEW_HOLD_EXAMPLE = {"customer": "acme", "amount": "0.0125", "currency": "USD", "expires_in": 120}

_EVENT = document(
    {"event_name": NAME},
    {
        "properties": PROPERTIES,
        "time": {**INSTANT, "description": "When it happened; now if not given."},
        "id": {
            **NAME,
            "description": "Unique in its environment for ever; the hold's if not given.",
        },
        "subscription": {**NAME, "description": "Bill it to this subscription alone."},
    },
)
SETTLEMENT = document(
    {},
    {
        "amount": {
            **_POSITIVE,
            "description": "What the call cost, if that is known: what was held beyond it is free at once. At most what is held.",
        },
        "unit": {**KEY, "description": "Of the amount: the one that is held, if it is."},
        "quantity": {
            **_POSITIVE,
            "description": "What was used of a feature, at most what is held; an event that says so is made of it.",
        },
        "event": {
            **_EVENT,
            "description": "The usage. Of credit it may be left out where it was sent to `/v1/events` before.",
        },
    },
)
SETTLEMENT_EXAMPLE = {
    "amount": "0.0098",
    "event": {"event_name": "llm.completion", "properties": {"tokens": "812", "model": "large"}},
}

_ID = "hld_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"
_AT = "2026-01-02T10:00:00Z"


class Hold(Document):
    """A claim on credit or on a limit, made before a call whose cost is not known."""

    id: str = Field(examples=[_ID])
    key: str | None = Field(examples=[None])
    customer: str = Field(examples=["acme"])
    status: Literal["open", "settled", "released", "expired"]
    amount: str | None = Field(description="Of credit that is held.", examples=["0.0125"])
    currency: str | None = Field(examples=["USD"])
    unit: str | None = Field(description="The unit that it was asked for in.", examples=[None])
    unit_rate: str | None = Field(
        description="What one of the unit was worth then.", examples=[None]
    )
    unit_amount: str | None = Field(description="`amount` in the unit.", examples=[None])
    feature: str | None = Field(examples=[None])
    quantity: str | None = Field(description="Of a feature that is held.", examples=[None])
    claim: str = Field(
        description="What is reserved for it still: of a settled one, until its usage is counted.",
        examples=["0.0125"],
    )
    used: str | None = Field(
        description="What it was settled with, where that was told.", examples=[None]
    )
    event: str | None = Field(description="The usage event it was settled with.", examples=[None])
    created_at: str = Field(examples=[_AT])
    expires_at: str = Field(examples=["2026-01-02T10:02:00Z"])
    ended_at: str | None = Field(
        description="When it was settled or released, or expired.", examples=[None]
    )


class NewlyHeld(Hold):
    available: str = Field(description="What remains.", examples=["23.5375"])


class HoldPage(Document):
    data: list[Hold]
    next: str | None = Field(examples=[None])
