"""Subscriptions, in and out."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from api.schemas.billing import CreditNote, Invoice
from api.schemas.features import ENTITLEMENTS_EXAMPLE
from api.schemas.fields import DECIMAL, Body, Instant, Key, Name, read_with
from api.schemas.overrides import Overrides
from domain import reading
from domain.errors import Fault, Invalid
from domain.phases import MOST_PERIODS, MOST_PHASES, faults_of_phases
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
PlanVersion = Annotated[
    int | None,
    Field(
        ge=1, le=2**31 - 1, strict=True, description="The newest one unless given.", examples=[None]
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


PoolsUsage = Annotated[
    bool,
    read_with(reading.boolean),
    WithJsonSchema({"type": "boolean"}),
    Field(description="Usage of the customer's children counts as the customer's own."),
]


class Asked(Body):
    """What every request may say: whether it is meant, and why."""

    preview: Preview = False
    reason: Name | None = Field(
        default=None, description="Kept in the timeline.", examples=["asked by phone"]
    )


class NewPhase(Body):
    """A plan for so many billing periods."""

    plan: Key = Field(description="Id or key of the plan.", examples=["pro"])
    version: PlanVersion = None
    overrides: Overrides | None = None
    quantities: Quantities = Field(
        default={}, description="Of recurring items, in place of the plan's."
    )
    periods: int | None = Field(
        default=None,
        ge=1,
        le=MOST_PERIODS,
        strict=True,
        description="How many billing periods it lasts; only the last phase may go on for ever.",
        examples=[3],
    )


class NewSubscription(Asked):
    """Either `plan`, with what belongs to it, or `phases`: several plans, one after the other."""

    key: Key | None = Field(
        default=None, description="Your name for it; its id if not given.", examples=["acme-pro"]
    )
    customer: Key = Field(description="Id or key of the customer.")
    plan: Key | None = Field(default=None, description="Id or key of the plan.", examples=["pro"])
    version: PlanVersion = None
    overrides: Overrides | None = None
    quantities: Quantities = Field(
        default={}, description="Of recurring items, in place of the plan's."
    )
    phases: list[NewPhase] | None = Field(
        default=None, min_length=1, max_length=MOST_PHASES, examples=[None]
    )
    coupons: Coupons = ()
    starts_at: Instant | None = Field(
        default=None,
        description="Now, if not given. Periods of a start in the past are billed at once.",
    )
    trial_end: Instant | None = Field(
        default=None, description="In place of the plan's trial; null: there is no trial."
    )
    ends_at: Instant | None = Field(default=None, description="When it ends; never, if not given.")
    pools_usage: PoolsUsage = False

    @property
    def is_without_trial(self) -> bool:
        return self.trial_end is None and "trial_end" in self.model_fields_set


def phases_of(body: NewSubscription) -> list[NewPhase]:
    """One phase, or those that it tells. Raises Invalid for a body that tells both, or neither."""
    if body.phases is None:
        if body.plan is None:
            raise Invalid.at("plan", "is required")
        terms = ("plan", "version", "overrides", "quantities")
        one = {name: getattr(body, name) for name in terms}
        return [NewPhase.model_construct(_fields_set=None, periods=None, **one)]
    told = [n for n in ("plan", "version", "overrides", "quantities") if n in body.model_fields_set]
    lengths = faults_of_phases([phase.periods for phase in body.phases])
    faults = [Fault(name, "is told by phases") for name in told]
    faults += [Fault(f"phases.{fault.path}", fault.message) for fault in lengths]
    if faults:
        raise Invalid(faults)
    return body.phases


class Redemption(BaseModel):
    coupon: str = Field(examples=["launch"])
    redeemed_at: str = Field(examples=["2026-01-01T00:00:00Z"])
    uses: int = Field(examples=[1])


class AddOn(BaseModel):
    """A recurring item of the subscription's own."""

    key: str = Field(examples=["support"])
    since: str = Field(examples=["2026-01-15T00:00:00Z"])
    charged: Literal["in_advance", "in_arrears"]
    quantity: str = Field(examples=["1"])
    price: dict[str, object] = Field(examples=[{"model": "flat", "amount": "50.00"}])
    entitlements: list[dict[str, object]] | None = Field(
        default=None, description="What it gives, if anything.", examples=[ENTITLEMENTS_EXAMPLE]
    )


class PlannedChange(BaseModel):
    """A change that waits for its time: for the instant `at`, or for the end of a period."""

    id: str = Field(description="What `withdraw` takes.", examples=["next_plan"])
    at: str | None = Field(examples=[None])
    periods: int | None = Field(
        description="The end of which period it waits for; 1 is the current one.", examples=[1]
    )
    reason: str | None = Field(examples=["agreed in the contract"])
    change: dict[str, object] = Field(examples=[{"action": "change_plan", "plan": "scale"}])


class Subscription(BaseModel):
    """A customer on a plan."""

    id: str = Field(examples=["sub_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"])
    key: str = Field(examples=["acme-pro"])
    customer: str = Field(examples=["acme"])
    plan: str = Field(examples=["pro"])
    plan_version: int = Field(examples=[1])
    based_on_version: int = Field(
        description="The version for sale that it is on, or that its overrides are put into.",
        examples=[1],
    )
    overrides: dict[str, object] | None = Field(
        description="Prices of its own, which make a version of the plan that is its own.",
        examples=[None],
    )
    status: Literal["scheduled", "incomplete", "trialing", "active", "paused", "cancelled"]
    currency: str = Field(examples=["USD"])
    timezone: str = Field(examples=["UTC"])
    payer: str | None = Field(
        description="The key of the parent that it is billed to; null where its customer pays.",
        examples=[None],
    )
    pools_usage: bool = Field(
        description="Whether usage of the customer's children counts as the customer's own."
    )
    started_at: str = Field(examples=["2026-01-01T00:00:00Z"])
    trial_end: str | None = Field(examples=[None])
    current_period: tuple[str, str] | None = Field(
        examples=[["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]]
    )
    quantities: dict[str, str] = Field(examples=[{"seats": "3"}])
    coupons: list[Redemption]
    add_ons: list[AddOn] = Field(description="The recurring ones, beside the items of the plan.")
    next_plan: str | None = Field(
        description="The plan that the next period begins with.", examples=[None]
    )
    next_plan_version: int | None = Field(examples=[None])
    cancels_at_period_end: bool
    schedule: list[PlannedChange] = Field(
        description="What is to come: at the end of the current period, then what else was scheduled."
    )
    awaits_payment: str | None = Field(
        description="The first invoice, by its name, while the subscription is `incomplete` without its payment.",
        examples=[None],
    )
    past_due: list[str] = Field(
        description="Its invoices that were not paid, by their names, where its plan has a policy on that.",
        examples=[[]],
    )
    paused_at: str | None = Field(examples=[None])
    ended_at: str | None = Field(examples=[None])
    transferred_to: str | None = Field(
        description="The id of the subscription that goes on for another customer.", examples=[None]
    )
    transferred_from: str | None = Field(
        description="The id of the subscription that this one goes on from.", examples=[None]
    )
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


class Amount(BaseModel):
    amount: str = Field(examples=["15.50"])
    currency: str = Field(examples=["USD"])


class TimelineEntry(BaseModel):
    """One step of a subscription's life."""

    at: str = Field(examples=["2026-01-15T00:00:00Z"])
    what: str = Field(examples=["change_plan"])
    actor: str = Field(examples=["key:backoffice"])
    reason: str | None = Field(examples=["asked by phone"])
    request: dict[str, object] | None = Field(
        description="What was asked; null for what came due by itself."
    )
    refused: str | None = Field(
        description="Why a change whose time had come was not made after all.", examples=[None]
    )
    invoices: list[str] = Field(examples=[["INV-000002"]])
    credit_notes: list[str] = Field(examples=[[]])
    invoiced: Amount | None = Field(description="The total of these invoices.")
    credited: Amount | None = Field(description="The total of these credit notes.")


class Timeline(BaseModel):
    data: list[TimelineEntry]
    next: str | None = Field(examples=[None])
