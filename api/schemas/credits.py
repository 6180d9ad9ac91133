"""The JSON Schemas of what customers are given and buy."""

from api.schemas.documents import KEYS, TEXT, document
from api.schemas.fields import DECIMAL, INSTANT, KEY

_CURRENCY = {
    "type": "string",
    "pattern": "^[A-Z]{3}$",
    "description": "The one the customer usually pays in, if not given.",
}
_UNIT = {
    "unit": {**TEXT, "description": "The unit that `amount` is in; the currency, if not given."},
    "unit_rate": {
        **DECIMAL,
        "description": "What one of the unit is worth; what the catalogue says, if not given.",
    },
}
_PRIORITY = {
    "type": "integer",
    "minimum": 0,
    "maximum": 1_000_000,
    "default": 50,
    "description": "Lower burns first.",
}

GRANT = document(
    {"customer": KEY, "amount": DECIMAL, "kind": {"type": "string", "enum": ["prepaid", "promotional"]}},
    {
        "key": {**KEY, "description": "Your name for it; its id if not given."},
        "currency": _CURRENCY,
        "priority": _PRIORITY,
        "effective_at": {**INSTANT, "description": "Now, if not given."},
        "expires_at": INSTANT,
        "scope": document({}, {"items": KEYS}),
        **_UNIT,
    },
)  # fmt: skip
GRANT_EXAMPLE = {
    "key": "welcome",
    "customer": "acme",
    "amount": "10.00",
    "currency": "USD",
    "kind": "promotional",
    "expires_at": "2026-03-01T00:00:00Z",
    "scope": {"items": ["tokens"]},
}

TOP_UP = document(
    {"amount": DECIMAL},
    {
        "key": {**KEY, "description": "Your name for the grant; its request's id if not given."},
        "currency": _CURRENCY,
        "priority": _PRIORITY,
        "expires_at": INSTANT,
        **_UNIT,
        "preview": {"type": "boolean", "description": "Tell the invoice, and do nothing."},
    },
)
TOP_UP_EXAMPLE = {"key": "t1", "amount": "50.00", "currency": "USD"}
