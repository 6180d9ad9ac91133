"""Holds: what a call whose cost is not known yet claims beforehand, of credit or of a limit, and what becomes of the claim.

    open ──settle──▶ settled     the claim stays until what was used is counted, then it is given back
     ├────release──▶ released    given back at once
     └────time─────▶ expired     worth nothing from its instant on, whoever notices it when

Claims are made only as far as they are covered, so none of them, in whatever order, overspends.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Literal

from domain.allowances import Allowance, check_allowance
from domain.bounds import TOO_LARGE, is_too_large
from domain.currencies import read_currency
from domain.decimals import plain
from domain.errors import Conflict, InsufficientCredit, Invalid, LimitReached
from domain.metering.events import UsageEvent
from domain.metering.incoming import IncomingEvent, name, read_properties
from domain.metering.measuring import measure
from domain.metering.meter import Meter
from domain.metering.properties import Property
from domain.plans import FeatureType
from domain.reading import Fields, instant, integer, key, positive, written
from domain.units import Unit
from domain.wallets import Wallet

HoldStatus = Literal["open", "settled", "released", "expired"]

USUAL_SECONDS = 300
LONGEST_SECONDS = 86_400
ONE = Fraction(1)


class HoldEnded(Conflict):
    """It is not open any more: its code says what it is instead."""

    def __init__(self, hold: str, status: HoldStatus, told: str) -> None:
        self.code = f"hold_{status}"
        super().__init__(f"the hold {hold} {told}")


class NotHoldable(Conflict):
    """Nothing of a feature can be held: its code says why."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class HoldOrder:
    """A hold as it is asked for: an `amount` of credit, or a `quantity` of a `feature`. An amount in a `unit` is one of
    money once its `unit_rate` is known.
    """

    customer: str
    amount: Fraction | None = None
    currency: str | None = None
    feature: str | None = None
    quantity: Fraction | None = None
    seconds: int = USUAL_SECONDS
    key: str | None = None
    unit: str | None = None
    unit_rate: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """`held` is credit of the wallet of `payer`, in units of its `currency`; or, of a `feature`, in what its meter counts.
    `claim` is what is reserved for it still. `used` is what it was settled with, as far as it was told, and `content` a
    fingerprint of that. It was asked for in a `unit` that was worth `unit_rate` then, or in none.
    """

    id: str
    key: str | None
    customer: str
    payer: str
    currency: str | None
    feature: str | None
    held: Fraction
    claim: Fraction
    created_at: datetime
    expires_at: datetime
    status: HoldStatus = "open"
    ended_at: datetime | None = None
    used: Fraction | None = None
    event: str | None = None
    content: str | None = None
    unit: str | None = None
    unit_rate: Fraction | None = None

    def status_at(self, at: datetime) -> HoldStatus:
        """Its end counts from its instant on, noticed or not."""
        return "expired" if self.status == "open" and self.expires_at <= at else self.status

    def claim_at(self, at: datetime) -> Fraction:
        return Fraction(0) if self.status_at(at) == "expired" else self.claim

    @property
    def unit_amount(self) -> Fraction | None:
        """What is held, in the unit."""
        return None if self.unit_rate is None else self.held / self.unit_rate

    def is_what(self, order: HoldOrder) -> bool:
        """Whether it is what an order, of the same customer, asks for: in a unit, so many of it, whatever it is worth now."""
        asked, made = order.amount or order.quantity, self.held
        if self.unit_rate is not None and order.unit_rate is not None and asked is not None:
            asked, made = asked / order.unit_rate, made / self.unit_rate
        of = (self.currency, self.feature, self.unit, made, self.expires_at - self.created_at)
        lasts = timedelta(seconds=order.seconds)
        return of == (order.currency, order.feature, order.unit, asked, lasts)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a call really was: `event` is the usage of it, whose id is the hold's where none is told."""

    amount: Fraction | None = None
    quantity: Fraction | None = None
    event: IncomingEvent | None = None

    @property
    def content(self) -> Mapping[str, object]:
        """All of it: settling again with the same is a repeat."""
        told = self.event
        return {
            "amount": None if self.amount is None else plain(self.amount),
            "quantity": None if self.quantity is None else plain(self.quantity),
            "event": told
            and [
                told.id,
                told.event_name,
                told.subscription,
                told.time and written(told.time),
                told.properties,
            ],
        }


def read_hold(value: object) -> HoldOrder:
    """Read `{"customer", "amount", "currency", "unit", "feature", "quantity", "expires_in", "key"}`; raises Invalid with every
    fault.
    """
    fields = Fields(value)
    order = HoldOrder(
        customer=fields.required("customer", key),
        amount=fields.nullable("amount", _amount),
        currency=fields.nullable("currency", read_currency),
        feature=fields.nullable("feature", key),
        quantity=fields.nullable("quantity", positive),
        seconds=fields.optional("expires_in", integer(1, LONGEST_SECONDS), USUAL_SECONDS),
        key=fields.nullable("key", key),
        unit=fields.nullable("unit", key),
    )
    if fields.has("amount") == fields.has("feature"):
        fields.refuse(
            "amount", "is required where there is no feature, and refused where there is one"
        )
    for member in ("currency", "unit"):
        if fields.has("feature") and fields.has(member):
            fields.refuse(member, "is for an amount of credit")
    if fields.has("amount") and fields.has("quantity"):
        fields.refuse("quantity", "is for a feature")
    fields.done()
    return order if order.feature is None else replace(order, quantity=order.quantity or ONE)


def in_money(order: HoldOrder, unit: Unit | None) -> HoldOrder:
    """An order in a unit, which is `unit` where the catalogue has it, in the money that it comes to: exactly, parts of a
    minor unit included. Raises Invalid where there is no such unit, or it is of another currency.
    """
    if order.unit is None or order.amount is None:
        return order
    if unit is None:
        raise Invalid.at("unit", f"there is no unit {order.unit}")
    if order.currency not in (None, unit.currency):
        raise Invalid.at(
            "unit", f"{unit.key} is a unit of {unit.currency}, not of {order.currency}"
        )
    amount = order.amount * unit.rate
    if is_too_large(amount):
        raise Invalid.at("amount", TOO_LARGE)
    return replace(order, amount=amount, currency=unit.currency, unit_rate=unit.rate)


def read_settlement(value: object, hold: Hold) -> Settlement:
    """Read `{"amount", "unit", "quantity", "event": {"event_name", "properties", "time", "id", "subscription"}}`; raises
    Invalid for what does not go with the hold. An amount of a hold in a unit is in that unit, and has to say so.
    """
    fields = Fields(value)
    settlement = Settlement(
        amount=fields.nullable("amount", positive),
        quantity=fields.nullable("quantity", positive),
        event=fields.nullable("event", lambda event: _read_event(event, hold)),
    )
    unit = fields.nullable("unit", key)
    if unit != hold.unit and (fields.has("amount") or unit is not None):
        instead = "the hold is in none" if hold.unit is None else f"must be {hold.unit}, as held"
        fields.refuse("unit", instead)
    of, other = ("amount", "quantity") if hold.feature is None else ("quantity", "amount")
    if fields.has(other):
        fields.refuse(other, f"is for another kind of hold: this one has {_told(hold)}")
    elif not fields.has(of) and not fields.has("event"):
        fields.refuse(of, "is required where there is no event")
    fields.done()
    if settlement.amount is None or hold.unit_rate is None:
        return settlement
    return replace(settlement, amount=settlement.amount * hold.unit_rate)


def require_covered(wallet: Wallet, amount: Fraction) -> None:
    """Raises InsufficientCredit where a wallet does not cover so much more."""
    if not wallet.covers(amount):
        spendable = plain(wallet.available + wallet.overdraft.exact)
        message = (
            f"a hold on {plain(amount)} {wallet.currency} is not covered: {spendable} can be held"
        )
        raise InsufficientCredit(message, plain(wallet.available))


def require_within(
    feature: str, kind: FeatureType, allowance: Allowance, reserved: Fraction, quantity: Fraction
) -> None:
    """Raises LimitReached where what is left of a limit is less, and NotHoldable where there is no limit."""
    if allowance.reason is not None:
        raise NotHoldable(allowance.reason, f"{feature} may not be used: {allowance.reason}")
    if kind != "metered":
        raise NotHoldable("not_metered", f"{feature} is {kind}: there is no quantity to hold")
    if allowance.limit is None:
        raise NotHoldable("no_limit", f"{feature} has no limit: nothing of it needs to be held")
    checked = check_allowance(allowance, quantity, reserved)
    if not checked.allowed:
        left = plain(checked.remaining or Fraction(0))
        message = f"a hold on {plain(quantity)} of {feature} is beyond its limit: {left} is left"
        raise LimitReached(message, left)


def usage_of(settlement: Settlement, hold: Hold, meter: Meter) -> Settlement:
    """The settlement of a hold on a feature with both its event and what its meter counts of that. The event is made of the
    quantity where only that is told. Raises Invalid where the two differ, or nothing is counted.
    """
    event = settlement.event or _event_of(settlement.quantity or ONE, hold, meter)
    usage = UsageEvent(
        event.id, event.event_name, event.customer, event.time or hold.created_at, event.properties
    )
    try:
        found = measure(meter, usage)
    except Invalid as invalid:
        raise Invalid(invalid.beneath("event")) from None
    if found is None:
        raise Invalid.at(
            "event", f"is no usage of {hold.feature}: its meter {meter.key} does not count it"
        )
    quantity = ONE if isinstance(found.value, str) else found.value
    if quantity <= 0:
        raise Invalid.at("event", f"must be usage of more than zero, not {plain(quantity)}")
    if settlement.quantity not in (None, quantity):
        raise Invalid.at("quantity", f"is another than the event's, which is {plain(quantity)}")
    return Settlement(quantity=quantity, event=event)


def _event_of(quantity: Fraction, hold: Hold, meter: Meter) -> IncomingEvent:
    """The event that says nothing but a quantity. What a meter filters by or counts otherwise cannot be told so."""
    properties: Mapping[str, object] = {}
    if meter.aggregation != "count" or quantity != 1:
        if not isinstance(meter.value, Property):
            raise Invalid.at(
                "event", f"is required: the meter {meter.key} counts no plain quantity"
            )
        value: object = plain(quantity)
        for name in reversed(meter.value.path):
            value = {name: value}
        assert isinstance(value, Mapping)
        properties = value
    return IncomingEvent(hold.id, meter.event_name, hold.customer, None, properties)


def settled(
    hold: Hold, used: Fraction | None, event: str | None, content: str, at: datetime
) -> Hold:
    """The hold after a call that used so much of it: as much of it is claimed on, until that is counted, and what was too
    much is free. Where nobody can tell how much it was, all of it is claimed on. Settling again with the same content
    changes nothing.

    Raises HoldEnded where it is open no longer, and Invalid for more than is held.
    """
    status = hold.status_at(at)
    if status == "settled" and hold.content == content:
        return hold
    if status != "open":
        instead = " with something else" if status == "settled" else ""
        raise HoldEnded(
            hold.id,
            status,
            f"was {status} already{instead}" if status != "expired" else "has expired",
        )
    if used is not None and used > hold.held:
        of = "amount" if hold.feature is None else "quantity"
        raise Invalid.at(of, f"is more than is held: {_told(hold)}")
    return replace(
        hold,
        status="settled",
        ended_at=at,
        used=used,
        claim=hold.held if used is None else used,
        event=event,
        content=content,
    )


def released(hold: Hold, at: datetime) -> Hold:
    """The hold, given back. Again does nothing, nor does it once it has expired. Raises HoldEnded for a settled one."""
    status = hold.status_at(at)
    if status == "settled":
        raise HoldEnded(hold.id, status, "was settled already")
    if status != "open":
        return hold
    return replace(hold, status="released", ended_at=at, claim=Fraction(0))


def expired(hold: Hold) -> Hold:
    """The hold after its end, which was at its instant, whenever it is noticed."""
    return replace(hold, status="expired", ended_at=hold.expires_at, claim=Fraction(0))


def counted(hold: Hold) -> Hold:
    """A settled hold, once what it used is counted elsewhere."""
    return replace(hold, claim=Fraction(0))


def _amount(value: object) -> Fraction:
    amount = positive(value)
    if is_too_large(amount):
        raise Invalid.at("", TOO_LARGE)
    return amount


def _read_event(value: object, hold: Hold) -> IncomingEvent:
    fields = Fields(value)
    event = IncomingEvent(
        id=fields.optional("id", name, hold.id),
        event_name=fields.required("event_name", name),
        customer=hold.customer,
        time=fields.nullable("time", instant),
        properties=fields.optional("properties", read_properties, {}),
        subscription=fields.nullable("subscription", name),
    )
    fields.done()
    return event


def _told(hold: Hold) -> str:
    if hold.unit_amount is not None:
        return f"{plain(hold.unit_amount)} {hold.unit}"
    return f"{plain(hold.held)} {hold.currency or f'of {hold.feature}'}"
