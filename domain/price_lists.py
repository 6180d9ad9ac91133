"""A published price list becomes a plan: prices per token by model, exactly as the list says them.

A list is one object: `{model: {"input_cost_per_token": 1e-06, …}}`. Its numbers are read digit by digit.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from fractions import Fraction

from domain.catalog import read_plan, require_known
from domain.decimals import plain, read_decimal
from domain.errors import Fault, Invalid
from domain.metering.meter import read_meter
from domain.pricing.matrix import MOST_CELLS
from domain.reading import InexactNumber, text

Document = dict[str, object]
Prices = Mapping[str, Fraction]

MOST_MODELS = 100_000

_NUMBER = re.compile(r"([0-9]{1,38})(?:\.([0-9]{1,38}))?(?:[eE]([+-]?[0-9]{1,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of token: the member that holds its price, the property of an event that counts such tokens, and, for a
    kind that not every model prices, the one whose price stands in.
    """

    key: str
    price: str
    counted: str
    stand_in: str | None = None


KINDS = (
    Kind("input", "input_cost_per_token", "input_tokens"),
    Kind("output", "output_cost_per_token", "output_tokens"),
    Kind("cache-read", "cache_read_input_token_cost", "cache_read_tokens", "input"),
    Kind("cache-creation", "cache_creation_input_token_cost", "cache_creation_tokens", "input"),
)
_CHARGED = frozenset(kind.price for kind in KINDS)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a list does not say. `markup` is a share of one; `only` are patterns of which a model's name must match one;
    `default_unit_amount` is for models that the list does not have, and with `fills_gaps` the list's prices are for models
    that earlier versions of the plan do not have.
    """

    plan: str
    name: str
    currency: str
    event_name: str
    markup: Fraction = Fraction(0)
    default_unit_amount: Fraction | None = None
    only: tuple[str, ...] = ()
    fills_gaps: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class Imported:
    """The documents of the meters and the plan; `models` are in it, `free` of them cost nothing. `not_charged` counts the
    models that have a price of another kind, by its name.
    """

    meters: tuple[Document, ...]
    plan: Document
    models: int
    free: int
    skipped: tuple[Skipped, ...]
    not_charged: Mapping[str, int]


def import_list(value: object, terms: Terms) -> Imported:
    """Make a plan of a list; raise `Invalid` with every fault in it, or if no model is left."""
    listed = _members(value)
    chosen = {model: entry for model, entry in listed.items() if _is_chosen(model, terms.only)}
    priced, skipped = _sorted_out(chosen)
    if not priced:
        told = f"has no model with prices per token among {len(chosen)} of {len(listed)}"
        raise Invalid.at("", told)
    if len(priced) > MOST_CELLS:
        told = f"has {len(priced)} models: a price takes {MOST_CELLS}, so choose some of them"
        raise Invalid.at("", told)
    meters = tuple(_meter(kind, terms) for kind in KINDS)
    plan = _plan(priced, terms)
    require_known(read_plan(plan), {meter.key: meter for meter in map(read_meter, meters)}, {})
    free = sum(not any(prices.values()) for prices in priced.values())
    return Imported(meters, plan, len(priced), free, skipped, _not_charged(chosen, priced))


def unit_price(value: object) -> Fraction:
    """A price as JSON writes it, exponent and all: `1.25e-06` is 0.00000125, exactly."""
    if isinstance(value, bool | float) or not isinstance(value, int | str):
        raise Invalid.at("", "must be a number")
    match = _NUMBER.fullmatch(str(value))
    if match is None:
        raise Invalid.at("", f"must be a number from 0 like 1.25e-06, not {str(value)[:40]}")
    whole, decimals, exponent = match[1], match[2] or "", int(match[3] or 0)
    price = Fraction(int(whole + decimals), 10 ** len(decimals)) * Fraction(10) ** exponent
    return _require_writable(price)


def _members(value: object) -> Mapping[str, Mapping[str, object]]:
    if not isinstance(value, Mapping) or isinstance(value, InexactNumber):
        raise Invalid.at("", "must be an object of models")
    if len(value) > MOST_MODELS:
        raise Invalid.at("", f"must have at most {MOST_MODELS} models")
    faults = [
        Fault(str(model), "must be an object of prices")
        for model, entry in value.items()
        if not isinstance(entry, Mapping)
    ]
    if faults:
        raise Invalid(faults)
    return value


def _is_chosen(model: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(model, pattern) for pattern in patterns)


def _sorted_out(
    listed: Mapping[str, Mapping[str, object]],
) -> tuple[dict[str, Prices], tuple[Skipped, ...]]:
    """The models with a price for each token that goes in and that comes out, and the others."""
    priced: dict[str, Prices] = {}
    skipped: list[Skipped] = []
    faults: list[Fault] = []
    for model, entry in listed.items():
        try:
            text(model)
            prices = _prices(entry)
        except Invalid as invalid:
            faults.extend(invalid.beneath(model))
            continue
        missing = [kind for kind in KINDS if kind.key not in prices and kind.stand_in is None]
        if missing:
            skipped.append(Skipped(model, f"has no {' and no '.join(k.price for k in missing)}"))
        else:
            priced[model] = prices
    if faults:
        raise Invalid(faults)
    return priced, tuple(skipped)


def _prices(entry: Mapping[str, object]) -> Prices:
    prices: dict[str, Fraction] = {}
    faults: list[Fault] = []
    for kind in KINDS:
        if entry.get(kind.price) is None:
            continue
        try:
            prices[kind.key] = unit_price(entry[kind.price])
        except Invalid as invalid:
            faults.extend(invalid.beneath(kind.price))
    if faults:
        raise Invalid(faults)
    return prices


def _meter(kind: Kind, terms: Terms) -> Document:
    """Tokens of a kind that not every model has are left out of an event; the others must be there."""
    optional = {"filters": [{"property": kind.counted, "exists": True}]} if kind.stand_in else {}
    return {
        "key": _meter_key(kind, terms),
        "event_name": terms.event_name,
        "aggregation": "sum",
        "value": kind.counted,
        **optional,
        "group_by": ["model"],
    }


def _meter_key(kind: Kind, terms: Terms) -> str:
    return f"{terms.event_name}.{kind.counted}"


def _plan(priced: Mapping[str, Prices], terms: Terms) -> Document:
    return {
        "key": terms.plan,
        "name": terms.name,
        "currency": terms.currency,
        "interval": {"unit": "month", "count": 1},
        "items": [_item(kind, priced, terms) for kind in KINDS],
        **({"fills_gaps": True} if terms.fills_gaps else {}),
    }


def _item(kind: Kind, priced: Mapping[str, Prices], terms: Terms) -> Document:
    amounts = {model: _amount(model, kind, prices, terms) for model, prices in priced.items()}
    cells = [
        {"match": {"model": model}, "unit_amount": amount} for model, amount in amounts.items()
    ]
    price: Document = {"model": "matrix", "dimensions": ["model"], "cells": cells}
    if terms.default_unit_amount is not None:
        price["default_unit_amount"] = plain(terms.default_unit_amount)
    return {
        "key": kind.key,
        "kind": "usage",
        "meter": _meter_key(kind, terms),
        "charged": "in_arrears",
        "price": price,
    }


def _amount(model: str, kind: Kind, prices: Prices, terms: Terms) -> str:
    """Tokens that a model does not price apart cost what stands in for them: none is free by being left out."""
    listed = prices.get(kind.key, prices.get(kind.stand_in or kind.key, Fraction(0)))
    try:
        return plain(_require_writable(listed * (1 + terms.markup)))
    except Invalid as invalid:
        raise Invalid(invalid.beneath(f"{model}.{kind.price}")) from None


def _require_writable(price: Fraction) -> Fraction:
    try:
        read_decimal(plain(price))
    except ValueError:
        raise Invalid.at("", "has more than 38 digits before or after the point") from None
    return price


def _not_charged(
    listed: Mapping[str, Mapping[str, object]], priced: Mapping[str, Prices]
) -> Mapping[str, int]:
    """The prices that a model has beside those per token, like those of long contexts or batches; most models first."""
    names = Counter(name for model in priced for name in _other_prices(listed[model]))
    return dict(sorted(names.items(), key=lambda each: (-each[1], each[0])))


def _other_prices(entry: Mapping[str, object]) -> Iterator[str]:
    for name, value in entry.items():
        if "cost" in name and name not in _CHARGED and value not in (None, 0, "0", "0.0"):
            yield name
