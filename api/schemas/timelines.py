"""The entries of a scenario's timeline: each action with its fields, as `domain.scenarios` reads them."""

from api.schemas.documents import (
    DECIMAL_OR_NULL,
    FLAG,
    INTERVAL,
    KEYS,
    TEXT,
    Schema,
    choice,
    document,
    list_of,
    maybe,
)
from api.schemas.features import ENTITLEMENT
from api.schemas.fields import DECIMAL, INSTANT, KEY
from api.schemas.overrides import OVERRIDES
from api.schemas.pricing import PRICE
from domain.credits import LOWEST_PRIORITY
from domain.phases import MOST_PERIODS, MOST_PHASES
from domain.reading import LONGEST_KEYED
from domain.scenarios.actions import MOST_REPETITIONS

INSTANT_OR_NULL: Schema = {**INSTANT, "type": ["string", "null"]}
_ANYTHING: Schema = {"type": "object"}
_UNIT: dict[str, Schema] = {"unit": TEXT, "unit_rate": DECIMAL}
_PRIORITY: Schema = {"type": "integer", "minimum": 0, "maximum": LOWEST_PRIORITY}
_QUANTITIES: Schema = {
    "type": "object",
    "additionalProperties": DECIMAL,
    "description": "Of recurring items, by their keys.",
}
_PHASE = document(
    {"plan": KEY},
    {
        "quantities": _QUANTITIES,
        "overrides": OVERRIDES,
        "periods": {"type": "integer", "minimum": 1, "maximum": MOST_PERIODS},
    },
)
_UNUSED = {"unused": choice("credit", "refund", "none")}
_WAITS: dict[str, Schema] = {
    "effective": {
        "anyOf": [{"enum": ["immediately", "period_end"]}, INSTANT],
        "description": "At once, at the end of the period, or at an instant to come.",
    },
    "id": {**KEY, "description": "What it is called on the schedule while it waits."},
}
_OF_SUBSCRIPTION: dict[str, Schema] = {"subscription": KEY}


def _change(
    required: dict[str, Schema] | None = None, optional: dict[str, Schema] | None = None
) -> Schema:
    """A change that can wait for its time."""
    return document({**_OF_SUBSCRIPTION, **(required or {})}, {**(optional or {}), **_WAITS})


def _at_once(required: dict[str, Schema] | None = None, **optional: Schema) -> Schema:
    return document({**_OF_SUBSCRIPTION, **(required or {})}, optional)


_CHANGES: dict[str, Schema] = {
    "change_plan": _change({"plan": KEY}, {"overrides": OVERRIDES, "quantities": _QUANTITIES}),
    "override": _change({"overrides": maybe(OVERRIDES)}),
    "set_quantity": _change({"item": KEY, "quantity": DECIMAL}),
    "add_on": {
        **_change(
            {"key": KEY},
            {
                "amount": DECIMAL_OR_NULL,
                "description": TEXT,
                "quantity": DECIMAL,
                "price": PRICE,
                "charged": choice("in_advance", "in_arrears"),
                "entitlements": list_of(ENTITLEMENT, LONGEST_KEYED),
            },
        ),
        "description": "With an `amount` a one-off charge, with a `price` a recurring item of its own.",
    },
    "remove_add_on": _change({"key": KEY}),
    "add_coupon": _change({"coupon": KEY}),
    "remove_coupon": _change({"coupon": KEY}),
    "pause": _change(optional={"until": INSTANT}),
    "resume": _change(),
    "cancel": _change(optional=_UNUSED),
    "undo_cancel": _at_once(),
    "reset_anchor": _change(),
    "set_trial_end": _at_once({"trial_end": INSTANT}),
    "end_trial": _at_once(),
    "transfer": _at_once({"customer": KEY, "key": KEY}, **_UNUSED),
    "withdraw": _at_once({"change": KEY}),
}
_OTHERS: dict[str, Schema] = {
    "subscribe": document(
        {"key": KEY, "customer": KEY},
        {
            "plan": KEY,
            "quantities": _QUANTITIES,
            "overrides": OVERRIDES,
            "phases": list_of(_PHASE, MOST_PHASES),
            "coupons": KEYS,
            "starts_at": INSTANT,
            "ends_at": INSTANT,
            "trial_end": {**INSTANT, "description": "Null: no trial, whatever the plan says."},
            "pools_usage": FLAG,
        },
    ),
    "usage": document(
        {"customer": KEY, "event_name": TEXT},
        {
            "properties": _ANYTHING,
            "id": TEXT,
            "time": INSTANT,
            "subscription": KEY,
            "every": INTERVAL,
            "times": {"type": "integer", "minimum": 1, "maximum": MOST_REPETITIONS},
        },
    ),
    "void_usage": document({"id": TEXT, "reason": TEXT}),
    "grant": document(
        {"key": KEY, "customer": KEY, "amount": DECIMAL, "kind": choice("prepaid", "promotional")},
        {
            "currency": TEXT,
            "priority": _PRIORITY,
            "effective_at": INSTANT,
            "expires_at": INSTANT,
            "scope": _ANYTHING,
            **_UNIT,
        },
    ),
    "top_up": document(
        {"key": KEY, "customer": KEY, "amount": DECIMAL},
        {"currency": TEXT, "priority": _PRIORITY, "expires_at": INSTANT, **_UNIT},
    ),
    "check": document({"customer": KEY, "feature": KEY}, {"quantity": DECIMAL}),
    "balance": document({"customer": KEY}, {"currency": TEXT}),
    "payment_method": document({"customer": KEY}),
    "pay": document({"customer": KEY}),
}
ENTRY: Schema = {
    **document({"at": INSTANT}, {**_OTHERS, **_CHANGES}),
    "description": "An instant, and one action.",
    "examples": [
        {"at": "2026-01-15T00:00:00Z", "set_quantity": {"subscription": "s1", "item": "seats", "quantity": "8"}}
    ],
}  # fmt: skip
