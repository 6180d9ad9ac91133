"""API keys and tenants."""

from typing import Annotated

from pydantic import BaseModel, Field, WithJsonSchema

from api.auth import SCOPES
from api.schemas.fields import Body, Key, Name, read_with
from domain import reading
from domain.errors import Invalid


def _scopes(value: object) -> tuple[str, ...]:
    scopes = reading.list_of(reading.one_of(*SCOPES))(value)
    if not scopes:
        raise Invalid.at("", "must name at least one scope")
    return tuple(dict.fromkeys(scopes))


Scopes = Annotated[
    tuple[str, ...],
    read_with(_scopes),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "string", "enum": list(SCOPES)},
            "minItems": 1,
            "examples": [["usage"]],
        }
    ),
]


class NewApiKey(Body):
    name: Name = Field(description="Who or what will use it.", examples=["ingest in Frankfurt"])
    scopes: Scopes = Field(description="What its holder may do.")


class ApiKey(BaseModel):
    """An API key, without the secret that opens the door."""

    id: str = Field(examples=["key_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"])
    name: str = Field(examples=["ingest in Frankfurt"])
    mode: str = Field(description="`live` or `test`: its environment.", examples=["test"])
    scopes: list[str] = Field(examples=[["usage"]])
    created_at: str = Field(examples=["2026-01-01T00:00:00Z"])
    revoked_at: str | None = Field(examples=[None])


class MadeApiKey(ApiKey):
    """A new key. `secret` is shown this once: a repeated request answers null in its place."""

    secret: str | None = Field(examples=["weir_test_4b1f…"])


class ApiKeyPage(BaseModel):
    data: list[ApiKey]
    next: str | None = Field(examples=[None])


class NewTenant(Body):
    key: Key = Field(examples=["acme-ai"])
    name: Name = Field(examples=["Acme AI Ltd"])


class Tenant(BaseModel):
    """Who sells: a company with a `live` and a `test` environment."""

    id: str = Field(examples=["ten_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"])
    key: str = Field(examples=["acme-ai"])
    name: str = Field(examples=["Acme AI Ltd"])
    created_at: str = Field(examples=["2026-01-01T00:00:00Z"])


class MadeTenant(Tenant):
    """A new tenant with a first `admin` key for each environment, shown this once (a repeated request answers null)."""

    secrets: dict[str, str] | None = Field(
        examples=[{"live": "weir_live_9c2e…", "test": "weir_test_4b1f…"}]
    )


class TenantPage(BaseModel):
    data: list[Tenant]
    next: str | None = Field(examples=[None])
