"""Scenarios in, and the document of what they bring out; histories re-rated, side by side."""

from api.schemas.documents import TEXT_OR_NULL, Schema, document
from api.schemas.fields import DECIMAL, INSTANT, KEY
from api.schemas.overrides import OVERRIDES
from api.schemas.timelines import ENTRY

_DOCUMENTS: Schema = {"type": "array", "items": {"type": "object"}}

SCENARIO = document(
    {"currency": {"type": "string", "pattern": "^[A-Z]{3}$"}, "until": INSTANT},
    {
        "name": {"type": ["string", "null"]},
        "description": {"type": ["string", "null"]},
        "meters": _DOCUMENTS,
        "features": _DOCUMENTS,
        "plans": _DOCUMENTS,
        "coupons": _DOCUMENTS,
        "tax_rates": _DOCUMENTS,
        "units": _DOCUMENTS,
        "customers": _DOCUMENTS,
        "timeline": {"type": "array", "items": ENTRY},
        "expect": {"description": "What `weir simulate --check` compares with; not looked into."},
    },
)
SCENARIO_EXAMPLE = {
    "name": "a month of Pro",
    "currency": "USD",
    "plans": [
        {
            "key": "pro",
            "interval": {"unit": "month"},
            "items": [
                {
                    "key": "base",
                    "kind": "recurring",
                    "price": {"model": "flat", "amount": "20.00"},
                }
            ],
        }
    ],
    "customers": [{"key": "acme"}],
    "timeline": [
        {
            "at": "2026-01-01T00:00:00Z",
            "subscribe": {"key": "s1", "customer": "acme", "plan": "pro"},
        }
    ],
    "until": "2026-01-02T00:00:00Z",
}
WHAT_IF = {
    **document(
        {"customer": KEY, "plan": KEY},
        {
            "version": {
                "type": "integer",
                "minimum": 1,
                "description": "Of the plan; the newest, if not given.",
            },
            "overrides": OVERRIDES,
            "quantities": {
                "type": "object",
                "additionalProperties": DECIMAL,
                "description": "Of recurring items of that plan, in place of those that the subscription began with.",
            },
            "subscription": {
                **KEY,
                "description": "Which one of the customer's; it must be named where several live.",
            },
            "from": {**INSTANT, "description": "Only periods that begin then or later."},
            "to": {**INSTANT, "description": "Only periods that begin before."},
        },
    ),
    "title": "What if",
    "description": "A customer's real history, re-rated under another plan.",
    "examples": [{"customer": "acme", "plan": "scale"}],
}
ASKED: Schema = {"oneOf": [{**SCENARIO, "title": "Scenario"}, WHAT_IF]}
_FIGURES: dict[str, Schema] = {
    "subtotal": {**DECIMAL, "description": "The lines as priced."},
    "discount": DECIMAL,
    "credits": {**DECIMAL, "description": "Promotional credits."},
    "tax": DECIMAL,
    "credited": {**DECIMAL, "description": "Credit notes for what was not used."},
    "total": {
        **DECIMAL,
        "description": "What invoices come to, less `credited`; before balances and prepaid credits pay of it.",
    },
}
_SIDE = document({"lines": {"type": "array", "items": {"type": "object"}}, **_FIGURES})
_PERIOD = document(
    {
        "period": {
            "type": "array",
            "items": TEXT_OR_NULL,
            "minItems": 2,
            "maxItems": 2,
        },
        "status": {"type": "string", "enum": ["closed", "running"]},
        "actual": _SIDE,
        "simulated": _SIDE,
        "difference": document(_FIGURES),
    }
)
_NOTHING = dict.fromkeys(_FIGURES, "0.00")
COMPARED: Schema = {
    **document(
        {
            "customer": KEY,
            "subscription": KEY,
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
            "plan": KEY,
            "plan_version": {
                "type": ["integer", "null"],
                "description": "Null where overrides make it another.",
            },
            "actual": document(_FIGURES),
            "simulated": document(_FIGURES),
            "difference": {
                **document(_FIGURES),
                "description": "How much more the simulated side comes to.",
            },
            "periods": {
                "type": "array",
                "items": _PERIOD,
                "description": "Each with its lines; the running one with what would be billed at its end.",
            },
            "left_out": {
                "type": "array",
                "items": document({"at": INSTANT, "action": KEY, "reason": {"type": "string"}}),
                "description": "What was asked of the subscription and is refused under that plan.",
            },
        }
    ),
    "title": "Compared",
    "description": "What was billed and what another plan would have billed, side by side.",
    "examples": [
        {
            "customer": "acme",
            "subscription": "acme-pro",
            "currency": "USD",
            "plan": "scale",
            "plan_version": 1,
            "actual": _NOTHING,
            "simulated": _NOTHING,
            "difference": _NOTHING,
            "periods": [],
            "left_out": [],
        }
    ],
}
SIMULATED = {
    **document(
        dict.fromkeys(
            (
                "invoices",
                "credit_notes",
                "payments",
                "ledger",
                "answers",
                "subscriptions",
                "notifications",
            ),
            _DOCUMENTS,
        )
    ),
    "title": "Simulated",
    "description": "What a scenario brings: each list in the order of its times.",
    "examples": [
        {
            "invoices": [],
            "credit_notes": [],
            "payments": [],
            "ledger": [],
            "answers": [],
            "subscriptions": [],
            "notifications": [],
        }
    ],
}
TOLD: Schema = {"anyOf": [SIMULATED, COMPARED], "examples": SIMULATED["examples"]}
