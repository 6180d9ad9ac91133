"""What may be asked of a living subscription, in."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from api.schemas.documents import list_of
from api.schemas.features import ENTITLEMENT, ENTITLEMENTS_EXAMPLE
from api.schemas.fields import INSTANT, Decimal, Instant, Key, Name, NotNegative, read_with
from api.schemas.overrides import Overrides
from api.schemas.pricing import PRICE
from api.schemas.subscriptions import Asked, PlanVersion, Quantities
from domain.errors import Invalid
from domain.features import entitlement_document, read_entitlements
from domain.pricing.price import read_price
from domain.reading import LONGEST_KEYED
from domain.timing import Effective, read_effective


def _priced(value: object) -> Mapping[str, object]:
    read_price(value)
    if not isinstance(value, Mapping):
        raise Invalid.at("", "must be an object")
    return value


EffectiveAt = Annotated[
    Effective,
    read_with(read_effective),
    WithJsonSchema(
        {
            "anyOf": [{"enum": ["immediately", "period_end"]}, INSTANT],
            "description": "When it takes effect: at once, at the end of the current period, or at an instant to come.",
            "examples": ["period_end"],
        }
    ),
]


def _given(value: object) -> list[dict[str, object]]:
    """Entitlements as they are kept: their documents."""
    return [entitlement_document(each) for each in read_entitlements(value)]


PriceDocument = Annotated[Mapping[str, object], read_with(_priced), WithJsonSchema(PRICE)]
EntitlementDocuments = Annotated[
    list[dict[str, object]],
    read_with(_given),
    WithJsonSchema({**list_of(ENTITLEMENT, LONGEST_KEYED), "examples": [ENTITLEMENTS_EXAMPLE]}),
]
Unused = Literal["credit", "refund", "none"]


class Change(Asked):
    """A change that can wait for its time."""

    effective: EffectiveAt = "immediately"
    id: Key | None = Field(
        default=None,
        description="What it is called on the schedule while it waits; the id of the request, if not given.",
        examples=[None],
    )


class Cancel(Change):
    effective: EffectiveAt = "period_end"
    unused: Unused = Field(
        default="credit",
        description="What becomes of what was paid in advance and not used, at an immediate cancel.",
    )


class ChangePlan(Change):
    plan: Key = Field(description="Id or key of the plan.", examples=["scale"])
    version: PlanVersion = None
    overrides: Overrides | None = Field(
        default=None, description="Of the new plan: those of the old one are not taken along."
    )
    quantities: Quantities = Field(
        default={}, description="Of recurring items of the new plan, in place of those it keeps."
    )


class Override(Change):
    """Other overrides in the place of all that it has."""

    overrides: Overrides | None = Field(description="Null takes them away.")


class SetQuantity(Change):
    item: Key = Field(description="A recurring item of the plan.", examples=["seats"])
    quantity: NotNegative


class AddOn(Change):
    """With an `amount` a one-off charge, billed by the next invoice; with a `price` a recurring item of its own."""

    key: Key = Field(examples=["onboarding"])
    description: Name | None = Field(
        default=None, description="Of a one-off charge.", examples=["Onboarding workshop"]
    )
    amount: Decimal | None = Field(
        default=None, description="For one unit, in the subscription's currency."
    )
    price: PriceDocument | None = Field(
        default=None, description="Of a recurring add-on, for each billing period."
    )
    charged: Literal["in_advance", "in_arrears"] | None = Field(
        default=None, description="Of a recurring add-on; in advance if not given."
    )
    quantity: Decimal = Fraction(1)
    entitlements: EntitlementDocuments | None = Field(
        default=None, description="What a recurring add-on gives beside the plan."
    )


class RemoveAddOn(Change):
    key: Key = Field(description="Of a recurring add-on.", examples=["support"])


class Coupon(Change):
    coupon: Key = Field(description="Id or key of the coupon.", examples=["launch"])


class Pause(Change):
    until: Instant | None = Field(default=None, description="It goes on by itself then.")


class SetTrialEnd(Asked):
    trial_end: Instant | None = Field(description="Null ends the trial now.")


class Transfer(Asked):
    customer: Key = Field(description="Id or key of the new customer.", examples=["globex"])
    key: Key | None = Field(
        default=None,
        description="Your name for the subscription that goes on; its id if not given.",
        examples=["globex-pro"],
    )
    unused: Unused = Field(
        default="credit",
        description="What becomes of what the old customer paid in advance and did not use.",
    )


class Withdraw(Asked):
    change: Key = Field(
        description="The id of a change on the schedule, as the subscription lists it.",
        examples=["next_plan"],
    )
