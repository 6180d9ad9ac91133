"""Subscriptions, in and out."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from api.schemas.billing import CreditNote, Invoice
from api.schemas.fields import DECIMAL, Body, Decimal, Instant, Key, Name, NotNegative, read_with
from domain import reading
from domain.errors import Invalid
from domain.reading import Fields

MOST_COUPONS = 20
MOST_QUANTITIES = 200


def _quantities(value: object) -> Mapping[str, Fraction]:
    fields = Fields(value)
    assert isinstance(value, Mapping)
    if len(value) > MOST_QUANTITIES:
        raise Invalid.at("", f"must have at most {MOST_QUANTITIES} members")
    quantities = {str(item): fields.required(str(item), reading.not_negative) for item in value}
    fields.done()
    return quantities


Quantities = Annotated[
    Mapping[str, Fraction],
    read_with(_quantities),
    WithJsonSchema(
        {"type": "object", "additionalProperties": DECIMAL, "examples": [{"seats": "3"}]}
    ),
]
Coupons = Annotated[
    tuple[str, ...],
    read_with(reading.list_of(reading.key, MOST_COUPONS)),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "string"},
            "maxItems": MOST_COUPONS,
            "examples": [["launch"]],
        }
    ),
]
Preview = Annotated[
    bool,
    read_with(reading.boolean),
    WithJsonSchema({"type": "boolean"}),
    Field(description="Answer what it would issue, without doing it."),
]


class Asked(Body):
    """What every request may say: whether it is meant, and why."""

    preview: Preview = False
    reason: Name | None = Field(
        default=None, description="Kept in the timeline.", examples=["asked by phone"]
    )


class NewSubscription(Asked):
    key: Key | None = Field(
        default=None, description="Your name for it; its id if not given.", examples=["acme-pro"]
    )
    customer: Key = Field(description="Id or key of the customer.")
    plan: Key = Field(description="Id or key of the plan, in its newest version.", examples=["pro"])
    quantities: Quantities = Field(
        default={}, description="Of recurring items, in place of the plan's."
    )
    coupons: Coupons = ()
    starts_at: Instant | None = Field(
        default=None, description="Now, if not given; never before now."
    )


class Cancel(Asked):
    effective: Literal["immediately", "period_end"] = "period_end"
    unused: Literal["credit", "refund", "none"] = Field(
        default="credit",
        description="What becomes of what was paid in advance and not used, at an immediate cancel.",
    )


class ChangePlan(Asked):
    plan: Key = Field(
        description="Id or key of the plan, in its newest version.", examples=["scale"]
    )
    effective: Literal["immediately", "period_end"] = "immediately"


class SetQuantity(Asked):
    item: Key = Field(description="A recurring item of the plan.", examples=["seats"])
    quantity: NotNegative


class ChargeOnce(Asked):
    """A one-off charge, billed by the next invoice."""

    key: Key = Field(examples=["onboarding"])
    description: Name | None = Field(default=None, examples=["Onboarding workshop"])
    amount: Decimal = Field(description="For one unit, in the subscription's currency.")
    quantity: Decimal = Fraction(1)


class Redemption(BaseModel):
    coupon: str = Field(examples=["launch"])
    redeemed_at: str = Field(examples=["2026-01-01T00:00:00Z"])
    uses: int = Field(examples=[1])


class Subscription(BaseModel):
    """A customer on a plan."""

    id: str = Field(examples=["sub_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"])
    key: str = Field(examples=["acme-pro"])
    customer: str = Field(examples=["acme"])
    plan: str = Field(examples=["pro"])
    plan_version: int = Field(examples=[1])
    status: Literal["scheduled", "trialing", "active", "paused", "cancelled"]
    currency: str = Field(examples=["USD"])
    timezone: str = Field(examples=["UTC"])
    started_at: str = Field(examples=["2026-01-01T00:00:00Z"])
    trial_end: str | None = Field(examples=[None])
    current_period: tuple[str, str] | None = Field(
        examples=[["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]]
    )
    quantities: dict[str, str] = Field(examples=[{"seats": "3"}])
    coupons: list[Redemption]
    next_plan: str | None = Field(
        description="The plan that the next period begins with.", examples=[None]
    )
    cancels_at_period_end: bool
    paused_at: str | None = Field(examples=[None])
    ended_at: str | None = Field(examples=[None])
    test_clock: str | None = Field(examples=[None])
    created_at: str = Field(examples=["2026-01-01T00:00:00Z"])


class SubscriptionPage(BaseModel):
    data: list[Subscription]
    next: str | None = Field(examples=[None])


class Issued(BaseModel):
    """The documents that a request brought."""

    invoices: list[Invoice]
    credit_notes: list[CreditNote]


class AnsweredSubscription(Subscription):
    """A subscription as a request has left it (or would, if `preview`), and what that brought."""

    preview: bool
    request: str | None = Field(
        description="The id of the request; null in a preview.",
        examples=["req_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"],
    )
    request_status: Literal["done", "asked", "preview"] = Field(
        description="`asked`: written down, and done as soon as it can be."
    )
    issued: Issued


class TimelineEntry(BaseModel):
    """One step of a subscription's life."""

    at: str = Field(examples=["2026-01-15T00:00:00Z"])
    what: str = Field(examples=["change_plan"])
    actor: str = Field(examples=["key:backoffice"])
    reason: str | None = Field(examples=["asked by phone"])
    request: dict[str, object] | None = Field(
        description="What was asked; null for what came due by itself."
    )
    invoices: list[str] = Field(examples=[["INV-000002"]])
    credit_notes: list[str] = Field(examples=[[]])


class Timeline(BaseModel):
    data: list[TimelineEntry]
    next: str | None = Field(examples=[None])
