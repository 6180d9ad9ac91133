"""Scenarios in, and the document of what they bring out."""

from api.schemas.documents import Schema, document, list_of
from api.schemas.fields import INSTANT

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
        "customers": _DOCUMENTS,
        "timeline": list_of({"type": "object"}),
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
