"""The JSON Schema of a price: one of nine models, and what every price may add to it."""

from api.schemas.documents import (
    DECIMAL_OR_NULL,
    FLAG,
    KEYS,
    TEXT,
    TEXT_OR_NULL,
    Schema,
    choice,
    document,
    list_of,
)
from api.schemas.fields import DECIMAL

_EVERY_PRICE: Schema = {
    "discount_percent": {**DECIMAL, "description": "0 to 100, off the line's amount."},
    "minimum": {**DECIMAL_OR_NULL, "description": "Of the line's amount; due even with no usage."},
    "maximum": {**DECIMAL_OR_NULL, "description": "Of the line's amount."},
    "unit": {**TEXT_OR_NULL, "description": "A custom unit that all amounts of the price are in."},
    "unit_rate": {**DECIMAL_OR_NULL, "description": "What one unit is worth in the currency."},
}
_INCLUDED: Schema = {
    "included": {**DECIMAL, "description": "Units that are not charged, taken off first."}
}
_UP_TO: Schema = {
    "up_to": {**DECIMAL_OR_NULL, "description": "The last unit of the tier; null in the last one."}
}
_AMOUNT_TIERS: Schema = list_of(document(_UP_TO, {"unit_amount": DECIMAL, "flat_amount": DECIMAL}))
_PERCENT_TIERS: Schema = list_of(document({**_UP_TO, "rate": DECIMAL}, {"flat_amount": DECIMAL}))
_FLAT_ON_ZERO: Schema = {
    "flat_on_zero": {**FLAG, "description": "Bill the first tier's flat amount at zero."}
}
_CELL = document({
    "match": {"type": "object", "additionalProperties": TEXT, "minProperties": 1},
    "unit_amount": DECIMAL,
})  # fmt: skip


def _model(name: str, required: Schema, optional: Schema | None = None) -> Schema:
    named = {"model": {"type": "string", "const": name}}
    return {
        **document({**named, **required}, {**(optional or {}), **_EVERY_PRICE}),
        "title": name,
    }


PRICE: Schema = {
    "oneOf": [
        _model("flat", {"amount": DECIMAL}, _INCLUDED),
        _model("per_unit", {"unit_amount": DECIMAL}, _INCLUDED),
        _model(
            "package",
            {"package_size": DECIMAL, "package_amount": DECIMAL},
            {"free_units": DECIMAL, "round": choice("up", "down"), **_INCLUDED},
        ),
        _model("graduated", {"tiers": _AMOUNT_TIERS}, {**_FLAT_ON_ZERO, **_INCLUDED}),
        _model("volume", {"tiers": _AMOUNT_TIERS}, {**_FLAT_ON_ZERO, **_INCLUDED}),
        _model("graduated_percentage", {"tiers": _PERCENT_TIERS}, {**_FLAT_ON_ZERO, **_INCLUDED}),
        _model(
            "percentage",
            {"rate": DECIMAL},
            {
                "fixed_amount": DECIMAL,
                "free_events": {"type": ["integer", "null"], "minimum": 0},
                "free_amount": DECIMAL_OR_NULL,
                "minimum_per_event": DECIMAL_OR_NULL,
                "maximum_per_event": DECIMAL_OR_NULL,
            },
        ),
        _model(
            "matrix",
            {"dimensions": KEYS, "cells": list_of(_CELL)},
            {"default_unit_amount": DECIMAL_OR_NULL},
        ),
        _model("dynamic", {}, {"multiplier": DECIMAL}),
    ],
    "discriminator": {"propertyName": "model"},
}
