"""Automatic top-ups, and what they have bought."""

from typing import Literal

from pydantic import Field

from api.schemas.billing import Document
from api.schemas.documents import document
from api.schemas.fields import DECIMAL
from domain.automatic_top_ups import LONGEST_COOL_DOWN, SHORTEST_COOL_DOWN, USUAL_COOL_DOWN

AUTOMATIC_TOP_UP = document(
    {"threshold": {**DECIMAL, "description": "Buy where less than this is available."}},
    {
        "currency": {
            "type": "string",
            "pattern": "^[A-Z]{3}$",
            "description": "The one the customer usually pays in, if not given.",
        },
        "target": {**DECIMAL, "description": "Buy what is missing to this, and never more."},
        "amount": {**DECIMAL, "description": "Buy so much each time, in place of a target."},
        "monthly_cap": {
            **DECIMAL,
            "description": "At most so much in a calendar month of the customer's timezone.",
        },
        "cool_down": {
            "type": "integer",
            "minimum": SHORTEST_COOL_DOWN,
            "maximum": LONGEST_COOL_DOWN,
            "default": USUAL_COOL_DOWN,
            "description": "Seconds after a purchase was paid or declined in which none is made.",
        },
    },
)
AUTOMATIC_TOP_UP_EXAMPLE = {
    "currency": "USD",
    "threshold": "10.00",
    "target": "50.00",
    "monthly_cap": "200.00",
    "cool_down": 3_600,
}


class Attempt(Document):
    """One purchase. Its grant has the key `request`."""

    number: int = Field(examples=[1])
    request: str = Field(examples=["auto_top_up:cus_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b:1"])
    amount: str = Field(examples=["42.50"])
    status: Literal["pending", "paid", "declined"]
    failure_code: str | None = Field(
        description="Why it was declined.", examples=["insufficient_funds"]
    )
    invoice: str | None = Field(examples=["INV-000007"])
    at: str = Field(examples=["2026-01-17T09:30:00Z"])
    ended_at: str | None = Field(examples=["2026-01-17T09:30:02Z"])


class AutomaticTopUp(Document):
    """When credit is bought by itself, and how much."""

    id: str = Field(examples=["atu_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"])
    customer: str = Field(examples=["acme"])
    currency: str = Field(examples=["USD"])
    threshold: str = Field(examples=["10.00"])
    target: str | None = Field(examples=["50.00"])
    amount: str | None = Field(examples=[None])
    monthly_cap: str | None = Field(examples=["200.00"])
    cool_down: int = Field(examples=[3_600])
    last_attempt: Attempt | None = Field(
        description="In this currency; also one that an earlier rule has made."
    )
    created_at: str = Field(examples=["2026-01-01T00:00:00Z"])


class AutomaticTopUps(Document):
    """One a currency."""

    data: list[AutomaticTopUp]


class AttemptPage(Document):
    data: list[Attempt]
    next: str | None = Field(examples=[None])
