"""What a subscription has lived through, as its rows tell it: how it began, what was asked, what was issued."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.credit_notes import find_credit_notes
from db.credits import find_grants
from db.invoices import find_invoices
from db.timeline import Entry, entries
from domain.codec import from_plain
from domain.commands import Request
from domain.credits import GrantBalance
from domain.errors import Conflict
from domain.invoices import CreditNote, Invoice
from domain.money import total
from domain.reading import instant
from domain.retelling import Past
from domain.subscription import Phase, Subscription

MOST = 10_000

_BOUNDARIES = ("trial_ended", "period_ended", "day_ended")
_STARTS = ("started", "trial_ended", "reset_anchor")

_BEGUN = text("""
    SELECT body FROM requests WHERE subscription_id = :subscription AND kind = 'subscribe'
    ORDER BY created_at LIMIT 1
""")
_BEGUN_BY = text("""
    SELECT b.begun FROM timeline t, jsonb_array_elements(t.brought -> 'begins') AS b (begun)
    WHERE t.subscription_id = :before AND b.begun ->> 'id' = :subscription
""")


@dataclass(frozen=True, slots=True)
class Issue:
    """An invoice that was issued, and the horizon of the usage log up to which it bills."""

    invoice: Invoice
    cut_off: int


@dataclass(frozen=True, slots=True)
class History:
    """`starts` are those of its billing periods; `last` is the last phase of which something has happened at an instant."""

    begun: Subscription
    past: Sequence[Past]
    starts: Sequence[datetime]
    issued: Sequence[Issue]
    credit_notes: Sequence[CreditNote]
    entries: Sequence[Entry]

    def last(self, at: datetime) -> Phase:
        return _phase(self.entries, at)

    def horizon(self, at: datetime) -> int | None:
        """Up to which horizon it was billed at an instant, or next after it."""
        return next((each.cut_off for each in self.issued if each.invoice.issued_at >= at), None)


async def history_of(connection: AsyncConnection, living: Subscription) -> History:
    """Raises `Conflict` for a life that is too long to be told, or whose beginning is not known."""
    told = [entry for _, entry in await entries(connection, living.id, MOST)]
    rows = await find_invoices(connection, MOST, subscription=living.id)
    if MOST in (len(told), len(rows)):
        raise Conflict(f"{living.key} has lived through more than {MOST} steps")
    notes = await find_credit_notes(connection, MOST, customer=living.billed_to)
    return History(
        begun=await _begun(connection, living),
        past=_past(told),
        starts=_starts(living, told),
        issued=[
            Issue(row.invoice, row.cut_off)
            for row in rows
            if row.invoice.status != "void" and row.cut_off is not None
        ],
        credit_notes=[row.note for row in notes if row.note.subscription == living.id],
        entries=told,
    )


async def promotions_for(
    connection: AsyncConnection, living: Subscription, issued: Sequence[Issue]
) -> tuple[GrantBalance, ...]:
    """The promotional grants that a subscription's invoices burned, or could: what is left of them, and what its own
    invoices took. Those of its own plans are left out.
    """
    took = [credit for each in issued for credit in each.invoice.credits]
    found = []
    for row in await find_grants(connection, MOST, customer=living.billed_to):
        grant, left = row.balance.grant, row.balance.remaining
        is_own = grant.subscription == living.id
        if grant.kind == "promotional" and left.currency == living.currency and not is_own:
            burned = total([each.amount for each in took if each.id == grant.id], left.currency)
            found.append(GrantBalance(grant, left + burned))
    return tuple(balance for balance in found if balance.remaining.minor)


async def _begun(connection: AsyncConnection, living: Subscription) -> Subscription:
    asked = {"subscription": living.id, "before": living.transferred_from}
    body = (await connection.execute(_BEGUN, asked)).scalar_one_or_none()
    if body is None and living.transferred_from is not None:
        body = (await connection.execute(_BEGUN_BY, asked)).scalars().first()
    if body is None:
        raise Conflict(f"how {living.key} began is not known")
    return from_plain(Subscription, body)


def _past(told: Sequence[Entry]) -> list[Past]:
    past = []
    for place, entry in enumerate(told):
        kind, _, id = entry.name.partition(":")
        if kind == "request":
            request = from_plain(Request, {"id": id, "command": entry.body})
            past.append(Past(request, entry.at, _phase(told[:place], entry.at)))
    return past


def _phase(told: Sequence[Entry], at: datetime) -> Phase:
    passed = any(entry.at == at and entry.what in _BOUNDARIES for entry in told)
    return Phase.PERIODS if passed else Phase.ARRIVED


def _starts(living: Subscription, told: Sequence[Entry]) -> list[datetime]:
    starts = {living.started_at}
    for entry in told:
        kind, _, start = entry.name.partition(":")
        if kind == "period":
            starts.add(instant(start))
        elif entry.what in _STARTS and entry.at > living.started_at:
            starts.add(entry.at)
    if living.period is not None:
        starts.add(living.period.start)
    return sorted(starts)
