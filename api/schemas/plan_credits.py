"""The JSON Schemas of what a plan gives: credits with its periods, and bonuses on top-ups."""

from api.schemas.documents import (
    DECIMAL_OR_NULL,
    FLAG,
    INTERVAL,
    KEYS,
    Schema,
    choice,
    document,
    list_of,
    maybe,
)
from api.schemas.fields import DECIMAL, KEY
from domain.credits import LOWEST_PRIORITY
from domain.plan_credits import MOST_BONUSES

_PRIORITY: Schema = {
    "type": "integer",
    "minimum": 0,
    "maximum": LOWEST_PRIORITY,
    "default": 50,
    "description": "Credits with a lower number are used first.",
}
_ROLLOVER: Schema = document(
    {},
    {
        "maximum": {
            **DECIMAL_OR_NULL,
            "description": "So much of what is left is kept at most; all of it, unless given.",
        },
        "minimum": {
            **DECIMAL_OR_NULL,
            "description": "Where less is left, it is topped up to so much.",
        },
    },
)
_SCOPE_OF_ITEMS: Schema = document({}, {"items": {**KEYS, "description": "Of these items alone."}})
CREDIT: Schema = document(
    {
        "key": {**KEY, "description": "Your name for it."},
        "amount": {
            **DECIMAL,
            "description": "In the plan's currency, with no more decimals than that has.",
        },
    },
    {
        "every_period": {
            **FLAG,
            "description": "At each paid period's start, or at the first one's alone.",
        },
        "expires_after": {
            **maybe(INTERVAL),
            "description": "So long after the period's start; never unless given.",
        },
        "priority": _PRIORITY,
        "scope": {
            **_SCOPE_OF_ITEMS,
            "description": "What it may pay for; everything unless given.",
        },
        "rollover": {
            **maybe(_ROLLOVER),
            "description": "What is left at a period's end, after its invoice, goes over into the next grant.",
        },
        "on_plan_change": {
            **choice("keep", "prorate"),
            "default": "keep",
            "description": "Whether a change of plan within a period takes back what was for its rest, and grants what is.",
        },
    },
)
TOP_UP_BONUSES: Schema = {
    **list_of(
        document(
            {"from": {**DECIMAL, "description": "With top-ups of so much, or more."}},
            {
                "percent": {**DECIMAL_OR_NULL, "description": "Of what is paid, up to 100."},
                "amount": {**DECIMAL_OR_NULL, "description": "Instead of a percentage."},
                "expires_after": {
                    **maybe(INTERVAL),
                    "description": "So long after the top-up was asked for; never unless given.",
                },
            },
        ),
        MOST_BONUSES,
    ),
    "description": "Promotional credit on top of what a customer tops up: by the highest `from` that is reached.",
}
