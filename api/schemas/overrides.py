"""The JSON Schema of overrides: the members of a plan that one subscription may have otherwise."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import WithJsonSchema

from api.schemas.documents import DECIMAL_OR_NULL, INTERVAL, Schema, document, maybe
from api.schemas.features import ENTITLEMENT_TERMS
from api.schemas.fields import DECIMAL, read_with
from api.schemas.pricing import PRICE
from domain.overrides import MOST_ENTRIES, read_overrides


def _of_any_model() -> Schema:
    """Some members of a price, of whatever model."""
    members: dict[str, list[Schema]] = {}
    for model in PRICE["oneOf"]:
        for name, schema in model["properties"].items():
            known = members.setdefault(name, [])
            known.extend([schema] if schema not in known else [])
    return document({}, {name: _either(schemas) for name, schemas in members.items()})


def _either(schemas: list[Schema]) -> Schema:
    return {"anyOf": [*schemas, {"type": "null"}]}


def _by_key(schema: Schema, description: str) -> Schema:
    return {
        "type": "object",
        "additionalProperties": schema,
        "maxProperties": MOST_ENTRIES,
        "description": description,
    }


_COMMITMENT: Schema = {
    "minimum_commitment": DECIMAL_OR_NULL,
    "commitment_overage_factor": DECIMAL_OR_NULL,
}
_PRICE: Schema = {
    **_of_any_model(),
    "description": "Members of the item's price; with another `model`, the whole price.",
}
_ITEM = document({}, {"price": _PRICE, "included": DECIMAL_OR_NULL, **_COMMITMENT})
_ENTITLEMENT = document({}, {name: maybe(each) for name, each in ENTITLEMENT_TERMS.items()})
_CREDIT = document({}, {"amount": DECIMAL, "expires_after": maybe(INTERVAL)})

OVERRIDES_EXAMPLE: Mapping[str, object] = {
    "items": {"seats": {"price": {"discount_percent": "10"}}},
    "minimum_commitment": "100.00",
}
OVERRIDES: Schema = {
    **document(
        {},
        {
            "items": _by_key(_ITEM, "By the keys of the plan's items."),
            "entitlements": _by_key(maybe(_ENTITLEMENT), "By their features; null takes one away."),
            "credits": _by_key(maybe(_CREDIT), "By their keys; null takes one away."),
            **_COMMITMENT,
        },
    ),
    "description": "Prices of this subscription's own. A member stands in the place of the plan's, null takes the plan's away; "
    "lists are taken whole.",
    "examples": [OVERRIDES_EXAMPLE],
}

Overrides = Annotated[Mapping[str, object], read_with(read_overrides), WithJsonSchema(OVERRIDES)]
