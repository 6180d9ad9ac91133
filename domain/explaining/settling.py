"""How an invoice came to a line's cents: the rounding, and its shares of discounts, credits and taxes."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import floor
from typing import TypeVar

from domain.account import Bill
from domain.currencies import MINOR_DIGITS
from domain.decimals import plain
from domain.documents import ENDLESS_DIGITS, Document
from domain.invoicing import Worked, billable, settled_together
from domain.money import Money, total

T = TypeVar("T")


def rounding(bill: Bill, worked: Worked, place: int) -> Document:
    """Why the line at `place` (from 0) has the cents it has: its floor, and whether one of the missing units went to
    it. What is on account is rounded apart.
    """
    charges = billable(bill.charges)
    places = next(group for group in settled_together(charges) if place in group)
    exact = [charges[each].exact_amount for each in places]
    units = 10 ** MINOR_DIGITS[bill.currency]
    floors = [floor(amount * units) for amount in exact]
    left = [amount * units - low for amount, low in zip(exact, floors, strict=True)]
    subtotal = total([worked.lines[each].amount for each in places], bill.currency)
    missing, own = subtotal.minor - sum(floors), places.index(place)
    rank = sorted(range(len(left)), key=lambda index: -left[index]).index(own)
    return {
        "exact_subtotal": plain(sum(exact, Fraction(0)), ENDLESS_DIGITS),
        "subtotal": str(subtotal),
        "floor": str(Money(floors[own], bill.currency)),
        "remainder": plain(left[own], ENDLESS_DIGITS),
        "rank": rank + 1,
        "missing_units": missing,
        "got_unit": rank < missing,
        "amount": str(worked.lines[place].amount),
        "in_words": _in_words(len(exact), missing, rank),
    }


def discounts(worked: Worked, place: int) -> list[Document]:
    found = worked.discounted
    return [
        {"coupon": each.coupon, "amount": str(part), "of": str(each.amount)}
        for each, part in _parts(found.applied, found.shares, place)
    ]


def credits(bill: Bill, worked: Worked, place: int) -> list[Document]:
    keys = {balance.grant.id: balance.grant.key for balance in bill.grants}
    found = worked.promoted
    return [
        {"grant": keys.get(each.id, each.id), "amount": str(part), "of": str(each.amount)}
        for each, part in _parts(found.applied, found.shares, place)
    ]


def taxes(worked: Worked, place: int) -> list[Document]:
    net = str(worked.promoted.lines[place].net)
    return [
        {
            "rate": each.rate,
            "percent": plain(each.percent),
            "inclusive": each.inclusive,
            "net": net,
            "amount": str(part),
            "of": str(each.amount),
        }
        for each, part in _parts(worked.taxed.applied, worked.taxed.shares, place)
    ]


def _parts(
    applied: Iterable[T], shares: Iterable[Sequence[Money]], place: int
) -> list[tuple[T, Money]]:
    """What a line bears of each thing that was applied, where it bears something."""
    pairs = zip(applied, shares, strict=True)
    return [(each, parts[place]) for each, parts in pairs if parts[place].minor]


def _in_words(lines: int, missing: int, rank: int) -> str:
    if lines == 1:
        return "The only line is the exact subtotal, rounded half up."
    said = "The exact subtotal is rounded once, half up. Each line gets its floor"
    if not missing:
        return f"{said}, and nothing is missing."
    units = "1 unit is" if missing == 1 else f"{missing} units are"
    go = "goes" if missing == 1 else "go"
    got = "so it got one" if rank < missing else "so it got none"
    return (
        f"{said}; {units} missing then and {go} to the largest remainders, in line order."
        f" This line's is number {rank + 1}, {got}."
    )
