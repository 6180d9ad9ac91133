"""The JSON Schemas of features, and of what plans, add-ons and overrides give of them."""

from api.schemas.documents import FLAG, TEXT, TEXT_OR_NULL, Schema, choice, document, list_of
from api.schemas.fields import DECIMAL, KEY
from domain.features import LONGEST_VALUE


def _said(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


TYPE = choice("boolean", "static", "metered")

ENTITLEMENT_TERMS: dict[str, Schema] = {
    "value": {
        "anyOf": [FLAG, TEXT, {"type": "integer"}, list_of(TEXT, LONGEST_VALUE)],
        "description": "Of a static feature, what callers read: text, a decimal string, true, false, or a list of texts; a "
        "whole number is read as its decimal. False of any other gives nothing.",
    },
    "limit": _said(DECIMAL, "Of a metered feature, in its meter's unit; none unless given."),
    "soft_limit": _said(DECIMAL, "Checks tell when it is reached, and are not refused for it."),
    "on_limit": _said(
        choice("block", "allow", "notify"), "Whether checks are refused beyond the limit."
    ),
    "reset": {
        **choice("period", "day", "hour", "never"),
        "default": "period",
        "description": "When the limit begins anew: days are those of the subscription's timezone.",
    },
    "carry_over": {
        **FLAG,
        "default": False,
        "description": "What was not used of the limit is added to the next one.",
    },
    "carry_over_maximum": _said(DECIMAL, "No more than this is carried over."),
}
ENTITLEMENT = document(
    {"feature": _said(KEY, "Key of the feature."), "type": _said(TYPE, "As the feature's.")},
    ENTITLEMENT_TERMS,
)
ENTITLEMENTS_EXAMPLE = [{"feature": "tokens", "type": "metered", "limit": "1000000"}]

FEATURE = document(
    {
        "key": {**KEY, "description": "Your name for it."},
        "type": _said(TYPE, "There or not, a value that callers read, or up to a limit."),
    },
    {
        "name": {**TEXT_OR_NULL, "description": "What people call it; decides nothing."},
        "meter": {**KEY, "type": ["string", "null"], "description": "Of a metered feature."},
        "combine": {
            **choice("maximum", "sum"),
            "default": "maximum",
            "description": "Whether the highest of several limits counts, or all together.",
        },
    },
)
FEATURE_EXAMPLE = {"key": "fine-tuning", "name": "Fine-tuning", "type": "boolean"}
