"""What credits pay of an invoice: promotional grants before tax, credit notes and prepaid grants after it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from domain.account import CreditNoteBalance
from domain.credits import NEVER, Grant, GrantBalance, in_burn_order
from domain.invoices import AppliedCredit, Line
from domain.money import Money, least, share, total


@dataclass(frozen=True, slots=True)
class Promoted:
    """Lines with their shares of promotional credits. `shares` are each line's part of each that was `applied`."""

    lines: tuple[Line, ...]
    applied: tuple[AppliedCredit, ...]
    shares: tuple[tuple[Money, ...], ...] = ()


def burn_promotional(
    lines: tuple[Line, ...],
    grants: Iterable[GrantBalance],
    at: datetime,
    currency: str,
    was_due: datetime | None = None,
) -> Promoted:
    """Burn promotional grants on the lines each is for: of its items, in a period it overlaps. What could pay when the
    invoice was due (`was_due`) can pay now.
    """
    applied: list[AppliedCredit] = []
    shares: list[tuple[Money, ...]] = []
    for balance in _live(grants, "promotional", at, was_due):
        grant = balance.grant
        eligible = [is_for(grant, line) and overlaps(grant, line, at) for line in lines]
        net = [line.net for line in lines]
        burned = _payable(balance.remaining, net, eligible, currency)
        if burned.minor <= 0:
            continue
        parts = shared(burned, net, eligible)
        lines = tuple(
            replace(line, credits=line.credits + part)
            for line, part in zip(lines, parts, strict=True)
        )
        shares.append(parts)
        applied.append(AppliedCredit("promotional", grant.id, burned))
    return Promoted(lines, tuple(applied), tuple(shares))


def pay_with_balances(
    lines: Sequence[Line],
    credit_notes: Iterable[CreditNoteBalance],
    grants: Iterable[GrantBalance],
    at: datetime,
    currency: str,
    was_due: datetime | None = None,
) -> tuple[AppliedCredit, ...]:
    """Pay the total with credit notes, the oldest first, then with prepaid grants, each for lines of its items."""
    unpaid = [line.owed for line in lines]
    applied: list[AppliedCredit] = []

    def pay(credit: AppliedCredit, eligible: Sequence[bool]) -> None:
        nonlocal unpaid
        paid = _payable(credit.amount, unpaid, eligible, currency)
        if paid.minor <= 0:
            return
        shares = shared(paid, unpaid, eligible)
        unpaid = [owed - part for owed, part in zip(unpaid, shares, strict=True)]
        applied.append(replace(credit, amount=paid))

    for note in sorted(credit_notes, key=lambda note: note.issued_at):
        pay(AppliedCredit("credit_note", note.name, note.remaining), [True] * len(unpaid))
    for balance in _live(grants, "prepaid", at, was_due):
        eligible = [is_for(balance.grant, line) for line in lines]
        pay(AppliedCredit("prepaid", balance.grant.id, balance.remaining), eligible)
    return tuple(applied)


def _live(
    grants: Iterable[GrantBalance], kind: str, at: datetime, was_due: datetime | None
) -> list[GrantBalance]:
    instants = (at,) if was_due is None else (at, was_due)
    usable = [
        balance
        for balance in grants
        if balance.grant.kind == kind and any(balance.at(each).minor > 0 for each in instants)
    ]
    return in_burn_order(usable)


def is_for(grant: Grant, line: Line) -> bool:
    """Whether its scope has the line's item."""
    return not grant.items or line.item in grant.items


def overlaps(grant: Grant, line: Line, at: datetime) -> bool:
    """Whether the grant is there in some of the line's period; a line without one is of the instant."""
    expires_at = grant.expires_at or NEVER
    if line.period is None:
        return grant.effective_at <= at < expires_at
    return line.period.start < expires_at and grant.effective_at < line.period.end


def _payable(
    available: Money, owed: Sequence[Money], eligible: Sequence[bool], currency: str
) -> Money:
    """What can be paid of the eligible lines, and of all of them together where others are negative."""
    of_eligible = [money for money, is_eligible in zip(owed, eligible, strict=True) if is_eligible]
    return least(available, total(of_eligible, currency), total(owed, currency))


def shared(paid: Money, owed: Sequence[Money], eligible: Sequence[bool]) -> tuple[Money, ...]:
    """What is paid of each eligible line, in proportion to what is owed for it."""
    weights = [
        money.exact if is_eligible else Fraction(0)
        for money, is_eligible in zip(owed, eligible, strict=True)
    ]
    return share(paid, weights)
