"""What a life that ends at once gives back: the unused part of what was charged in advance."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from fractions import Fraction

from domain.account import IssuedLine, Refund
from domain.calendar import Period
from domain.invoices import CreditNote, Line
from domain.money import Money, apportion, least, total
from domain.plans import Plan
from domain.proration import share_of_change
from domain.subscription import Subscription


def unused_credit(
    name: str, subscription: Subscription, plan: Plan, issued: Sequence[IssuedLine], at: datetime
) -> CreditNote | None:
    """A credit note of the unused part of recurring lines, less discounts and promotional credits, plus tax; None
    where that is nothing.
    """
    currency = subscription.currency
    unused = [
        (line, share)
        for line in (each.line for each in issued)
        if (share := _unused_share(line, plan, subscription.timezone, at))
    ]
    net = apportion([line.net.exact * share for line, share in unused], currency)
    tax = apportion([line.tax.exact * share for line, share in unused], currency)
    inclusive = apportion([line.inclusive_tax.exact * share for line, share in unused], currency)
    lines = tuple(
        _credited(line, at, *parts)
        for (line, _), *parts in zip(unused, net, tax, inclusive, strict=True)
    )
    owed = total([line.owed for line in lines], currency)
    if owed.minor <= 0:
        return None
    return CreditNote(
        name=name,
        subscription=subscription.id,
        customer=subscription.billed_to,
        currency=currency,
        issued_at=at,
        reason="unused",
        lines=lines,
        subtotal=total([line.net for line in lines], currency),
        tax=total([line.tax for line in lines], currency),
        total=owed,
        refunded=Money(0, currency),
        remaining=owed,
    )


def refund(note: CreditNote, issued: Sequence[IssuedLine]) -> tuple[CreditNote, tuple[Refund, ...]]:
    """Send a credit note's total back, at most what the provider was paid for its invoices, the newest first; it
    leaves no balance.
    """
    refunds = tuple(_refunds(note, issued))
    sent = total([each.amount for each in refunds], note.currency)
    nothing = Money(0, note.currency)
    return replace(note, refunded=sent, remaining=nothing), refunds


def _refunds(note: CreditNote, issued: Sequence[IssuedLine]) -> Iterator[Refund]:
    paid = {each.invoice: each.amount_paid for each in issued}
    left = note.total
    for invoice, amount_paid in reversed(paid.items()):
        amount = least(left, amount_paid)
        if amount.minor > 0:
            yield Refund(f"refund:{note.name}:{invoice}", invoice, amount, note.name)
            left = left - amount


def _unused_share(line: Line, plan: Plan, timezone: str, at: datetime) -> Fraction:
    if line.kind not in ("recurring", "proration") or line.charged == "in_arrears":
        return Fraction(0)
    if line.period is None or line.period.end <= at:
        return Fraction(0)
    rest = Period(max(at, line.period.start), line.period.end)
    return share_of_change(rest, line.period, plan.proration, timezone)


def _credited(line: Line, at: datetime, net: Money, tax: Money, inclusive: Money) -> Line:
    """The line of a credit note: all of it is net."""
    assert line.period is not None
    nothing = Money(0, net.currency)
    return replace(
        line,
        description=f"{line.description}, unused",
        amount=net,
        exact_amount=net.exact,
        period=Period(max(at, line.period.start), line.period.end),
        discount=nothing,
        credits=nothing,
        tax=tax,
        inclusive_tax=inclusive,
    )
