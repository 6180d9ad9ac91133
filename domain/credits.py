"""Credit grants: what they are, what is left of them at an instant, in which order they burn."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from typing import Literal, TypeVar, cast

from domain.bounds import TOO_LARGE, is_too_large
from domain.currencies import read_currency
from domain.decimals import plain
from domain.errors import Conflict, Fault, Invalid
from domain.money import Money, settle
from domain.reading import (
    Fields,
    decimal,
    instant,
    integer,
    key,
    list_of,
    one_of,
    positive,
    text,
)
from domain.units import Unit

CreditKind = Literal["prepaid", "promotional"]

DEFAULT_PRIORITY = 50
LOWEST_PRIORITY = 1_000_000
NEVER = datetime.max.replace(tzinfo=UTC)

_ALL_ITEMS: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """`key` is the user's own name for it, unique; a plan's grants all bear their credit's key, and differ in `id`
    alone: `subscription` is the one that they are for. `items` are those it may pay for: all, where empty. What comes from
    an earlier grant is not in the `amount`: there may be more left than that. It was given in `unit` where it has one, at
    the rate that this had then; what it pays is money all the same.
    """

    id: str
    key: str
    customer: str
    kind: CreditKind
    amount: Money
    priority: int
    granted_at: datetime
    effective_at: datetime
    expires_at: datetime | None = None
    items: tuple[str, ...] = ()
    subscription: str | None = None
    unit: Unit | None = None

    def is_live(self, at: datetime) -> bool:
        """Whether it can pay at an instant; at the very instant it expires it still can."""
        return self.effective_at <= at <= (self.expires_at or NEVER)

    def has_expired(self, at: datetime) -> bool:
        return (self.expires_at or NEVER) < at


@dataclass(frozen=True, slots=True)
class GrantBalance:
    """A grant and what the ledger says is left of it (postings alone: expiry not yet considered)."""

    grant: Grant
    remaining: Money

    def at(self, at: datetime) -> Money:
        """What it is worth at an instant: nothing before it begins and after it has expired, whatever is posted."""
        return self.remaining if self.grant.is_live(at) else Money(0, self.remaining.currency)


@dataclass(frozen=True, slots=True)
class GrantOrder:
    """A grant as it is asked for. `currency` is None where the customer's usual one is meant. The amount is in `unit`,
    where there is one; without a rate, that of the catalogue is meant.
    """

    key: str
    customer: str
    amount: Fraction
    kind: CreditKind
    currency: str | None = None
    priority: int = DEFAULT_PRIORITY
    effective_at: datetime | None = None
    expires_at: datetime | None = None
    items: tuple[str, ...] = ()
    unit: str | None = None
    unit_rate: Fraction | None = None


@dataclass(frozen=True, slots=True)
class TopUpOrder:
    """Prepaid credit that the customer asks to buy; amount, unit and currency are as a grant's."""

    key: str
    customer: str
    amount: Fraction
    currency: str | None = None
    priority: int = DEFAULT_PRIORITY
    expires_at: datetime | None = None
    unit: str | None = None
    unit_rate: Fraction | None = None


_Order = TypeVar("_Order", GrantOrder, TopUpOrder)


def read_grant(value: object) -> GrantOrder:
    """Read the grant of contract §6; raises Invalid with every fault. The amount is looked at by `new_grant`."""
    fields = Fields(value)
    order = GrantOrder(
        key=fields.required("key", key),
        customer=fields.required("customer", key),
        amount=fields.required("amount", decimal),
        kind=cast(CreditKind, fields.required("kind", one_of("prepaid", "promotional"))),
        currency=fields.nullable("currency", read_currency),
        priority=fields.optional("priority", read_priority, DEFAULT_PRIORITY),
        effective_at=fields.nullable("effective_at", instant),
        expires_at=fields.nullable("expires_at", instant),
        items=fields.optional("scope", read_scope_of_items, _ALL_ITEMS),
        unit=fields.nullable("unit", text),
        unit_rate=_read_rate(fields),
    )
    fields.done()
    return order


def read_top_up(value: object) -> TopUpOrder:
    """Read `{"key", "customer", "amount", "unit", "unit_rate", "currency", "priority", "expires_at"}`."""
    fields = Fields(value)
    order = TopUpOrder(
        key=fields.required("key", key),
        customer=fields.required("customer", key),
        amount=fields.required("amount", decimal),
        currency=fields.nullable("currency", read_currency),
        priority=fields.optional("priority", read_priority, DEFAULT_PRIORITY),
        expires_at=fields.nullable("expires_at", instant),
        unit=fields.nullable("unit", text),
        unit_rate=_read_rate(fields),
    )
    fields.done()
    return order


def in_known_unit(order: _Order, known: Unit | None) -> _Order:
    """The order with what the catalogue says of its unit, if that is there: its currency, and the rate where the order has
    none. Raises Invalid for a unit without any rate, and for one of another currency than the order's.
    """
    if known is None:
        _require_rate(order)
        return order
    if order.currency not in (None, known.currency):
        message = f"{known.key} is a unit of {known.currency}, not of {order.currency}"
        raise Invalid.at("unit", message)
    rate = known.rate if order.unit_rate is None else order.unit_rate
    return replace(order, currency=known.currency, unit_rate=rate)


def read_priority(value: object) -> int:
    """Lower burns first."""
    return integer(0, LOWEST_PRIORITY)(value)


def read_scope_of_items(value: object) -> tuple[str, ...]:
    """Read `{"items": [...]}`: the items that something is limited to."""
    fields = Fields(value)
    items = fields.optional("items", list_of(key), _ALL_ITEMS)
    fields.done()
    return items


def new_grant(order: GrantOrder, *, id: str, customer: str, currency: str, at: datetime) -> Grant:
    """The grant that an order makes at an instant, for the customer of that id; `currency` is the usual one.

    Raises Invalid for an amount that is not positive or comes to parts of a minor unit, a unit without a rate, or dates
    that leave no time.
    """
    effective_at = order.effective_at or at
    currency = order.currency or currency
    faults = list(_faults_of_amount(order, currency))
    if order.expires_at is not None and order.expires_at <= max(effective_at, at):
        faults.append(Fault("expires_at", "must be after the grant begins, and not be past"))
    if faults:
        raise Invalid(faults)
    return Grant(
        id=id,
        key=order.key,
        customer=customer,
        kind=order.kind,
        amount=settle(_value(order), currency),
        priority=order.priority,
        granted_at=at,
        effective_at=effective_at,
        expires_at=order.expires_at,
        items=order.items,
        unit=_unit(order, currency),
    )


def check_top_up(order: TopUpOrder, currency: str, at: datetime) -> Money:
    """What the customer is to pay, in `currency` unless the order names one.

    Raises Invalid where `new_grant` does for the amount, or an expiry that is not ahead.
    """
    currency = order.currency or currency
    faults = list(_faults_of_amount(order, currency))
    if order.expires_at is not None and order.expires_at <= at:
        faults.append(Fault("expires_at", "must be in the future"))
    if faults:
        raise Invalid(faults)
    return settle(_value(order), currency)


def check_payable(currency: str, pays_in: Collection[str]) -> None:
    """Raise Invalid for a top-up in a currency in which it could pay nothing. `pays_in` are those of the subscriptions that
    live, and of the grants: where there are none, it may be the first of any.
    """
    if pays_in and currency not in pays_in:
        usable = ", ".join(sorted(pays_in))
        raise Invalid.at("currency", f"{currency} is none that the customer pays in: {usable}")


def topped_up(
    order: TopUpOrder, paid: Money, *, id: str, customer: str, paid_at: datetime
) -> Grant:
    """The prepaid grant that a paid top-up brings."""
    return Grant(
        id=id,
        key=order.key,
        customer=customer,
        kind="prepaid",
        amount=paid,
        priority=order.priority,
        granted_at=paid_at,
        effective_at=paid_at,
        expires_at=order.expires_at,
        unit=_unit(order, paid.currency),
    )


def check_void(balance: GrantBalance, at: datetime) -> None:
    """Raise Conflict for a grant of which nothing can be taken back: it has expired, or nothing is left of it."""
    grant = balance.grant
    if grant.has_expired(at):
        raise Conflict(f"{grant.key} has expired: nothing is left of it")
    if not balance.remaining.minor:
        raise Conflict(f"nothing is left of {grant.key}")


def in_burn_order(balances: Iterable[GrantBalance]) -> list[GrantBalance]:
    """Lowest priority number first, then earliest expiry, promotional before prepaid, oldest. Of one instant by the key,
    which users know it by in a scenario and over the API alike; where nobody gave one it is the id.
    """
    return sorted(balances, key=lambda balance: _burn_rank(balance.grant))


def _burn_rank(grant: Grant) -> tuple[int, datetime, bool, datetime, str, str]:
    expires_at = grant.expires_at or NEVER
    is_prepaid = grant.kind == "prepaid"
    return grant.priority, expires_at, is_prepaid, grant.granted_at, grant.key, grant.id


def _read_rate(fields: Fields) -> Fraction | None:
    rate = fields.nullable("unit_rate", positive)
    if fields.has("unit_rate") and not fields.has("unit"):
        fields.refuse("unit", "is required where there is a unit_rate")
    return rate


def _require_rate(order: GrantOrder | TopUpOrder) -> None:
    if order.unit is not None and order.unit_rate is None:
        raise Invalid.at("unit_rate", f"is required: there is no unit {order.unit}")


def _unit(order: GrantOrder | TopUpOrder, currency: str) -> Unit | None:
    if order.unit is None or order.unit_rate is None:
        return None
    return Unit(order.unit, currency, order.unit_rate)


def _value(order: GrantOrder | TopUpOrder) -> Fraction:
    """What is asked for, in the currency."""
    _require_rate(order)
    return order.amount if order.unit_rate is None else order.amount * order.unit_rate


def _faults_of_amount(order: GrantOrder | TopUpOrder, currency: str) -> Iterable[Fault]:
    value = _value(order)
    if value <= 0:
        yield Fault("amount", "must be greater than zero")
    elif settle(value, currency).exact != value:
        comes_to = "" if order.unit is None else f"comes to {plain(value)}, which "
        yield Fault("amount", f"{comes_to}has more decimals than {currency} has")
    elif is_too_large(value):
        yield Fault("amount", TOO_LARGE)
