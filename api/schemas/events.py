"""Usage events, in and out, and what a customer has used."""

from typing import Any

from pydantic import BaseModel, Field

from api.schemas.documents import document, list_of
from api.schemas.fields import INSTANT, Body, Name
from api.sent_events import CLOUD_EVENT, CLOUD_EVENTS, JSON, LINES, MOST_EVENTS
from domain.metering.incoming import LONGEST_NAME

NAME: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME}
PROPERTIES: dict[str, Any] = {
    "type": "object",
    "description": "What meters measure, filter and group by. Numbers with a point are refused: send them as text.",
}

EVENT_EXAMPLE = {
    "id": "req_8f14e45f",
    "event_name": "llm.completion",
    "customer": "acme",
    "time": "2026-01-02T10:00:00Z",
    "properties": {"tokens": "1200", "model": "large"},
}
CLOUD_EVENT_EXAMPLE = {
    "specversion": "1.0",
    "id": "req_8f14e45f",
    "source": "/gateway",
    "type": "llm.completion",
    "subject": "acme",
    "time": "2026-01-02T10:00:00Z",
    "data": {"tokens": "1200", "model": "large"},
}

EVENT = document(
    {
        "id": {**NAME, "description": "Unique in its environment for ever, whatever the time."},
        "event_name": NAME,
        "customer": {**NAME, "description": "The key or id of the customer."},
    },
    {
        "time": {**INSTANT, "description": "When it happened; now if not given."},
        "properties": PROPERTIES,
        "subscription": {**NAME, "description": "Bill it to this subscription alone."},
    },
)
CLOUD: dict[str, Any] = {
    "type": "object",
    "description": "A CloudEvent 1.0: `id`, `type`, `subject`, `time` and `data` are an event's id, event_name, customer,"
    " time and properties.",
    "required": ["specversion", "id", "source", "type", "subject"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": NAME,
        "source": {"type": "string"},
        "type": NAME,
        "subject": NAME,
        "time": INSTANT,
        "data": PROPERTIES,
    },
}


def _content(schema: dict[str, Any], example: object) -> dict[str, Any]:
    return {"schema": schema, "example": example}


# How `POST /v1/events` takes events, for the OpenAPI document.
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: _content({"anyOf": [EVENT, list_of(EVENT, MOST_EVENTS)]}, EVENT_EXAMPLE),
            LINES: _content({"type": "string"}, '{"id": "e1", …}\n{"id": "e2", …}\n'),
            CLOUD_EVENT: _content(CLOUD, CLOUD_EVENT_EXAMPLE),
            CLOUD_EVENTS: _content(list_of(CLOUD, MOST_EVENTS), [CLOUD_EVENT_EXAMPLE]),
        },
    }
}


class Rejection(BaseModel):
    """An event that was not kept, and why."""

    index: int = Field(description="Its place in what was sent, from 0.", examples=[3])
    id: str | None = Field(examples=["req_8f14e460"])
    path: str = Field(examples=["properties.tokens"])
    message: str = Field(examples=["is required by a meter (meter tokens)"])


class Ingested(BaseModel):
    """What became of the events: each is accepted, a duplicate or rejected."""

    accepted: int = Field(description="New ones, kept for ever.", examples=[998])
    duplicates: int = Field(description="Sent before, with the same content.", examples=[1])
    rejected: list[Rejection]


class VoidEvent(Body):
    """Take an event back."""

    reason: Name = Field(description="Why, for whoever asks later.", examples=["sent by a test"])


class Voided(BaseModel):
    """That an event was taken back, by an event of its own."""

    id: str = Field(examples=["evt_019b76da73be7cd1ba47f1dd9c5e5dc1"])
    reason: str = Field(examples=["sent by a test"])
    at: str = Field(description="When, by the customer's clock.", examples=["2026-01-03T09:00:00Z"])


class Event(BaseModel):
    """A usage event as it was kept, and whether it was taken back."""

    id: str = Field(examples=["req_8f14e45f"])
    event_name: str = Field(examples=["llm.completion"])
    customer: str = Field(examples=["acme"])
    subscription: str | None = Field(examples=[None])
    time: str = Field(examples=["2026-01-02T10:00:00Z"])
    properties: dict[str, Any] = Field(examples=[{"tokens": "1200", "model": "large"}])
    received_at: str = Field(examples=["2026-01-02T10:00:01Z"])
    voided: Voided | None = Field(
        description="What took it back; from there on it counts for nothing.",
        examples=[{"id": "evt_019b76da73be7cd1ba47f1dd9c5e5dc1", "reason": "sent by a test", "at": "2026-01-03T09:00:00Z"}],
    )  # fmt: skip
    voids: str | None = Field(
        description="The id of the event that this one takes back, where it is a void.",
        examples=[None],
    )
    reason: str | None = Field(description="Why, where it is a void.", examples=[None])


class EventPage(BaseModel):
    data: list[Event]
    next: str | None = Field(examples=[None])


class Used(BaseModel):
    """What one meter counts in one window, of one group."""

    model_config = {"populate_by_name": True}

    meter: str = Field(examples=["tokens"])
    from_: str = Field(alias="from", examples=["2026-01-01T00:00:00Z"])
    to: str = Field(examples=["2026-02-01T00:00:00Z"])
    group: dict[str, str | None] = Field(examples=[{"model": "large"}])
    quantity: str = Field(examples=["1200"])


class UsedPage(BaseModel):
    data: list[Used]
    next: None = Field(description="All is in one page.", examples=[None])


class CustomerUsed(Used):
    """The same of one customer among others."""

    customer: str = Field(description="The customer's key.", examples=["acme"])


class CustomerUsedPage(BaseModel):
    data: list[CustomerUsed]
    next: str | None = Field(description="The customers after these.", examples=[None])
