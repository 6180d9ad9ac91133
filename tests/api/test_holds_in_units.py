"""Holds in a custom unit over HTTP: reserved and settled as the money that they come to, shown as both."""

from typing import Any

import pytest

from tests.api.asking import Asking
from tests.api.test_holds import asking, refused, wallet, world

__all__ = ["asking", "world"]

CREDITS = {"key": "credits", "currency": "USD", "rate": "0.0025"}


def hold(amount: str, **more: object) -> dict[str, object]:
    return {"customer": "acme", "amount": amount, "unit": "credits", **more}


def both(held: Any) -> tuple[str, str, str, str, str]:
    members = ("amount", "currency", "unit", "unit_rate", "unit_amount")
    amount, currency, unit, rate, of_unit = (held[each] for each in members)
    return amount, currency, unit, rate, of_unit


async def test_a_hold_in_a_unit_is_one_on_the_money(asking: Asking) -> None:
    await asking.post("units", CREDITS)
    held = await asking.post("holds", hold("101", key="h1"))
    assert both(held) == ("0.2525", "USD", "credits", "0.0025", "101")
    assert held["available"] == "0.7475"
    assert (await wallet(asking))["reserved"] == "0.2525"
    problem = await refused(asking, "holds", hold("300"), 402, "insufficient_credit")
    assert problem["available"] == "0.7475"
    await asking.patch("units/credits", {"rate": "0.005"})
    assert (await asking.post("holds", hold("101", key="h1")))["id"] == held["id"]
    await refused(asking, "holds", hold("202", key="h1"), 409, "conflict")
    shown = await asking.get("holds/h1")
    assert both(shown) == both(held)
    assert await asking.refused("holds/h1/settle", {"amount": "101.5", "unit": "credits"}) == [
        "amount"
    ]
    settled = await asking.post("holds/h1/settle", {"amount": "40", "unit": "credits"})
    assert (settled["used"], settled["claim"]) == ("0.1", "0.1")


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"unit": "coins"}, "unit"),
        ({"currency": "EUR"}, "unit"),
        ({"amount": "0"}, "amount"),
        ({"unit": "old"}, "unit"),
    ],
)
async def test_what_is_refused_holds_nothing(
    asking: Asking, members: dict[str, object], path: str
) -> None:
    await asking.post("units", CREDITS)
    await asking.post("units", {**CREDITS, "key": "old"})
    await asking.post("units/old/archive", {})
    assert path in await asking.refused("holds", {**hold("1"), **members})
    assert (await asking.get("holds"))["data"] == []
