"""What the calculators are asked, and what they answer: the lines of the commands `weir rate`, `periods` and `aggregate`."""

from typing import Any

from api.schemas.catalog import METER, METER_EXAMPLE
from api.schemas.documents import INTERVAL, TEXT_OR_NULL, Schema, document, list_of
from api.schemas.fields import DECIMAL, INSTANT
from api.schemas.pricing import PRICE
from api.sent_events import JSON, LINES

_ID: Schema = {"id": {"description": "Given back as it came; null where there was none."}}
_ANSWERED_ID: Schema = {**_ID["id"], "examples": ["1"]}
_KEY: Schema = {"type": "object", "additionalProperties": TEXT_OR_NULL}
_GROUPS: Schema = list_of(document({"key": _KEY, "quantity": DECIMAL}), 100_000)
_EVENTS: Schema = list_of(document({}, {"quantity": DECIMAL, "amount": DECIMAL}), 1_000_000)
_USAGE: Schema = {
    "oneOf": [
        document({"quantity": DECIMAL}),
        document({"groups": _GROUPS}),
        document({"events": _EVENTS}),
    ]
}
_CURRENCY: Schema = {"type": "string", "pattern": "^[A-Z]{3}$"}
_STEP: Schema = {"type": "object", "examples": [{"step": "unit_amount", "quantity": "1500", "rate": "0.002", "amount": "3"}]}  # fmt: skip

RATE = document({"currency": _CURRENCY, "price": PRICE, "usage": _USAGE}, _ID)
RATE_EXAMPLE = {
    "id": "1",
    "currency": "USD",
    "price": {"model": "per_unit", "unit_amount": "0.002"},
    "usage": {"quantity": "1500"},
}
RATED = document(
    {
        "id": _ANSWERED_ID,
        "amount": {"type": "string", "description": "Exact.", "examples": ["3"]},
        "rounded": {"type": "string", "description": "To the minor unit.", "examples": ["3.00"]},
        "trace": {"type": "array", "items": _STEP},
    }
)

PERIODS = document(
    {"start": INSTANT, "interval": INTERVAL},
    {
        **_ID,
        "anchor": {
            "type": ["string", "null"],
            "description": "`anniversary`, `calendar`, or a time to count from.",
        },
        "timezone": TEXT_OR_NULL,
        "count": {"type": ["integer", "null"], "minimum": 1, "maximum": 100_000},
    },
)
PERIODS_EXAMPLE = {
    "id": "1",
    "start": "2026-01-31T00:00:00Z",
    "interval": {"unit": "month", "count": 1},
    "count": 2,
}
STARTS = document(
    {
        "id": _ANSWERED_ID,
        "starts": {
            "type": "array",
            "items": INSTANT,
            "examples": [["2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z"]],
        },
    }
)

_USE = document({"time": INSTANT}, {"properties": {"type": ["object", "null"]}})
AGGREGATE = document(
    {
        "meter": METER,
        "period": {"type": "array", "items": INSTANT, "minItems": 2, "maxItems": 2},
        "events": list_of(_USE, 1_000_000),
    },
    {
        **_ID,
        "timezone": TEXT_OR_NULL,
        "carried_in": {"description": "The level at the start; a list of groups with a group_by."},
    },
)
AGGREGATE_EXAMPLE = {
    "id": "1",
    "meter": METER_EXAMPLE,
    "period": ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"],
    "events": [
        {"time": "2026-01-02T10:00:00Z", "properties": {"tokens": "1200", "model": "large"}}
    ],
}
AGGREGATED: Schema = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": _ANSWERED_ID,
        "quantity": {"type": "string", "examples": ["1200"]},
        "groups": {
            **_GROUPS,
            "description": "Instead of the quantity, for a meter with a group_by.",
            "examples": [[{"key": {"model": "large"}, "quantity": "1200"}]],
        },
    },
    "additionalProperties": False,
}


def body(schema: Schema, example: object) -> dict[str, Any]:
    """How a calculator takes what it is asked, for the OpenAPI document."""
    lines = {"schema": {"type": "string"}, "example": '{"id": "1", …}\n{"id": "2", …}\n'}
    content = {JSON: {"schema": schema, "example": example}, LINES: lines}
    return {"requestBody": {"required": True, "content": content}}


def responses(schema: Schema) -> dict[int | str, dict[str, Any]]:
    lines = {
        "schema": {"type": "string"},
        "example": '{"id": "1", …}\n{"id": "2", "error": {"path": …, "message": …}}\n',
    }
    content = {JSON: {"schema": schema}, LINES: lines}
    return {200: {"description": "An answer, or one a line.", "content": content}}
