"""Plans, customers, lines and stories for tests, with all that a test does not care about filled in."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from domain.account import Facts
from domain.calendar import Period
from domain.catalog import read_plan
from domain.charges import Charge
from domain.credits import CreditKind, Grant, GrantBalance
from domain.customers import Coupon, Customer, Redemption
from domain.invoices import Line, LineKind
from domain.lifecycle import new_subscription
from domain.metering.meter import read_meter
from domain.money import Money, settle
from domain.plans import Plan, PlanRef
from domain.subscription import Subscription

JAN = datetime(2026, 1, 1, tzinfo=UTC)
FEB = datetime(2026, 2, 1, tzinfo=UTC)
MAR = datetime(2026, 3, 1, tzinfo=UTC)
JANUARY = Period(JAN, FEB)
FEBRUARY = Period(FEB, MAR)

ACME = Customer("acme", "acme")
BASE = {"key": "base", "kind": "recurring", "price": {"model": "flat", "amount": "20.00"}}
SEATS = {
    "key": "seats",
    "kind": "recurring",
    "quantity": "3",
    "price": {"model": "per_unit", "unit_amount": "10"},
}
CALLS = {
    "key": "calls",
    "kind": "usage",
    "meter": "calls",
    "price": {"model": "per_unit", "unit_amount": "1"},
}
CALLS_METER = read_meter({"key": "calls", "event_name": "call", "aggregation": "count"})


def day(number: int) -> datetime:
    """A day of January; the 32nd is 1 February."""
    return JAN + timedelta(days=number - 1)


def plan(*items: Mapping[str, object], key: str = "pro", **members: Any) -> Plan:
    document = {"key": key, "interval": {"unit": "month"}, "items": list(items or (BASE,))}
    return read_plan({**document, **members}, currency="USD")


def facts(*plans: Plan, customer: Customer = ACME, **members: Any) -> Facts:
    known = {each.ref: each for each in plans}
    return Facts(customer=customer, plans=known, meters={"calls": CALLS_METER}, **members)


def subscription(of: Plan, coupons: Sequence[Coupon] = (), **members: Any) -> Subscription:
    return new_subscription(
        id="s1", key="s1", customer=ACME, plan=of, at=JAN, coupons=coupons, quantities={}, **members
    )


def usd(amount: str) -> Money:
    return settle(Fraction(amount), "USD")


def charge(
    amount: str,
    item: str = "base",
    kind: LineKind = "recurring",
    period: Period | None = JANUARY,
    of: str = "pro",
) -> Charge:
    return Charge(kind, item, item, Fraction(1), Fraction(amount), period, plan=PlanRef(of, 1))


def line(amount: str, item: str = "base", period: Period | None = JANUARY, of: str = "pro") -> Line:
    nothing = usd("0")
    return Line(
        kind="recurring",
        item=item,
        description=item,
        quantity=Fraction(1),
        exact_amount=Fraction(amount),
        amount=usd(amount),
        period=period,
        discount=nothing,
        credits=nothing,
        tax=nothing,
        inclusive_tax=nothing,
        plan=PlanRef(of, 1),
    )


def grant(
    key: str,
    amount: str,
    kind: CreditKind = "promotional",
    priority: int = 50,
    effective_at: datetime = JAN,
    **members: Any,
) -> GrantBalance:
    made = Grant(
        id=key,
        key=key,
        customer="acme",
        kind=kind,
        amount=usd(amount),
        priority=priority,
        granted_at=members.pop("granted_at", effective_at),
        effective_at=effective_at,
        **members,
    )
    return GrantBalance(made, made.amount)


def redeemed(key: str, redeemed_at: datetime = JAN, uses: int = 0, **members: Any) -> Redemption:
    coupon = Coupon(key, **{"duration": "forever", **members})
    return Redemption(coupon, redeemed_at, uses)
