"""Explanations of lines, and verdicts on documents."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from api.schemas.billing import Document, Line, Period

_JANUARY = ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]


class Step(Document):
    """One part of the price at work. Where both are there, `quantity` times `rate` is `amount`."""

    step: str = Field(description="The part's path in the price.", examples=["tiers.0.unit_amount"])
    quantity: str | None = Field(examples=["1000000"])
    rate: str | None = Field(examples=["0.00002"])
    amount: str = Field(examples=["20"])


class GroupUsed(Document):
    key: dict[str, str | None] = Field(examples=[{"model": "large"}])
    measured: str = Field(examples=["1200"])
    quantity: str = Field(description="As the meter rounds it.", examples=["1200"])


class LineUsage(Document):
    """What was measured, of which events."""

    meter: dict[str, Any] = Field(
        description="As it was made, with filters, group_by, window, rounding and carry_over.",
        examples=[{"key": "tokens", "event_name": "llm", "aggregation": "sum", "value": "tokens"}],
    )
    aggregation: str = Field(examples=["sum"])
    period: Period = Field(examples=[_JANUARY])
    pauses: list[Period] = Field(description="Left out of it.", examples=[[]])
    level_closed_at: list[str] = Field(
        description="Ends of earlier periods, at each of which a level that is carried over was cut at 0.",
        examples=[[]],
    )
    timezone: str = Field(description="Whose clock windows follow.", examples=["UTC"])
    measured: str = Field(description="Before the meter's rounding.", examples=["1250000"])
    quantity: str = Field(description="After it, and before `included`.", examples=["1250000"])
    included: str = Field(description="Units that were not charged.", examples=["0"])
    groups: list[GroupUsed] | None = Field(
        description="The first thousand of them, where the price looks at groups.", examples=[None]
    )
    cut_off: str = Field(
        description="The watermark of the usage log: events and voids of transactions before it count.",
        examples=["48213"],
    )
    number_of_events: int = Field(examples=[18])
    events: str = Field(
        description="Where exactly these events are listed.",
        examples=["/v1/invoices/INV-000002/lines/2/events"],
    )


class BilledBefore(Document):
    """What had been billed of the same usage."""

    quantity: str = Field(examples=["1000000"])
    exact_amount: str = Field(examples=["20"])
    invoices: list[str] = Field(examples=[["INV-000002"]])


class Share(Document):
    """A share of what a quantity costs for a whole period."""

    quantity: str = Field(examples=["3"])
    quantity_before: str | None = Field(
        description="Where a quantity was changed, the one whose price is taken off.",
        examples=[None],
    )
    full_amount: str = Field(description="For the whole period.", examples=["30"])
    fraction: str = Field(description="Exact, negative where it is given back.", examples=["17/31"])
    proration: Literal["second", "day", "none"]
    unit: Literal["second", "day"] | None = Field(description="What the parts are counted in.")
    part: str = Field(examples=["1468800"])
    whole: str = Field(examples=["2678400"])
    part_period: Period = Field(examples=[_JANUARY])
    whole_period: Period = Field(examples=[_JANUARY])
    timezone: str = Field(examples=["UTC"])


class Commitment(Document):
    """What was compared."""

    committed: str = Field(description="For a whole period.", examples=["100"])
    fraction: str = Field(description="The share of the period.", examples=["1/1"])
    minimum: str = Field(description="The one times the other.", examples=["100"])
    spent: str = Field(description="The lines it was compared with.", examples=["42.5"])
    overage_factor: str = Field(examples=["1"])


class Asked(Document):
    description: str = Field(examples=["Onboarding"])
    quantity: str = Field(examples=["1"])
    amount: str = Field(examples=["250"])


class Rounding(Document):
    """Why the line has its cents."""

    exact_subtotal: str = Field(examples=["22.5049"])
    subtotal: str = Field(description="Rounded once, half up.", examples=["22.50"])
    floor: str = Field(description="The line's, towards minus infinity.", examples=["2.50"])
    remainder: str = Field(description="In minor units.", examples=["0.49"])
    rank: int = Field(description="Of the remainder, the largest first.", examples=[1])
    missing_units: int = Field(
        description="The subtotal less all floors, in minor units.", examples=[0]
    )
    got_unit: bool
    amount: str = Field(examples=["2.50"])
    in_words: str = Field(examples=["The only line is the exact subtotal, rounded half up."])


class LineDiscount(Document):
    coupon: str = Field(examples=["launch"])
    amount: str = Field(description="The line's share.", examples=["0.50"])
    of: str = Field(description="What the coupon took off the invoice.", examples=["4.50"])


class LineCredit(Document):
    grant: str = Field(examples=["welcome"])
    amount: str = Field(description="The line's share.", examples=["2.00"])
    of: str = Field(description="What the grant paid of the invoice.", examples=["10.00"])


class LineTax(Document):
    rate: str = Field(examples=["vat"])
    percent: str = Field(examples=["20"])
    inclusive: bool
    net: str = Field(description="What of the line is taxed.", examples=["2.00"])
    amount: str = Field(description="The line's share.", examples=["0.40"])
    of: str = Field(description="The tax on the invoice, rounded once.", examples=["4.40"])


class Explanation(Line):
    """A line, and how each of its amounts came about. Of the ways in which one can, those that do not apply are null."""

    invoice: str = Field(examples=["INV-000002"])
    line: int = Field(description="Its number, from 1.", examples=[2])
    currency: str = Field(examples=["USD"])
    plan_version: int | None = Field(examples=[1])
    agrees: bool = Field(description="Whether the line is what its decision brings again, exactly.")
    decision: str = Field(
        description="The step that issued it.", examples=["period:2026-01-01T00:00:00Z"]
    )
    decided_at: str = Field(examples=["2026-02-01T00:00:00Z"])
    in_words: str = Field(examples=["All usage of the period."])
    formula: str | None = Field(
        description="The price in words.",
        examples=[
            "Each tier's units at that tier's rate, plus the flat amount of each tier reached."
        ],
    )
    item_as_sold: dict[str, Any] | None = Field(
        description="The plan's item with its price, as that version was made.",
        examples=[{"key": "tokens", "kind": "usage", "meter": "tokens"}],
    )
    trace: list[Step] | None = Field(description="The price at work, step by step.")
    rated: str | None = Field(description="What the steps add up to.", examples=["22.5"])
    settled: str | None = Field(
        description="That, rounded, for usage that is charged as it arrives.", examples=[None]
    )
    usage: LineUsage | None
    billed_before: BilledBefore | None
    share: Share | None
    commitment: Commitment | None
    asked: Asked | None
    rounding: Rounding
    discounts: list[LineDiscount]
    promotional_credits: list[LineCredit]
    taxes: list[LineTax]


class LineEvent(Document):
    """A usage event that a line was computed from."""

    id: str = Field(examples=["req_8f14e45f"])
    event_name: str = Field(examples=["llm.completion"])
    customer: str = Field(examples=["acme"])
    subscription: str | None = Field(examples=[None])
    time: str = Field(examples=["2026-01-02T10:00:00Z"])
    properties: dict[str, Any] = Field(examples=[{"tokens": "1200", "model": "large"}])
    received_at: str = Field(examples=["2026-01-02T10:00:01Z"])
    quantity: str = Field(
        description="As measured: the value that is aggregated, text where values are counted.",
        examples=["1200"],
    )
    group: dict[str, str | None] = Field(examples=[{"model": "large"}])


class LineEventPage(BaseModel):
    data: list[LineEvent]
    next: str | None = Field(examples=[None])


class Difference(Document):
    path: str = Field(examples=["lines.1.amount"])
    issued: Any = Field(examples=["22.50"])
    recomputed: Any = Field(examples=["22.51"])


class Verdict(Document):
    """Whether a document is what its decision brings when it is taken again from events alone."""

    number: str = Field(examples=["INV-000002"])
    verdict: Literal["agrees", "differs", "cannot be verified"]
    reason: str | None = Field(examples=[None])
    differences: list[Difference]
