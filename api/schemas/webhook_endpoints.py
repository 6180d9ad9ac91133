"""Webhook endpoints and their deliveries, in and out."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from api.schemas.fields import Body, Name, read_with
from domain import reading
from domain.webhooks.addresses import LONGEST_URL, read_url
from domain.webhooks.attempts import DeliveryStatus
from domain.webhooks.signing import read_secret
from domain.webhooks.topics import EVERYTHING, MOST_TOPICS, read_topics

_URL = "https://example.com/weir"

Url = Annotated[
    str,
    read_with(read_url),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^https?://",
            "maxLength": LONGEST_URL,
            "examples": [_URL],
        }
    ),
]
Topics = Annotated[
    tuple[str, ...],
    read_with(read_topics),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "string", "pattern": "^[a-z0-9_.*]+$"},
            "minItems": 1,
            "maxItems": MOST_TOPICS,
            "examples": [["invoice.*", "credit_grant.created"]],
        }
    ),
]
Secret = Annotated[
    str,
    read_with(read_secret),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^whsec_[A-Za-z0-9+/]{32,}={0,2}$",
            "examples": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="],
        }
    ),
]
OWN_SECRET = "One that the receiver knows already; a new one is made if not given."


class NewWebhookEndpoint(Body):
    url: Url = Field(
        description="Where to send: https, without credentials; http is for test environments."
    )
    topics: Topics = Field(
        default=EVERYTHING,
        description="What it is told of: a topic, all that begin alike (`invoice.*`), or `*` for all.",
    )
    description: Name | None = Field(default=None, examples=["the cache of our gateway"])
    secret: Secret | None = Field(default=None, description=OWN_SECRET)


class WebhookEndpointChanges(Body):
    """What may change of an endpoint; what is left out stays."""

    url: Url | None = Field(default=None)
    topics: Topics | None = Field(default=None, description="From now on.")
    description: Name | None = Field(default=None, examples=["the cache of our gateway"])
    enabled: Annotated[bool, read_with(reading.boolean)] | None = Field(
        default=None,
        description="Whether it is told of what happens. Enabling sends what has waited.",
    )


class SecretRotation(Body):
    secret: Secret | None = Field(default=None, description=OWN_SECRET)


class WebhookEndpoint(BaseModel):
    """A URL that is told of what happens in the environment."""

    id: str = Field(examples=["whe_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"])
    url: str = Field(examples=[_URL])
    topics: list[str] = Field(examples=[["invoice.*"]])
    description: str | None = Field(examples=[None])
    enabled: bool
    disabled_at: str | None = Field(examples=[None])
    disabled_because: Literal["asked", "gone", "failing"] | None = Field(
        description="Someone `asked` for it, it answered 410 (`gone`), or it was `failing` for 5 days."
    )
    failing_since: str | None = Field(
        description="Its first failure after its last success.", examples=[None]
    )
    created_at: str = Field(examples=["2026-01-01T00:00:00Z"])


class MadeWebhookEndpoint(WebhookEndpoint):
    """With a new signing secret, which is shown this once: a repeated request answers null in its place."""

    secret: str | None = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="])


class WebhookEndpointPage(BaseModel):
    data: list[WebhookEndpoint]
    next: str | None = Field(examples=[None])


class DeletedWebhookEndpoint(BaseModel):
    id: str = Field(examples=["whe_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"])
    deleted: bool


class WebhookDelivery(BaseModel):
    """One notification on its way to one endpoint, and what came of the last attempt."""

    id: str = Field(examples=["whd_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"])
    notification: str = Field(
        description="`id` in what is sent, and its header `webhook-id`.",
        examples=["ntf_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"],
    )
    topic: str = Field(examples=["invoice.issued"])
    status: DeliveryStatus = Field(
        description="`pending` until it was `delivered`, or the last attempt has `failed`."
    )
    attempts: int = Field(examples=[1])
    next_attempt_at: str | None = Field(examples=[None])
    last_attempt_at: str | None = Field(examples=["2026-01-01T00:00:00.4Z"])
    response_status: int | None = Field(examples=[200])
    response_body: str | None = Field(description="Its first 1,024 bytes.", examples=["thanks"])
    error: str | None = Field(description="Why there was no answer.", examples=[None])
    duration_ms: int | None = Field(examples=[38])
    created_at: str = Field(examples=["2026-01-01T00:00:00Z"])


class WebhookDeliveryPage(BaseModel):
    data: list[WebhookDelivery]
    next: str | None = Field(examples=[None])
