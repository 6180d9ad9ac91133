"""Migrations of subscriptions between versions of a plan, in and out."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from api.pages import LONGEST_CURSOR
from api.schemas.fields import KEY, read_with
from api.schemas.subscriptions import Asked, Issued, PlanVersion
from domain import reading

MOST_NAMED = 1_000
MOST_PREVIEWED = 100

Names = Annotated[
    tuple[str, ...],
    read_with(reading.list_of(reading.key, MOST_NAMED)),
    WithJsonSchema(
        {"type": "array", "items": KEY, "maxItems": MOST_NAMED, "examples": [["acme-pro"]]}
    ),
]
Effective = Literal["immediately", "period_end"]


class Migrate(Asked):
    from_version: PlanVersion = Field(
        default=None, alias="from", description="All that are older than `to`, unless given."
    )
    to: PlanVersion = None
    effective: Effective = "period_end"
    subscriptions: Names | None = Field(
        default=None, description="Of these alone: ids or keys. Others are left where they are."
    )
    limit: int = Field(
        default=20,
        ge=1,
        le=MOST_PREVIEWED,
        strict=True,
        description="How many a preview decides at most; for previews alone.",
        examples=[20],
    )
    after: str = Field(
        default="",
        max_length=LONGEST_CURSOR,
        description="The `next` of the preview, or of the migration, before.",
        examples=[""],
    )


class Refusal(BaseModel):
    code: str = Field(examples=["conflict"])
    message: str = Field(examples=["s1 is cancelled"])


class Moved(BaseModel):
    """One subscription: what was asked of it, and what came, or would come, of it."""

    subscription: str = Field(examples=["acme-pro"])
    request: str | None = Field(
        examples=["mig_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b:sub_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"]
    )
    status: Literal["asked", "done", "refused", "preview"]
    error: Refusal | None = Field(description="Why it was refused.", examples=[None])
    invoices: list[str] = Field(examples=[["INV-000002"]])
    credit_notes: list[str] = Field(examples=[[]])
    issued: Issued | None = Field(description="Of a preview: what would be issued at once.")


class Counts(BaseModel):
    asked: int = Field(examples=[998])
    done: int = Field(examples=[0])
    refused: int = Field(examples=[2])


class PlanMigration(BaseModel):
    """Subscriptions on their way from version to version of a plan."""

    id: str = Field(examples=["mig_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"])
    plan: str = Field(examples=["pro"])
    from_version: int | None = Field(alias="from", examples=[None])
    to: int = Field(examples=[3])
    effective: Effective
    actor: str = Field(examples=["key:backoffice"])
    reason: str | None = Field(examples=["prices of 2026"])
    more: bool = Field(
        description="One call has not taken all whom it concerns: migrate again to take the next."
    )
    counts: Counts = Field(description="How the requests stand now.")
    created_at: str = Field(examples=["2026-01-15T00:00:00Z"])


class PlanMigrationPage(BaseModel):
    data: list[PlanMigration]
    next: str | None = Field(examples=[None])


class ShownMigration(PlanMigration):
    """A migration with a page of its subscriptions."""

    data: list[Moved]
    next: str | None = Field(examples=[None])


class MigrationPreview(BaseModel):
    """What a migration would do, decided for one subscription after the other. Nothing is written down."""

    preview: Literal[True]
    plan: str = Field(examples=["pro"])
    from_version: int | None = Field(alias="from", examples=[None])
    to: int = Field(examples=[3])
    effective: Effective
    data: list[Moved]
    next: str | None = Field(examples=[None])
