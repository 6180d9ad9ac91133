"""What a hold is at an instant, what each move does to it, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest

from domain.errors import InsufficientCredit, Invalid
from domain.holds import (
    Hold,
    HoldEnded,
    HoldOrder,
    counted,
    expired,
    in_money,
    read_hold,
    read_settlement,
    released,
    require_covered,
    settled,
)
from domain.units import Unit
from domain.wallets import Wallet
from tests.makings import JAN, usd

END = JAN + timedelta(seconds=300)
TICK = timedelta(microseconds=1)
OPEN = Hold(
    id="hld_1",
    key=None,
    customer="cus_1",
    payer="cus_1",
    currency="USD",
    feature=None,
    held=Fraction("0.5"),
    claim=Fraction("0.5"),
    created_at=JAN,
    expires_at=END,
)
NOTHING = Fraction(0)


def settle(hold: Hold, used: str | None = "0.2", content: str = "this") -> Hold:
    return settled(hold, None if used is None else Fraction(used), "evt", content, JAN)


SETTLED = settle(OPEN)
RELEASED = released(OPEN, JAN)
EXPIRED = expired(OPEN)


@pytest.mark.parametrize(
    ("hold", "status", "claim"),
    [
        (OPEN, "open", "0.5"),
        (SETTLED, "settled", "0.2"),
        (settle(OPEN, None), "settled", "0.5"),
        (settle(OPEN, "0.5"), "settled", "0.5"),
        (counted(SETTLED), "settled", "0"),
        (RELEASED, "released", "0"),
        (EXPIRED, "expired", "0"),
    ],
)
def test_what_each_move_leaves(hold: Hold, status: str, claim: str) -> None:
    assert (hold.status_at(JAN), hold.claim_at(JAN)) == (status, Fraction(claim))


def test_an_open_hold_is_worth_nothing_from_the_instant_of_its_end() -> None:
    assert (OPEN.status_at(END - TICK), OPEN.claim_at(END - TICK)) == ("open", OPEN.held)
    assert (OPEN.status_at(END), OPEN.claim_at(END)) == ("expired", NOTHING)
    assert (SETTLED.status_at(END), SETTLED.claim_at(END)) == ("settled", Fraction("0.2"))
    assert EXPIRED.ended_at == END


@pytest.mark.parametrize(
    ("again", "left"),
    [
        (lambda: settle(SETTLED), SETTLED),
        (lambda: settle(counted(SETTLED)), counted(SETTLED)),
        (lambda: settled(SETTLED, Fraction("0.2"), "evt", "this", END), SETTLED),
        (lambda: released(RELEASED, JAN), RELEASED),
        (lambda: released(EXPIRED, JAN), EXPIRED),
        (lambda: released(OPEN, END), OPEN),
    ],
)
def test_again_does_nothing(again: Callable[[], Hold], left: Hold) -> None:
    assert again() == left


@pytest.mark.parametrize(
    ("move", "code"),
    [
        (lambda: settle(SETTLED, content="that"), "hold_settled"),
        (lambda: settle(RELEASED), "hold_released"),
        (lambda: settle(EXPIRED), "hold_expired"),
        (lambda: settled(OPEN, None, None, "this", END), "hold_expired"),
        (lambda: released(SETTLED, JAN), "hold_settled"),
    ],
)
def test_what_has_ended_is_refused_by_name(move: Callable[[], Hold], code: str) -> None:
    with pytest.raises(HoldEnded) as raised:
        move()
    assert raised.value.code == code


def test_nobody_settles_more_than_is_held() -> None:
    with pytest.raises(Invalid, match=r"amount: is more than is held: 0\.5 USD"):
        settle(OPEN, "0.50000001")


@pytest.mark.parametrize(
    ("amount", "available"), [("7.25", None), ("7.2501", "5.25"), ("1000", "5.25")]
)
def test_what_is_not_covered_is_refused_with_what_there_is(
    amount: str, available: str | None
) -> None:
    wallet = Wallet("USD", usd("10.00"), usd("4.00"), Fraction("0.75"), usd("2.00"))
    if available is None:
        require_covered(wallet, Fraction(amount))
        return
    with pytest.raises(InsufficientCredit) as raised:
        require_covered(wallet, Fraction(amount))
    assert raised.value.available == available


def test_a_hold_is_read() -> None:
    assert read_hold({"customer": "acme", "amount": "0.001"}) == HoldOrder(
        "acme", Fraction("0.001")
    )
    order = read_hold({"customer": "acme", "feature": "tokens", "expires_in": 60, "key": "k"})
    assert order == HoldOrder("acme", feature="tokens", quantity=Fraction(1), seconds=60, key="k")


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"amount": "1"}, ["customer"]),
        ({"customer": "acme"}, ["amount"]),
        ({"customer": "acme", "amount": "1", "feature": "tokens"}, ["amount"]),
        ({"customer": "acme", "feature": "tokens", "currency": "USD"}, ["currency"]),
        ({"customer": "acme", "feature": "tokens", "unit": "credits"}, ["unit"]),
        ({"customer": "acme", "amount": "1", "unit": 5}, ["unit"]),
        ({"customer": "acme", "feature": "tokens", "quantity": "0"}, ["quantity"]),
        ({"customer": "acme", "amount": "1", "quantity": "1"}, ["quantity"]),
        ({"customer": "acme", "amount": "0"}, ["amount", "amount"]),
        ({"customer": "acme", "amount": "1", "expires_in": "60"}, ["expires_in"]),
        ({"customer": "acme", "amount": "1", "expiry": 60}, ["expiry"]),
    ],
)
def test_bad_holds(body: dict[str, object], paths: list[str]) -> None:
    with pytest.raises(Invalid) as raised:
        read_hold(body)
    assert sorted({fault.path for fault in raised.value.faults}) == sorted(set(paths))


CREDITS = Unit("credits", "USD", Fraction("0.0003"))


@pytest.mark.parametrize(
    ("amount", "rate", "comes_to"),
    [
        ("1000", "0.01", "10"),
        ("1", "0.0003", "0.0003"),  # less than a cent, and rounded nowhere
        ("0.7", "0." + "0" * 37 + "1", "0." + "0" * 38 + "7"),
    ],
)
def test_an_amount_in_a_unit_is_money(amount: str, rate: str, comes_to: str) -> None:
    order = HoldOrder("acme", Fraction(amount), unit="credits")
    wanted = in_money(order, Unit("credits", "USD", Fraction(rate)))
    assert (wanted.amount, wanted.currency) == (Fraction(comes_to), "USD")
    assert wanted.unit_rate == Fraction(rate)


@pytest.mark.parametrize(
    ("order", "unit", "path"),
    [
        (HoldOrder("acme", Fraction(1), unit="credits"), None, "unit"),
        (HoldOrder("acme", Fraction(1), "EUR", unit="credits"), CREDITS, "unit"),
        (HoldOrder("acme", Fraction(10**20), unit="credits"), CREDITS, "amount"),
    ],
)
def test_bad_holds_in_a_unit(order: HoldOrder, unit: Unit | None, path: str) -> None:
    with pytest.raises(Invalid) as raised:
        in_money(order, unit)
    assert [fault.path for fault in raised.value.faults] == [path]


IN_CREDITS = replace(OPEN, held=Fraction("0.3"), unit="credits", unit_rate=Fraction("0.0003"))


def test_a_hold_in_a_unit_is_settled_in_it() -> None:
    settlement = read_settlement({"amount": "700", "unit": "credits"}, IN_CREDITS)
    assert settlement.amount == Fraction("0.21")
    assert IN_CREDITS.unit_amount == 1_000


@pytest.mark.parametrize(
    ("hold", "body"),
    [
        (IN_CREDITS, {"amount": "700"}),
        (IN_CREDITS, {"amount": "700", "unit": "coins"}),
        (OPEN, {"amount": "0.1", "unit": "credits"}),
    ],
)
def test_a_settlement_says_the_unit_that_is_held(hold: Hold, body: dict[str, object]) -> None:
    with pytest.raises(Invalid) as raised:
        read_settlement(body, hold)
    assert [fault.path for fault in raised.value.faults] == ["unit"]


@pytest.mark.parametrize(
    ("change", "is_the_same"),
    [
        ({}, True),
        ({"amount": Fraction("0.6"), "unit_rate": Fraction("0.0006")}, True),  # its rate is another
        ({"amount": Fraction("0.6")}, False),
        ({"unit": None, "unit_rate": None}, False),
        ({"unit": "coins"}, False),
        ({"seconds": 61}, False),
    ],
)
def test_the_same_hold_again(change: dict[str, Any], is_the_same: bool) -> None:
    made = replace(IN_CREDITS, expires_at=IN_CREDITS.created_at + timedelta(seconds=60))
    order = HoldOrder("acme", Fraction("0.3"), "USD", seconds=60)
    order = replace(order, unit="credits", unit_rate=Fraction("0.0003"))
    assert made.is_what(replace(order, **change)) is is_the_same


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "amount"),
        ({"quantity": "1"}, "quantity"),
        ({"amount": "0"}, "amount"),
        ({"event": {"properties": {}}}, "event.event_name"),
        ({"event": {"event_name": "llm", "customer": "acme"}}, "event.customer"),
        ({"event": {"event_name": "llm"}, "unit": "USD"}, "unit"),
    ],
)
def test_bad_settlements(body: dict[str, object], path: str) -> None:
    with pytest.raises(Invalid) as raised:
        read_settlement(body, OPEN)
    assert [fault.path for fault in raised.value.faults] == [path]


def test_the_event_of_a_settlement_bears_the_name_of_its_hold() -> None:
    bare = read_settlement({"event": {"event_name": "llm"}}, OPEN)
    assert bare.event is not None
    assert (bare.event.id, bare.event.customer) == (OPEN.id, OPEN.customer)
    named = read_settlement({"event": {"event_name": "llm", "id": "e1"}}, OPEN)
    assert named.content != bare.content
    assert replace(named, event=bare.event).content == bare.content
