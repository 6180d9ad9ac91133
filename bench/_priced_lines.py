"""Lines for `weir rate`: some as people write them, and as many with other numbers in them as are asked for."""

from collections.abc import Callable
from random import Random

Line = dict[str, object]

_TIERS: list[Line] = [
    {"up_to": "100", "unit_amount": "0.05", "flat_amount": "10"},
    {"up_to": "1000", "unit_amount": "0.04"},
    {"up_to": None, "unit_amount": "0.03", "flat_amount": "0"},
]
_SHARES: list[Line] = [
    {"up_to": "10000", "rate": "2.9"},
    {"up_to": None, "rate": "1.4", "flat_amount": "5"},
]
_MATRIX: Line = {
    "model": "matrix",
    "dimensions": ["model", "region"],
    "cells": [
        {"match": {"model": "large", "region": "eu"}, "unit_amount": "0.000015"},
        {"match": {"model": "large"}, "unit_amount": "0.0000125"},
    ],
    "default_unit_amount": "0.000001",
}
_GROUPS: list[Line] = [
    {"key": {"model": "large", "region": "eu"}, "quantity": "120000"},
    {"key": {"model": "small", "region": None}, "quantity": "5000"},
]
_PERCENTAGE: Line = {
    "model": "percentage",
    "rate": "2.9",
    "fixed_amount": "0.30",
    "free_events": "1",
}

_BY_QUANTITY: tuple[tuple[Line, tuple[object, ...]], ...] = (
    ({"model": "flat", "amount": "49.99"}, ("0", "1", "1000000")),
    ({"model": "per_unit", "unit_amount": "0.0000125"}, ("1234567", 0, "-3", "0.5")),
    ({"model": "per_unit", "unit_amount": "0.002", "included": "1000", "minimum": "5"}, ("1500", "999")),
    ({"model": "per_unit", "unit_amount": "3", "unit": "credits", "unit_rate": "0.01"}, ("7", "7.25")),
    ({"model": "package", "package_size": "1000", "package_amount": "1.5", "free_units": "100"}, ("2101", "0")),
    ({"model": "package", "package_size": "7", "package_amount": "2", "round": "down"}, ("20", "-1")),
    ({"model": "graduated", "tiers": _TIERS, "discount_percent": "12.5"}, ("0", "100", "100.5", "5000")),
    ({"model": "volume", "tiers": _TIERS, "flat_on_zero": True, "maximum": "40"}, ("0", "100", "101", "5000")),
    ({"model": "graduated_percentage", "tiers": _SHARES}, ("9999.99", "25000")),
    # These are refused:
    ({"model": "graduated", "tiers": [{"up_to": "5", "unit_amount": "1"}]}, ("1",)),
    ({"model": "per_unit", "unit_amount": "1e-5"}, ("1",)),
    ({"model": "per_unit", "unit_amount": "1", "maximun": "5"}, ("1",)),
    ({"model": "flat", "amount": 9.99}, ("1",)),
)  # fmt: skip
_OTHERWISE: tuple[tuple[Line, Line], ...] = (
    (_PERCENTAGE, {"events": [{"quantity": "100"}, {"quantity": "12.5"}, {"quantity": "0.99"}]}),
    (
        {**_PERCENTAGE, "minimum_per_event": "0.50", "maximum_per_event": "2"},
        {"events": [{"quantity": "500"}, {"quantity": "100"}, {"quantity": "1"}]},
    ),
    (_MATRIX, {"groups": _GROUPS}),
    ({**_MATRIX, "default_unit_amount": None}, {"groups": _GROUPS}),  # refused: a group has no cell
    ({"model": "dynamic", "multiplier": "1.2"}, {"events": [{"amount": "1.05"}, {"amount": "2"}]}),
    ({"model": "dynamic"}, {"quantity": "5"}),  # refused: no events
)


def everyday_lines() -> list[Line]:
    """One of each: all models and what they take, quantities on and beside bounds, and lines that are refused."""
    priced = [
        *(
            (price, {"quantity": given})
            for price, quantities in _BY_QUANTITY
            for given in quantities
        ),
        *_OTHERWISE,
    ]
    return [_line(number, price, usage) for number, (price, usage) in enumerate(priced)]


def fresh_line(chance: Random, number: int) -> Line:
    """A line of any model, each as often as the others, whose numbers no other line has."""
    return _line(number, *_MODELS[number % len(_MODELS)](chance))


def tiered_line(chance: Random, number: int) -> Line:
    return _line(number, *_TIERED[number % len(_TIERED)](chance))


def _line(number: int, price: object, usage: object) -> Line:
    return {"id": f"line-{number}", "currency": "USD", "price": price, "usage": usage}


def _rate(chance: Random) -> str:
    return f"0.{chance.randrange(1, 10**7):07}"


def _money(chance: Random) -> str:
    return f"{chance.randrange(1, 1_000)}.{chance.randrange(100):02}"


def _quantity(chance: Random) -> Line:
    return {"quantity": f"{chance.randrange(1, 10**6)}.{chance.randrange(10**3)}"}


def _flat(chance: Random) -> tuple[Line, Line]:
    return {"model": "flat", "amount": _money(chance)}, _quantity(chance)


def _per_unit(chance: Random) -> tuple[Line, Line]:
    return {"model": "per_unit", "unit_amount": _rate(chance)}, _quantity(chance)


def _package(chance: Random) -> tuple[Line, Line]:
    price: Line = {
        "model": "package",
        "package_size": str(chance.randrange(1, 10**5)),
        "package_amount": _money(chance),
        "free_units": str(chance.randrange(10**3)),
    }
    return price, _quantity(chance)


def _tiers(chance: Random, rate_name: str, rate: Callable[[Random], str]) -> list[Line]:
    bounds = sorted(chance.sample(range(1, 10**6), chance.randrange(1, 4)))
    return [
        {"up_to": up_to, rate_name: rate(chance), "flat_amount": _money(chance)}
        for up_to in (*map(str, bounds), None)
    ]


def _graduated(chance: Random) -> tuple[Line, Line]:
    return {"model": "graduated", "tiers": _tiers(chance, "unit_amount", _rate)}, _quantity(chance)


def _volume(chance: Random) -> tuple[Line, Line]:
    return {"model": "volume", "tiers": _tiers(chance, "unit_amount", _rate)}, _quantity(chance)


def _graduated_percentage(chance: Random) -> tuple[Line, Line]:
    price: Line = {"model": "graduated_percentage", "tiers": _tiers(chance, "rate", _money)}
    return price, _quantity(chance)


def _percentage(chance: Random) -> tuple[Line, Line]:
    price: Line = {
        "model": "percentage",
        "rate": _rate(chance),
        "fixed_amount": _money(chance),
        "free_amount": _money(chance),
    }
    return price, {"events": [{"quantity": _money(chance)} for _ in range(chance.randrange(1, 6))]}


def _matrix(chance: Random) -> tuple[Line, Line]:
    names = [f"model-{number}" for number in chance.sample(range(1_000), 4)]
    price: Line = {
        "model": "matrix",
        "dimensions": ["model"],
        "cells": [{"match": {"model": name}, "unit_amount": _rate(chance)} for name in names],
    }
    return price, {"groups": [{"key": {"model": name}, **_quantity(chance)} for name in names[1:]]}


def _dynamic(chance: Random) -> tuple[Line, Line]:
    events = [{"amount": _rate(chance)} for _ in range(chance.randrange(1, 6))]
    return {"model": "dynamic", "multiplier": _money(chance)}, {"events": events}


_TIERED = (_graduated, _volume, _graduated_percentage)
_MODELS = (_flat, _per_unit, _package, *_TIERED, _percentage, _matrix, _dynamic)
