"""What may be used: checks, the answers to them, and overrides for one customer."""

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from api.schemas.billing import Document
from api.schemas.documents import TEXT, Schema, document, list_of, maybe
from api.schemas.features import ENTITLEMENT_TERMS
from api.schemas.fields import INSTANT, KEY, NOT_NEGATIVE, read_with
from api.schemas.problem import Problem
from domain.checks import MOST_CHECKS, Check, read_checks

_CUSTOMER: Schema = {**KEY, "description": "Id or key of the customer.", "examples": ["acme"]}
_FEATURE: Schema = {**KEY, "description": "Key of the feature.", "examples": ["tokens"]}
_QUANTITY: Schema = {
    **NOT_NEGATIVE,
    "default": "1",
    "description": "How much more is to be used, of a metered feature.",
}
_CHECK = {
    **document({"customer": _CUSTOMER, "feature": _FEATURE}, {"quantity": _QUANTITY}),
    "title": "A check",
}
_CHECKS = {
    **document({"checks": {**list_of(_CHECK, MOST_CHECKS), "minItems": 1}}),
    "title": "Several checks",
}
CHECK_EXAMPLE = {"customer": "acme", "feature": "tokens", "quantity": "1"}

Checks = Annotated[
    Check | tuple[Check, ...],
    read_with(read_checks),
    WithJsonSchema({"anyOf": [_CHECK, _CHECKS], "examples": [CHECK_EXAMPLE]}),
]


class Checked(Document):
    """Whether a feature may be used. What holds reserve of it is taken off what remains."""

    allowed: bool
    limit: str | None = Field(
        description="With what was carried over; null where there is none.", examples=["5000000"]
    )
    used: str | None = Field(examples=["1200"])
    remaining: str | None = Field(examples=["4998800"])
    resets_at: str | None = Field(examples=["2026-02-01T00:00:00Z"])
    reason: (
        Literal["not_entitled", "incomplete", "past_due", "limit_reached", "soft_limit_reached"]
        | None
    ) = Field(description="Why not, or what to know where it is allowed.", examples=[None])
    soft_limit: str | None = Field(
        default=None, description="Where there is one.", examples=["4000000"]
    )
    soft_limit_reached: bool | None = Field(
        default=None, description="Where there is one: by what is used and what is asked for."
    )
    value: bool | str | list[str] | None = Field(
        default=None, description="Of a static feature, where it is allowed.", examples=["eu"]
    )


class CheckedOne(Checked):
    """The answer to one check of several."""

    customer: str = Field(description="As it was asked for.", examples=["acme"])
    feature: str = Field(examples=["tokens"])


class NotChecked(Document):
    """A check of several that names what there is not."""

    customer: str = Field(examples=["acme"])
    feature: str = Field(examples=["tokens"])
    error: Problem


class CheckedMany(Document):
    data: list[CheckedOne | NotChecked] = Field(description="In the order of the checks.")


class Override(Document):
    """What one customer is given beside all plans."""

    expires_at: str | None = Field(examples=["2026-03-01T00:00:00Z"])
    reason: str = Field(examples=["promised in the pilot"])
    given_by: str = Field(description="Whose API key it was given with.", examples=["key:sales"])


class EntitlementState(Checked):
    feature: str = Field(examples=["tokens"])
    type: Literal["boolean", "static", "metered"]
    override: Override | None = Field(description="Null where the customer has none of its own.")


class Entitlements(Document):
    data: list[EntitlementState]


GIVEN: Schema = document(
    {
        "feature": _FEATURE,
        "reason": {
            **TEXT,
            "description": "Why it is given.",
            "examples": ["promised in the pilot"],
        },
    },
    {
        **ENTITLEMENT_TERMS,
        "expires_at": {
            **maybe(INSTANT),
            "description": "It counts before this instant; for good unless given.",
        },
    },
)
GIVEN_EXAMPLE = {"feature": "tokens", "limit": "1000000", "reason": "promised in the pilot"}
