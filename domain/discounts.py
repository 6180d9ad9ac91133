"""Coupons on an invoice: which apply, in which order, what each takes off, and how its use is counted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import assert_never

from domain.customers import Coupon, Redemption
from domain.invoices import AppliedDiscount, Line
from domain.money import Money, least, settle, share, total


@dataclass(frozen=True, slots=True)
class Discounted:
    """Lines with their shares of what the coupons took off, and the coupons as they are after this invoice. `shares`
    are each line's part of each amount that was `applied`.
    """

    lines: tuple[Line, ...]
    applied: tuple[AppliedDiscount, ...]
    coupons: tuple[Redemption, ...]
    shares: tuple[tuple[Money, ...], ...] = ()


def discount(
    lines: tuple[Line, ...],
    coupons: Sequence[Redemption],
    currency: str,
    billing_period: datetime,
    at: datetime,
) -> Discounted:
    """Apply coupons: those limited to items first, then to plans, then general ones; the oldest first. Each takes
    off what earlier ones left, rounded once, at most the lines it is for; the rest lapses.

    `billing_period` is the start of the period in which the invoice is issued, `at` when that is (or was due).
    """
    applied: list[AppliedDiscount] = []
    shares: list[tuple[Money, ...]] = []
    reducing: set[int] = set()
    for index in _in_order(coupons):
        coupon = coupons[index].coupon
        off = _taken_off(lines, coupon, currency)
        if _has_expired(coupon, at) or not _is_usable(coupons[index], billing_period, off):
            continue
        parts = _shares(lines, coupon, off)
        lines = _less(lines, parts)
        shares.append(parts)
        applied.append(AppliedDiscount(coupon.key, off))
        if any(part.minor for part, line in zip(parts, lines, strict=True) if _counts(line)):
            reducing.add(index)
    used = tuple(
        _used(redemption, billing_period, index in reducing)
        for index, redemption in enumerate(coupons)
    )
    return Discounted(lines, tuple(applied), used, tuple(shares))


def _in_order(coupons: Sequence[Redemption]) -> list[int]:
    def rank(index: int) -> tuple[int, datetime]:
        coupon = coupons[index].coupon
        return 0 if coupon.items else 1 if coupon.plans else 2, coupons[index].redeemed_at

    return sorted(range(len(coupons)), key=rank)


def _taken_off(lines: Sequence[Line], coupon: Coupon, currency: str) -> Money:
    """A percentage follows the sign of what it is for: what a credited line was discounted is not credited."""
    nothing = Money(0, currency)
    if coupon.currency not in (None, currency):
        return nothing
    left = total([_left(line) for line in lines if _is_for(coupon, line)], currency)
    if coupon.percent_off is not None:
        return settle(left.exact * coupon.percent_off / 100, currency)
    if coupon.amount_off is None or left.minor <= 0:
        return nothing
    return least(settle(coupon.amount_off, currency), left)


def _has_expired(coupon: Coupon, at: datetime) -> bool:
    return coupon.expires_at is not None and at >= coupon.expires_at


def _is_usable(redemption: Redemption, billing_period: datetime, off: Money) -> bool:
    match redemption.coupon.duration:
        case "forever":
            return off.minor != 0
        case "once":
            return off.minor > 0 and not redemption.uses
        case "periods":
            in_use = redemption.last_used_in == billing_period
            used_before = redemption.uses - in_use
            return off.minor != 0 and used_before < (redemption.coupon.periods or 0)
        case _:
            assert_never(redemption.coupon.duration)


def _used(redemption: Redemption, billing_period: datetime, reduced: bool) -> Redemption:
    """`once` is used by the first invoice it reduces, `periods` by every billing period that issues one."""
    match redemption.coupon.duration:
        case "forever":
            return redemption
        case "once":
            return replace(redemption, uses=redemption.uses + reduced)
        case "periods":
            is_new = redemption.last_used_in != billing_period
            return replace(redemption, uses=redemption.uses + is_new, last_used_in=billing_period)
        case _:
            assert_never(redemption.coupon.duration)


def _shares(lines: Sequence[Line], coupon: Coupon, off: Money) -> tuple[Money, ...]:
    weights = [_left(line).exact if _is_for(coupon, line) else Fraction(0) for line in lines]
    return share(off, weights)


def _less(lines: Sequence[Line], shares: Sequence[Money]) -> tuple[Line, ...]:
    return tuple(
        replace(line, discount=line.discount + part)
        for line, part in zip(lines, shares, strict=True)
    )


def _left(line: Line) -> Money:
    return line.amount - line.discount


def _counts(line: Line) -> bool:
    """What is on account is charged again with its period: a coupon is not used up by it."""
    return line.charged != "on_account"


def _is_for(coupon: Coupon, line: Line) -> bool:
    """A fixed amount waits for the period's invoice, which has all usage of the period to take it off."""
    if coupon.amount_off is not None and line.charged == "on_account":
        return False
    in_plan = not coupon.plans or (line.plan is not None and line.plan.key in coupon.plans)
    return in_plan and (not coupon.items or line.item in coupon.items)
