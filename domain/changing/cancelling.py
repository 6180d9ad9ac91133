"""A life that ends, now or when its period does."""

from dataclasses import replace
from datetime import datetime

from domain import ledger
from domain.account import Facts, IssuedLine, Outcome
from domain.bills import bill
from domain.changing.standing import is_in_period
from domain.closing import close
from domain.commands import Cancel
from domain.errors import Conflict
from domain.periods import ended
from domain.subscription import Subscription
from domain.unused import refund, unused_credit


def cancel(
    facts: Facts, subscription: Subscription, command: Cancel, at: datetime, request: str
) -> Outcome:
    if not is_in_period(subscription) and (
        command.effective == "immediately" or subscription.status == "scheduled"
    ):
        unpaid = () if subscription.awaits_payment is None else (subscription.awaits_payment,)
        return Outcome(ended(subscription, ends_at(command, at)), voids=unpaid)
    if command.effective == "period_end":
        return Outcome(
            replace(subscription, cancels_at_period_end=True, next_plan=None, next_quantities={})
        )
    return _cancel_now(facts, subscription, command, at, request)


def ends_at(command: Cancel, at: datetime) -> datetime:
    """The last instant of a life that is ended by a command of `at`."""
    return min(command.as_of or at, at)


def undo_cancel(subscription: Subscription) -> Outcome:
    """Take back every cancellation that is to come. Raises Conflict where there is none."""
    left = tuple(each for each in subscription.schedule if not isinstance(each.change, Cancel))
    if not subscription.cancels_at_period_end and left == subscription.schedule:
        raise Conflict(f"{subscription.key} has no cancellation to come")
    return Outcome(replace(subscription, cancels_at_period_end=False, schedule=left))


def _cancel_now(
    facts: Facts, subscription: Subscription, command: Cancel, at: datetime, request: str
) -> Outcome:
    """Invoice the arrears up to the end, and give back what was charged in advance beyond it."""
    plan, end = facts.plans[subscription.plan], ends_at(command, at)
    closed = close(subscription, plan, facts, until=end)
    outcome = bill(
        facts,
        ended(subscription, end),
        f"invoice:{subscription.id}:{request}",
        at,
        closed.charges(),
        billed=closed.billed,
        was_due=end if end < at else None,
    )
    if command.unused == "none":
        return outcome
    issued = (*facts.advance, *_lines_of(outcome))
    name = f"credit_note:{subscription.id}:{request}"
    note = unused_credit(name, subscription, plan, issued, end)
    if note is None:
        return outcome
    note = replace(note, issued_at=at)
    refunds = outcome.refunds
    if command.unused == "refund":
        note, refunds = refund(note, issued)
    postings = ledger.credit_note_issued(note, of_invoice=False)
    return replace(
        outcome,
        credit_notes=(*outcome.credit_notes, note),
        transactions=(*outcome.transactions, *postings),
        refunds=refunds,
    )


def _lines_of(outcome: Outcome) -> list[IssuedLine]:
    """The lines of an invoice that nothing was paid for yet."""
    return [
        IssuedLine(invoice.name, line, invoice.amount_due - invoice.amount_due)
        for invoice in outcome.invoices
        for line in invoice.lines
    ]
