"""Credit grants: what they are, what is left of them at an instant, in which order they burn."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Literal, cast

from domain.currencies import read_currency
from domain.errors import Fault, Invalid
from domain.money import Money, settle
from domain.reading import Fields, decimal, instant, integer, key, list_of, one_of, text

CreditKind = Literal["prepaid", "promotional"]

DEFAULT_PRIORITY = 50
LOWEST_PRIORITY = 1_000_000
NEVER = datetime.max.replace(tzinfo=UTC)

_ALL_ITEMS: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """`key` is the user's own name for it, unique; a plan's grants all bear their credit's key, and differ in `id`
    alone. `items` are those it may pay for: all, where empty.
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

    def is_live(self, at: datetime) -> bool:
        """Whether it can pay at an instant; at the very instant it expires it still can."""
        return self.effective_at <= at <= (self.expires_at or NEVER)


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
    """A grant as it is asked for. `currency` is None where the customer's usual one is meant."""

    key: str
    customer: str
    amount: Fraction
    kind: CreditKind
    currency: str | None = None
    priority: int = DEFAULT_PRIORITY
    effective_at: datetime | None = None
    expires_at: datetime | None = None
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TopUpOrder:
    """Prepaid credit that the customer asks to buy."""

    key: str
    customer: str
    amount: Fraction
    currency: str | None = None
    priority: int = DEFAULT_PRIORITY
    expires_at: datetime | None = None


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
    )
    if fields.nullable("unit", text) is not None:
        fields.refuse("unit", "is not supported: grants are in a currency")
    fields.done()
    return order


def read_top_up(value: object) -> TopUpOrder:
    """Read `{"key", "customer", "amount", "currency", "priority", "expires_at"}`."""
    fields = Fields(value)
    order = TopUpOrder(
        key=fields.required("key", key),
        customer=fields.required("customer", key),
        amount=fields.required("amount", decimal),
        currency=fields.nullable("currency", read_currency),
        priority=fields.optional("priority", read_priority, DEFAULT_PRIORITY),
        expires_at=fields.nullable("expires_at", instant),
    )
    fields.done()
    return order


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

    Raises Invalid for an amount that is not positive or has too many decimals, or dates that leave no time.
    """
    effective_at = order.effective_at or at
    faults = list(_faults_of_amount(order.amount, order.currency or currency))
    if order.expires_at is not None and order.expires_at <= max(effective_at, at):
        faults.append(Fault("expires_at", "must be after the grant begins, and not be past"))
    if faults:
        raise Invalid(faults)
    return Grant(
        id=id,
        key=order.key,
        customer=customer,
        kind=order.kind,
        amount=settle(order.amount, order.currency or currency),
        priority=order.priority,
        granted_at=at,
        effective_at=effective_at,
        expires_at=order.expires_at,
        items=order.items,
    )


def check_top_up(order: TopUpOrder, currency: str, at: datetime) -> Money:
    """What the customer is to pay, in `currency` unless the order names one.

    Raises Invalid for an amount that is not positive or has too many decimals, or an expiry that is not ahead.
    """
    faults = list(_faults_of_amount(order.amount, order.currency or currency))
    if order.expires_at is not None and order.expires_at <= at:
        faults.append(Fault("expires_at", "must be in the future"))
    if faults:
        raise Invalid(faults)
    return settle(order.amount, order.currency or currency)


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
    )


def in_burn_order(balances: Iterable[GrantBalance]) -> list[GrantBalance]:
    """Lowest priority number first, then earliest expiry, promotional before prepaid, oldest, id."""
    return sorted(balances, key=lambda balance: _burn_rank(balance.grant))


def _burn_rank(grant: Grant) -> tuple[int, datetime, bool, datetime, str]:
    expires_at = grant.expires_at or NEVER
    is_prepaid = grant.kind == "prepaid"
    return grant.priority, expires_at, is_prepaid, grant.granted_at, grant.id


def _faults_of_amount(amount: Fraction, currency: str) -> Iterable[Fault]:
    if amount <= 0:
        yield Fault("amount", "must be greater than zero")
    elif settle(amount, currency).exact != amount:
        yield Fault("amount", f"has more decimals than {currency} has")
