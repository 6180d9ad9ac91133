"""The JSON Schemas of meters, plans, features, coupons and tax rates, with an example of each."""

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
from api.schemas.fields import DECIMAL, INSTANT, KEY
from api.schemas.pricing import PRICE

_NAME: Schema = {"name": {**TEXT_OR_NULL, "description": "What people call it; decides nothing."}}
_WHOLE_SCALE: Schema = {"type": "integer", "minimum": -38, "maximum": 38, "default": 0}
_PRIORITY: Schema = {"type": "integer", "minimum": 0, "default": 50}
_VALUES: Schema = {"type": "array", "items": {"type": ["string", "integer", "boolean"]}}

_FILTER = document(
    {"property": TEXT},
    {
        "in": _VALUES,
        "not_in": _VALUES,
        "gt": DECIMAL,
        "gte": DECIMAL,
        "lt": DECIMAL,
        "lte": DECIMAL,
        "exists": FLAG,
    },
)
_ROUNDING = document({"mode": choice("up", "down", "half_up")}, {"scale": _WHOLE_SCALE})
METER = document(
    {
        "key": KEY,
        "event_name": TEXT,
        "aggregation": choice(
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
    },
    {
        **_NAME,
        "value": {
            **TEXT_OR_NULL,
            "description": "A property of the event, or an expression over properties: `input + 4 * output`.",
        },
        "filters": list_of(_FILTER, 100),
        "group_by": list_of(TEXT, 10),
        "rounding": maybe(_ROUNDING),
        "carry_over": {**FLAG, "description": "The level at a period's end starts the next one."},
        "window": {
            "enum": ["minute", "hour", "day", "week", "month", None],
            "description": "Aggregate each window first, then add the windows.",
        },
        "level": choice("change", "set"),
        "percentile": DECIMAL_OR_NULL,
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

_ITEM = document(
    {"key": KEY, "kind": choice("recurring", "usage"), "price": PRICE},
    {
        **_NAME,
        "charged": choice("in_advance", "in_arrears"),
        "quantity": {**DECIMAL, "description": "Of a recurring item; a usage item's is measured."},
        "meter": {**KEY, "type": ["string", "null"], "description": "Of a usage item."},
        "included": {**DECIMAL_OR_NULL, "description": "Units that are not charged."},
        "advance_invoicing": choice("each", "day", "period"),
    },
)
_SCOPE_OF_ITEMS = document({}, {"items": KEYS})
_CREDIT = document(
    {"key": KEY, "amount": DECIMAL},
    {
        "every_period": FLAG,
        "expires_after": maybe(INTERVAL),
        "priority": _PRIORITY,
        "scope": _SCOPE_OF_ITEMS,
    },
)
_ENTITLEMENT = document(
    {"feature": KEY, "type": choice("boolean", "metered")},
    {"value": FLAG, "limit": DECIMAL_OR_NULL, "on_limit": choice("block", "allow", "notify")},
)
PLAN = document(
    {"key": KEY, "currency": {"type": "string", "pattern": "^[A-Z]{3}$"}, "interval": INTERVAL},
    {
        **_NAME,
        "anchor": {
            "anyOf": [choice("anniversary", "calendar"), INSTANT],
            "default": "anniversary",
        },
        "proration": choice("second", "day", "none"),
        "trial": maybe(INTERVAL),
        "items": list_of(_ITEM, 200),
        "minimum_commitment": DECIMAL_OR_NULL,
        "commitment_overage_factor": DECIMAL,
        "credits": list_of(_CREDIT, 200),
        "entitlements": list_of(_ENTITLEMENT, 200),
        "invoice_grace": maybe(INTERVAL),
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

FEATURE = document(
    {"key": KEY, "type": choice("boolean", "metered")},
    {**_NAME, "meter": {**KEY, "type": ["string", "null"], "description": "Of a metered feature."}},
)
FEATURE_EXAMPLE = {"key": "fine-tuning", "name": "Fine-tuning", "type": "boolean"}

COUPON = document(
    {"key": KEY},
    {
        **_NAME,
        "percent_off": DECIMAL_OR_NULL,
        "amount_off": DECIMAL_OR_NULL,
        "currency": {
            **TEXT_OR_NULL,
            "pattern": "^[A-Z]{3}$",
            "description": "Of `amount_off`.",
        },
        "duration": {
            "anyOf": [
                choice("once", "forever"),
                document({"periods": {"type": "integer", "minimum": 1, "maximum": 10_000}}),
            ],
            "default": "once",
        },
        "scope": document({}, {"items": KEYS, "plans": KEYS}),
    },
)
COUPON_EXAMPLE = {
    "key": "launch",
    "name": "Launch offer",
    "percent_off": "20",
    "duration": {"periods": 3},
}

TAX_RATE = document({"key": KEY, "percent": DECIMAL}, {**_NAME, "inclusive": FLAG})
TAX_RATE_EXAMPLE = {"key": "vat", "name": "VAT 20 %", "percent": "20", "inclusive": False}
