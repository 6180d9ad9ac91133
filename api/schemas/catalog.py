"""The JSON Schemas of meters, plans, features, coupons, tax rates and units, with an example of each."""

from api.schemas.documents import (
    DECIMAL_OR_NULL,
    FLAG,
    INTERVAL,
    KEYS,
    TEXT,
    TEXT_OR_NULL,
    Schema,
    choice,
    document,
    list_of,
    maybe,
)
from api.schemas.features import ENTITLEMENT
from api.schemas.fields import DECIMAL, INSTANT, KEY
from api.schemas.plan_credits import CREDIT, TOP_UP_BONUSES
from api.schemas.pricing import PRICE
from domain.catalog import MOST_REDEMPTIONS

_KEY: Schema = {"key": {**KEY, "description": "Your name for it."}}
_NAME: Schema = {"name": {**TEXT_OR_NULL, "description": "What people call it; decides nothing."}}
_WHOLE_SCALE: Schema = {
    "type": "integer",
    "minimum": -38,
    "maximum": 38,
    "default": 0,
    "description": "Decimals that are left; below zero, places before the point.",
}


def _said(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


_VALUES: Schema = {"type": "array", "items": {"type": ["string", "integer", "boolean"]}}

_FILTER = document(
    {"property": _said(TEXT, "A property of the event; a dot is a path.")},
    {
        "in": _said(_VALUES, "It is one of these."),
        "not_in": _said(_VALUES, "It is none of these, or missing."),
        "gt": _said(DECIMAL, "It is greater."),
        "gte": _said(DECIMAL, "It is greater or the same."),
        "lt": _said(DECIMAL, "It is less."),
        "lte": _said(DECIMAL, "It is less or the same."),
        "exists": _said(FLAG, "It is there, or is not."),
    },
)
_ROUNDING = document(
    {
        "mode": _said(
            choice("up", "down", "half_up"), "Away from zero, towards it, or to the nearest."
        )
    },
    {"scale": _WHOLE_SCALE},
)
METER = document(
    {
        **_KEY,
        "event_name": _said(TEXT, "Of the events that it measures."),
        "aggregation": _said(
            choice(
                "count",
                "sum",
                "max",
                "min",
                "avg",
                "latest",
                "unique_count",
                "weighted_sum",
                "percentile",
            ),
            "What it makes of the values; `weighted_sum` is a level held over time, by the period.",
        ),
    },
    {
        **_NAME,
        "value": {
            **TEXT_OR_NULL,
            "description": "A property of the event, or an expression over properties: `input + 4 * output`.",
        },
        "filters": _said(list_of(_FILTER, 100), "Events that fail one are not measured."),
        "group_by": _said(
            list_of(TEXT, 10), "Properties of which each value is measured by itself."
        ),
        "rounding": _said(maybe(_ROUNDING), "Of the quantity of a period."),
        "carry_over": {**FLAG, "description": "The level at a period's end starts the next one."},
        "window": {
            "enum": ["minute", "hour", "day", "week", "month", None],
            "description": "Aggregate each window first, then add the windows.",
        },
        "level": _said(
            choice("change", "set"),
            "Whether a value of `weighted_sum` changes the level or sets it.",
        ),
        "percentile": _said(DECIMAL, "Which one, above 0 and up to 100; by the nearest rank."),
    },
)
METER_EXAMPLE = {
    "key": "tokens",
    "name": "LLM tokens",
    "event_name": "llm.completion",
    "aggregation": "sum",
    "value": "input + 4 * output",
    "filters": [{"property": "model", "in": ["large"]}],
    "group_by": ["model", "region"],
    "rounding": {"mode": "up", "scale": 0},
}

_ADVANCE_INVOICING: Schema = {
    "anyOf": [
        document({"threshold": _said(DECIMAL, "In the plan's currency, above zero.")}),
        choice("each", "day", "period"),
    ],
    "description": "When usage that is charged as it arrives is invoiced: with each event, by the day, with the period, or as soon as what is not billed comes to a threshold.",
}
_COMMITMENT: Schema = {
    "minimum_commitment": {
        **DECIMAL_OR_NULL,
        "description": "In the plan's currency, for a whole period; what falls short is billed.",
    },
    "commitment_overage_factor": {
        **DECIMAL,
        "description": "What is beyond the commitment costs so many times as much.",
    },
}

_ITEM = document(
    {
        **_KEY,
        "kind": _said(
            choice("recurring", "usage"), "Charged each period, or by what a meter measures."
        ),
        "price": PRICE,
    },
    {
        **_NAME,
        "charged": _said(
            choice("in_advance", "in_arrears"),
            "At a period's start (usage: as it arrives) or end. Recurring items are charged in advance unless given.",
        ),
        "quantity": {**DECIMAL, "description": "Of a recurring item; a usage item's is measured."},
        "meter": {**KEY, "type": ["string", "null"], "description": "Of a usage item."},
        "included": {**DECIMAL_OR_NULL, "description": "Units that are not charged."},
        "advance_invoicing": _ADVANCE_INVOICING,
        **_COMMITMENT,
    },
)
PLAN = document(
    {
        **_KEY,
        "currency": {
            "type": "string",
            "pattern": "^[A-Z]{3}$",
            "description": "ISO 4217, of all amounts of the plan.",
        },
        "interval": _said(INTERVAL, "How long a period is."),
    },
    {
        **_NAME,
        "description": _said(TEXT, "For people; decides nothing."),
        "anchor": {
            "anyOf": [choice("anniversary", "calendar"), INSTANT],
            "default": "anniversary",
            "description": "Periods begin as the subscription did, with the calendar, or as counted from an instant.",
        },
        "proration": _said(
            choice("second", "day", "none"),
            "How a part of a period is charged: exactly, by local days, or not at all.",
        ),
        "trial": _said(maybe(INTERVAL), "So long nothing is charged."),
        "trial_without_payment_method": {
            **choice("continue", "pause", "cancel"),
            "default": "continue",
            "description": "What becomes of a trial that ends when the customer has nothing to pay with.",
        },
        "items": _said(list_of(_ITEM, 200), "What is charged for."),
        "advance_invoicing": _ADVANCE_INVOICING,
        **_COMMITMENT,
        "credits": _said(list_of(CREDIT, 200), "Promotional credits that paid periods bring."),
        "top_up_bonuses": TOP_UP_BONUSES,
        "entitlements": _said(list_of(ENTITLEMENT, 200), "What customers may use."),
        "invoice_grace": _said(
            maybe(INTERVAL), "An invoice waits so long after its period for late events."
        ),
        "activation": {
            **choice("immediate", "first_payment"),
            "default": "immediate",
            "description": "Whether a subscription begins at once, or is `incomplete` until its first invoice is paid.",
        },
        "on_past_due": {
            **choice("continue", "suspend"),
            "default": "continue",
            "description": "Whether it entitles to nothing while an invoice of it is past due.",
        },
        "on_uncollectible": {
            **choice("continue", "pause", "cancel"),
            "default": "continue",
            "description": "What becomes of it when an invoice of it is given up: `pause` lasts until that is paid.",
        },
        "overdraft": {
            **DECIMAL,
            "default": "0",
            "description": "How far holds may go below the credit there is, in the plan's currency.",
        },
        "progressive_invoicing": {
            **maybe(document({"threshold": _said(DECIMAL, "In the plan's currency, above zero.")})),
            "description": "Usage in arrears is invoiced as soon as what is not billed of it comes to the threshold; the period's invoice credits it.",
        },
        "fills_gaps": {
            **FLAG,
            "description": "Usage groups that earlier versions have neither a cell nor a default for are priced by this one.",
        },
    },
)
PLAN_EXAMPLE = {
    "key": "pro",
    "name": "Pro",
    "currency": "USD",
    "interval": {"unit": "month", "count": 1},
    "anchor": "anniversary",
    "proration": "second",
    "trial": {"unit": "day", "count": 14},
    "items": [
        {
            "key": "base",
            "kind": "recurring",
            "charged": "in_advance",
            "price": {"model": "flat", "amount": "20.00"},
        },
        {
            "key": "seats",
            "kind": "recurring",
            "charged": "in_advance",
            "quantity": "5",
            "price": {"model": "per_unit", "unit_amount": "10"},
        },
    ],
    "credits": [
        {
            "key": "monthly",
            "amount": "5.00",
            "every_period": True,
            "expires_after": {"unit": "month", "count": 1},
            "priority": 10,
        }
    ],
}

_LIMIT: Schema = {"type": ["integer", "null"], "minimum": 1, "maximum": MOST_REDEMPTIONS}
_PERIODS: Schema = {
    "type": "integer",
    "minimum": 1,
    "maximum": 10_000,
    "description": "Counted by the invoices of billing periods.",
}
COUPON = document(
    _KEY,
    {
        **_NAME,
        "percent_off": _said(DECIMAL, "0 to 100; this or `amount_off`."),
        "amount_off": _said(DECIMAL, "In `currency`, with no more decimals than that has."),
        "currency": {
            **TEXT_OR_NULL,
            "pattern": "^[A-Z]{3}$",
            "description": "Of `amount_off`.",
        },
        "duration": {
            "anyOf": [
                choice("once", "forever"),
                document({"periods": _PERIODS}),
            ],
            "default": "once",
            "description": "For the first invoice it can reduce, so many billing periods, or always.",
        },
        "scope": _said(
            document(
                {},
                {"items": _said(KEYS, "Of these items."), "plans": _said(KEYS, "Of these plans.")},
            ),
            "What it reduces; everything unless given.",
        ),
        "max_redemptions": _said(
            _LIMIT, "How often it can be redeemed, by all customers together."
        ),
        "max_redemptions_per_customer": _said(_LIMIT, "How often one customer can redeem it."),
        "redeem_by": _said(maybe(INSTANT), "It can be redeemed before this instant."),
        "expires_at": _said(
            maybe(INSTANT), "It reduces no invoice that is issued at this instant or later."
        ),
    },
)
COUPON_EXAMPLE = {
    "key": "launch",
    "name": "Launch offer",
    "percent_off": "20",
    "duration": {"periods": 3},
}

TAX_RATE = document(
    {**_KEY, "percent": _said(DECIMAL, "0 to 100, of the net amount.")},
    {**_NAME, "inclusive": _said(FLAG, "Whether prices have it in them already.")},
)
TAX_RATE_EXAMPLE = {"key": "vat", "name": "VAT 20 %", "percent": "20", "inclusive": False}

UNIT = document(
    {
        **_KEY,
        "currency": {
            "type": "string",
            "pattern": "^[A-Z]{3}$",
            "description": "ISO 4217, of what it is worth.",
        },
        "rate": _said(DECIMAL, "What one of it is worth, above zero."),
    },
    _NAME,
)
UNIT_EXAMPLE = {"key": "credits", "name": "AI credits", "currency": "USD", "rate": "0.01"}
