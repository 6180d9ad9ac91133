"""The JSON Schema of a price: one of nine models, and what every price may add to it."""

from collections.abc import Mapping

from api.schemas.documents import (
    FLAG,
    KEYS,
    TEXT,
    Schema,
    choice,
    document,
    list_of,
)
from api.schemas.fields import DECIMAL


def _decimal(description: str) -> Schema:
    return {**DECIMAL, "description": description}


def _amount(description: str) -> Schema:
    return _decimal(f"{description} In the plan's currency, or in `unit`; any number of decimals.")


_EVERY_PRICE: Schema = {
    "discount_percent": _decimal(
        "0 to 100, off the line's amount, before its maximum and minimum."
    ),
    "minimum": _amount("Of the line; due even with no usage."),
    "maximum": _amount("Of the line."),
    "unit": {**TEXT, "description": "A custom unit that all amounts of the price are in."},
    "unit_rate": _decimal("What one custom unit is worth in the plan's currency."),
}
_INCLUDED: Schema = {"included": _decimal("Units that are not charged, taken off first.")}
_UP_TO: Schema = {
    "up_to": {
        **DECIMAL,
        "type": ["string", "null"],
        "description": "The last unit of the tier; null in the last one.",
    }
}
_FLAT_AMOUNT: Schema = {"flat_amount": _amount("Once, where the tier is reached.")}
_IN_ORDER = "From below; each goes from the one before, exclusive, to its `up_to`, inclusive."
_AMOUNT_TIERS: Schema = {
    **list_of(
        document(
            _UP_TO,
            {"unit_amount": _amount("For each unit of the tier; 0 unless given."), **_FLAT_AMOUNT},
        )
    ),
    "description": _IN_ORDER,
}
_PERCENT_TIERS: Schema = {
    **list_of(document({**_UP_TO, "rate": _decimal("Percent of the tier's part.")}, _FLAT_AMOUNT)),
    "description": _IN_ORDER,
}
_FLAT_ON_ZERO: Schema = {
    "flat_on_zero": {**FLAG, "description": "Bill the first tier's flat amount at zero."}
}
_EVENTS_FREE: Schema = {
    "anyOf": [{"type": "integer", "minimum": 0}, DECIMAL],
    "description": "So many events are free, a whole number.",
}
_PER_EVENT: Schema = {
    "fixed_amount": _amount("For each event that is not wholly free."),
    "free_events": _EVENTS_FREE,
    "free_amount": _decimal("So much of the events' quantities is free."),
    "minimum_per_event": _amount("Of rate and fixed amount of one event."),
    "maximum_per_event": _amount("Of rate and fixed amount of one event."),
}
_CELL = document({
    "match": {
        "type": "object",
        "additionalProperties": TEXT,
        "minProperties": 1,
        "description": "Dimensions and their values, as text; where several cells match, the one with most of them wins.",
    },
    "unit_amount": _amount("For each unit."),
})  # fmt: skip


def _model(
    name: str, required: Schema, optional: Schema, meaning: str, **example: object
) -> Schema:
    named = {"model": {"type": "string", "const": name}}
    return {
        **document({**named, **required}, {**optional, **_EVERY_PRICE}),
        "title": name,
        "description": meaning,
        "examples": [{"model": name, **example}],
    }


_TIERED: Schema = {**_FLAT_ON_ZERO, **_INCLUDED}
_TIERS: Mapping[str, object] = {
    "tiers": [
        {"up_to": "1000000", "unit_amount": "0.00002", "flat_amount": "5.00"},
        {"up_to": None, "unit_amount": "0.00001"},
    ]
}

PRICE: Schema = {
    "oneOf": [
        _model(
            "flat",
            {"amount": _amount("Whatever the quantity.")},
            _INCLUDED,
            "One amount.",
            amount="20.00",
        ),
        _model(
            "per_unit",
            {"unit_amount": _amount("For each unit.")},
            _INCLUDED,
            "Each unit at one rate.",
            unit_amount="0.0000125",
        ),
        _model(
            "package",
            {
                "package_size": _decimal("Units in a package."),
                "package_amount": _amount("For each package."),
            },
            {
                "free_units": _decimal("Not counted into packages; 0 unless given."),
                "round": {
                    **choice("up", "down"),
                    "description": "Packages begun (`up`), or filled (`down`).",
                },
                **_INCLUDED,
            },
            "Packages beyond the free units.",
            package_size="1000",
            package_amount="3.00",
        ),
        _model(
            "graduated",
            {"tiers": _AMOUNT_TIERS},
            _TIERED,
            "Each tier's units at its rate.",
            **_TIERS,
        ),
        _model(
            "volume",
            {"tiers": _AMOUNT_TIERS},
            _TIERED,
            "All units at the rate of the tier that the quantity falls in.",
            **_TIERS,
        ),
        _model(
            "graduated_percentage",
            {"tiers": _PERCENT_TIERS},
            _TIERED,
            "Each tier's part of an amount of money at its rate.",
            tiers=[{"up_to": "10000", "rate": "2.9"}, {"up_to": None, "rate": "2.5"}],
        ),
        _model(
            "percentage",
            {"rate": _decimal("Percent of each event's quantity, an amount of money.")},
            _PER_EVENT,
            "Of each event's quantity, an amount of money.",
            rate="2.9",
            fixed_amount="0.30",
        ),
        _model(
            "matrix",
            {
                "dimensions": {**KEYS, "description": "Of the meter's `group_by`."},
                "cells": {
                    **list_of(_CELL),
                    "description": "No two of them may fit one group equally well.",
                },
            },
            {"default_unit_amount": _amount("For each unit of a group that no cell matches.")},
            "Each group of usage at the rate of its cell. A group with neither cell nor default cannot be billed.",
            dimensions=["model"],
            cells=[{"match": {"model": "large"}, "unit_amount": "0.00006"}],
            default_unit_amount="0.00001",
        ),
        _model(
            "dynamic",
            {},
            {"multiplier": _decimal("Of what the events carry; 1 unless given.")},
            "The sum of the amounts that the events carry.",
            multiplier="1.2",
        ),
    ],
    "discriminator": {"propertyName": "model"},
}
