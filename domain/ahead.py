"""A life as it goes on from here: each step decided by the rule that will decide it, on facts that the steps before it
have changed. So a preview of several steps tells what they then bring.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from domain.account import (
    BilledUsage,
    CreditNoteBalance,
    Facts,
    IssuedLine,
    Need,
    Outcome,
)
from domain.consumed import closings_of
from domain.credits import GrantBalance
from domain.customers import Redeemed
from domain.deciding import (
    Begins,
    Cause,
    ChangeDue,
    DayEnds,
    PeriodEnds,
    Taking,
    WindowStarts,
    decide,
    kind_of,
)
from domain.invoices import CreditNote, Invoice
from domain.ledger import left_after
from domain.lifecycle import needs
from domain.money import Money
from domain.pricing.usage import Usage
from domain.subscription import Due, Phase, Subscription


@dataclass(frozen=True, slots=True)
class Ahead:
    """A subscription after the steps that brought `outcomes`; `facts` are those of its next one, usage apart. A period
    of it was closed at `closed_at`.
    """

    subscription: Subscription
    facts: Facts
    outcomes: tuple[Outcome, ...] = ()
    closed_at: datetime | None = None

    @property
    def invoices(self) -> tuple[Invoice, ...]:
        """All that the steps issued, in order."""
        return tuple(each for outcome in self.outcomes for each in outcome.invoices)

    @property
    def credit_notes(self) -> tuple[CreditNote, ...]:
        return tuple(each for outcome in self.outcomes for each in outcome.credit_notes)

    @property
    def begins(self) -> tuple[Subscription, ...]:
        return tuple(each for outcome in self.outcomes for each in outcome.begins)

    def needs(self, taking: Taking) -> tuple[Need, ...]:
        """The usage that a step of this life must know."""
        return needs(self.subscription, kind_of(taking), self.facts, taking.at)

    def after(self, taking: Taking, usage: Mapping[Need, Usage]) -> "Ahead":
        """The life after a step, decided on that usage. Raises what the rule raises."""
        outcome = decide(taking, replace(self.facts, usage=usage))
        return Ahead(
            outcome.subscription,
            carried(self.facts, outcome),
            (*self.outcomes, outcome),
            taking.at if isinstance(taking.cause, PeriodEnds) else self.closed_at,
        )

    def next_to_bill(self) -> Taking | None:
        """The next step on the way to an invoice, up to the end of a period; None where it is there."""
        taking = next_step(self.subscription)
        is_done = taking is None or (self.closed_at is not None and taking.at > self.closed_at)
        return None if self.invoices or is_done else taking


def next_step(subscription: Subscription) -> Taking | None:
    """The step that is due next, grants apart; a period that is over is closed before a change that is due."""
    due = subscription.next_step()
    if due is None:
        return None
    if due.change is not None and subscription.closes_before_change(due.change, due.at):
        return closing(subscription, due.at)
    return Taking(_cause(due), subscription, due.at)


def next_until(
    subscription: Subscription, at: datetime, phase: Phase = Phase.ARRIVED
) -> Taking | None:
    """The next step of all that is done before something is asked at an instant, or has come due up to a phase of it."""
    due = subscription.next_step()
    if due is None or (due.at, due.phase) > (at, phase):
        return None
    return next_step(subscription)


def closing(subscription: Subscription, at: datetime) -> Taking:
    """The end of a period that is over, in its grace too."""
    return Taking(PeriodEnds(), subscription, at)


def carried(facts: Facts, outcome: Outcome) -> Facts:
    """The facts of the next step, as a step has changed them, usage apart. Nobody has paid for what it issued."""
    closed = {(each.item, each.window) for each in outcome.billed}
    return replace(
        facts,
        usage={},
        closings=_closings(facts, outcome.billed),
        billed=tuple(each for each in facts.billed if (each.item, each.window) not in closed),
        advance=tuple(_advance(facts, outcome)),
        grants=_grants(facts, outcome),
        credit_notes=_credit_notes(facts, outcome),
        redeemed=_redeemed(facts, outcome),
    )


def _cause(due: Due) -> Cause:
    match due.reason:
        case "start" | "trial_end":
            return Begins()
        case "scheduled_change":
            return ChangeDue(due.change or "")
        case "window_start":
            return WindowStarts()
        case "day_end":
            return DayEnds()
        case "period_end":
            return PeriodEnds()
        case "grant_expiry":
            raise ValueError("a grant's end is no step of a life")
        case _:
            assert_never(due.reason)


def _closings(facts: Facts, billed: tuple[BilledUsage, ...]) -> Mapping[str, tuple[datetime, ...]]:
    new = closings_of(billed, facts.plans)
    return {
        meter: tuple(sorted({*facts.closings.get(meter, ()), *new.get(meter, ())}))
        for meter in {**facts.closings, **new}
    }


def _advance(facts: Facts, outcome: Outcome) -> Iterator[IssuedLine]:
    """The lines charged in advance that reach into the current period."""
    living = outcome.subscription
    since = living.period.start if living.period else living.started_at
    issued = [
        IssuedLine(invoice.name, line, Money(0, invoice.currency))
        for invoice in outcome.invoices
        for line in invoice.lines
        if line.charged != "in_arrears"
    ]
    for each in (*facts.advance, *issued):
        if each.line.period is not None and each.line.period.end > since:
            yield each


def _grants(facts: Facts, outcome: Outcome) -> tuple[GrantBalance, ...]:
    """What is left of them by postings."""
    new = [GrantBalance(grant, Money(0, grant.amount.currency)) for grant in outcome.grants]
    return left_after((*facts.grants, *new), outcome.transactions)


def _credit_notes(facts: Facts, outcome: Outcome) -> tuple[CreditNoteBalance, ...]:
    """What is left of them, those that the step issued included."""
    used = dict(_paid_by_notes(outcome.invoices))
    before = [
        replace(note, remaining=note.remaining - used[note.name]) if note.name in used else note
        for note in facts.credit_notes
    ]
    new = [
        CreditNoteBalance(note.name, note.currency, note.issued_at, note.remaining)
        for note in outcome.credit_notes
    ]
    return tuple(note for note in (*before, *new) if note.remaining.minor)


def _paid_by_notes(invoices: tuple[Invoice, ...]) -> Iterator[tuple[str, Money]]:
    """One invoice takes of each note once."""
    for invoice in invoices:
        for credit in invoice.credits:
            if credit.source == "credit_note":
                yield credit.id, credit.amount


def _redeemed(facts: Facts, outcome: Outcome) -> Mapping[str, Redeemed]:
    counted = dict(facts.redeemed)
    for coupon in outcome.redeemed:
        before = counted.get(coupon, Redeemed())
        counted[coupon] = Redeemed(before.total + 1, before.by_customer + 1)
    return counted
