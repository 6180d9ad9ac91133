"""Alerts, and what they have told."""

from typing import Literal

from pydantic import Field

from api.schemas.billing import Document
from api.schemas.documents import document, list_of
from api.schemas.fields import DECIMAL, KEY
from domain.alerts import MOST_THRESHOLDS, TYPES

ALERT = document(
    {"type": {"type": "string", "enum": list(TYPES)}},
    {
        "key": {**KEY, "description": "Your name for it; its id if not given."},
        "customer": {**KEY, "description": "Whom it watches; everyone, if not given."},
        "currency": {
            "type": "string",
            "pattern": "^[A-Z]{3}$",
            "description": "Of a spend, a balance, a forecast. The one the customer usually pays in, if not given.",
        },
        "meter": {**KEY, "description": "Whose total is watched, by an alert of usage."},
        "feature": {**KEY, "description": "Whose limit is watched, by an alert of a limit."},
        "threshold": {**DECIMAL, "description": "An amount, a quantity, or per cent of a limit."},
        "thresholds": {
            **list_of(DECIMAL, MOST_THRESHOLDS),
            "minItems": 1,
            "description": "Several, each told of by itself.",
        },
        "percent": {**DECIMAL, "description": "The threshold of an alert of a limit."},
    },
)
ALERT_EXAMPLE = {
    "key": "budget",
    "type": "spend",
    "customer": "acme",
    "currency": "USD",
    "thresholds": ["50.00", "80.00"],
}


class Alert(Document):
    id: str = Field(examples=["alr_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"])
    key: str = Field(examples=["budget"])
    type: Literal["spend", "usage", "balance", "limit", "forecast"]
    customer: str | None = Field(description="Null where it watches everyone.", examples=["acme"])
    currency: str | None = Field(examples=["USD"])
    meter: str | None = Field(examples=[None])
    feature: str | None = Field(examples=[None])
    thresholds: list[str] = Field(examples=[["50.00", "80.00"]])
    created_at: str = Field(examples=["2026-01-01T00:00:00Z"])


class AlertPage(Document):
    data: list[Alert]
    next: str | None = Field(examples=[None])


class AlertEvent(Document):
    """That a threshold was reached, or is reached no longer."""

    id: str = Field(examples=["ale_0199a1b2c3d47e5f8a9b0c1d2e3f4a5b"])
    alert: str = Field(examples=["budget"])
    customer: str = Field(examples=["acme"])
    status: Literal["triggered", "recovered"]
    threshold: str = Field(examples=["50.00"])
    value: str = Field(description="What it was then, exactly.", examples=["50.24"])
    period: str | None = Field(
        description="When the period began in which it was; null for a balance.",
        examples=["2026-01-01T00:00:00Z"],
    )
    crossing: int = Field(
        description="Which crossing of the period it was, or ended; 0 for one of an earlier period.",
        examples=[1],
    )
    at: str = Field(examples=["2026-01-17T09:30:00Z"])


class AlertEventPage(Document):
    data: list[AlertEvent]
    next: str | None = Field(examples=[None])
