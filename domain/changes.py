"""What each command changes and bills."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from domain import ledger
from domain.account import Facts, IssuedLine, Need, Outcome
from domain.bills import bill
from domain.calendar import Period
from domain.charges import Charge, charged_for_rest, taken_back
from domain.closing import close, closing_needs, waiting, without_waiting
from domain.commands import (
    Cancel,
    ChangePlan,
    ChargeOnce,
    Command,
    Pause,
    Resume,
    SetQuantity,
)
from domain.consumed import late_needs
from domain.credits import Grant
from domain.errors import Invalid
from domain.periods import (
    all_of_period,
    current_period,
    ended,
    in_first_period,
    on_plan,
    plan_credits,
    rest_of_period,
    watching,
)
from domain.plans import Plan
from domain.subscription import OneOffCharge, QuantityChange, Subscription
from domain.unused import refund, unused_credit


def command_needs(
    facts: Facts, subscription: Subscription, command: Command, at: datetime
) -> tuple[Need, ...]:
    """The usage that a command bills."""
    plan = facts.plans[subscription.plan]
    match command:
        case Cancel(effective="immediately") if _is_in_period(subscription):
            return closing_needs(subscription, plan, facts, at)
        case ChangePlan(effective="immediately") if _is_within_period(subscription, at):
            return closing_needs(subscription, plan, facts, at)
        case Resume() if subscription.charged_from is None:
            return late_needs(facts)
        case _:
            return ()


def do(
    facts: Facts, subscription: Subscription, command: Command, at: datetime, request: str
) -> Outcome:
    """Carry a permitted command out; `request` names what it bills."""
    name = f"invoice:{subscription.id}:{request}"
    match command:
        case Cancel():
            return _cancel(facts, subscription, command, at, request)
        case ChangePlan():
            return _change_plan(facts, subscription, command, at, name)
        case SetQuantity():
            return Outcome(_with_quantity(facts, subscription, command, at))
        case Pause():
            return Outcome(replace(subscription, status="paused", paused_at=at))
        case Resume():
            return _resume(facts, subscription, at, name)
        case ChargeOnce():
            return Outcome(_with_charge(subscription, command))
        case _:
            assert_never(command)


def _cancel(
    facts: Facts, subscription: Subscription, command: Cancel, at: datetime, request: str
) -> Outcome:
    if not _is_in_period(subscription) and (
        command.effective == "immediately" or subscription.status == "scheduled"
    ):
        return Outcome(ended(subscription, at))
    if command.effective == "period_end":
        return Outcome(replace(subscription, cancels_at_period_end=True, next_plan=None))
    return _cancel_now(facts, subscription, command, at, request)


def _cancel_now(
    facts: Facts, subscription: Subscription, command: Cancel, at: datetime, request: str
) -> Outcome:
    """Invoice the arrears up to now, and give back what was charged in advance beyond it."""
    plan = facts.plans[subscription.plan]
    closed = close(subscription, plan, facts, until=at)
    outcome = bill(
        facts,
        ended(subscription, at),
        f"invoice:{subscription.id}:{request}",
        at,
        closed.charges(),
        billed=closed.billed,
    )
    if command.unused == "none":
        return outcome
    issued = (*facts.advance, *_lines_of(outcome))
    note = unused_credit(f"credit_note:{subscription.id}:{request}", subscription, plan, issued, at)
    if note is None:
        return outcome
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


def _change_plan(
    facts: Facts, subscription: Subscription, command: ChangePlan, at: datetime, name: str
) -> Outcome:
    plan = facts.plans[command.plan]
    if plan.currency != subscription.currency:
        raise Invalid.at("plan", f"{plan.key} is in {plan.currency}, not {subscription.currency}")
    if not _is_in_period(subscription):
        return Outcome(on_plan(subscription, plan))
    if command.effective == "period_end" or not _is_within_period(subscription, at):
        return Outcome(replace(subscription, next_plan=plan.ref))
    if plan.interval == subscription.cycle.interval:
        return _change_plan_within_period(facts, subscription, plan, at, name)
    return _change_plan_and_period(facts, subscription, plan, at, name)


def _change_plan_within_period(
    facts: Facts, subscription: Subscription, new: Plan, at: datetime, name: str
) -> Outcome:
    """The period goes on: its rest is taken back at the old plan's prices and charged at the new one's."""
    old = facts.plans[subscription.plan]
    closed = close(subscription, old, facts, at, changes_plan=True)
    is_charged = subscription.charged_from is not None
    after = replace(
        without_waiting(on_plan(subscription, new)),
        usage_from=at,
        charged_from=at if is_charged else None,
    )
    rest = rest_of_period(subscription, at, changes_plan=True)
    prorations = (
        [*taken_back(old, subscription, rest), *charged_for_rest(new, after, rest)]
        if is_charged
        else []
    )
    charges = closed.charges(prorations=prorations)
    return bill(facts, after, name, at, charges, billed=closed.billed)


def _change_plan_and_period(
    facts: Facts, subscription: Subscription, new: Plan, at: datetime, name: str
) -> Outcome:
    """The interval is another: the rest of the period is taken back, and a new one starts and is charged whole."""
    old = facts.plans[subscription.plan]
    closed = close(subscription, old, facts, at, changes_plan=True)
    after = in_first_period(on_plan(subscription, new), new, at)
    prorations: list[Charge] = []
    if subscription.charged_from is not None:
        rest = rest_of_period(subscription, at, changes_plan=True)
        prorations += taken_back(old, subscription, rest)
    grants: list[Grant] = []
    if after.charged_from is not None:
        grants += plan_credits(after, new, at, name, is_first=True)
        prorations += charged_for_rest(new, after, all_of_period(after))
    return bill(
        facts,
        watching(after, grants),
        name,
        at,
        closed.charges(prorations=prorations),
        grants=grants,
        billed=closed.billed,
    )


def _resume(facts: Facts, subscription: Subscription, at: datetime, name: str) -> Outcome:
    """Go on; where the pause has kept the period from being charged, charge its rest."""
    assert subscription.paused_at is not None
    pauses = (*subscription.pauses, Period(subscription.paused_at, at))
    resumed = replace(subscription, status="active", paused_at=None, pauses=pauses)
    if subscription.charged_from is not None or not _is_within_period(subscription, at):
        return Outcome(resumed)
    plan = facts.plans[subscription.plan]
    pending = waiting(subscription, plan, facts, at)
    charges = pending.charges(
        prorations=charged_for_rest(plan, resumed, rest_of_period(resumed, at, changes_plan=False))
    )
    after = replace(without_waiting(resumed), charged_from=at)
    return bill(facts, after, name, at, charges, billed=pending.billed)


def _with_quantity(
    facts: Facts, subscription: Subscription, command: SetQuantity, at: datetime
) -> Subscription:
    """With another quantity, prorated by the next invoice if the period is, or will be, charged for the old one."""
    item = facts.plans[subscription.plan].item(command.item)
    if item is None or item.kind != "recurring":
        raise Invalid.at("item", f"{subscription.plan.key} has no recurring item {command.item}")
    before = subscription.quantities.get(item.key, item.quantity)
    changed = replace(
        subscription, quantities={**subscription.quantities, item.key: command.quantity}
    )
    is_in_advance = item.charged == "in_advance"
    since = subscription.charged_from if is_in_advance else subscription.usage_from
    if since is None or before == command.quantity:
        return changed
    change = QuantityChange(item.key, at, before, command.quantity)
    return replace(changed, quantity_changes=(*subscription.quantity_changes, change))


def _with_charge(subscription: Subscription, command: ChargeOnce) -> Subscription:
    charge = OneOffCharge(command.key, command.description, command.amount, command.quantity)
    return replace(subscription, one_off_charges=(*subscription.one_off_charges, charge))


def _is_in_period(subscription: Subscription) -> bool:
    """Whether it has begun and is not in its trial."""
    return subscription.status in ("active", "paused")


def _is_within_period(subscription: Subscription, at: datetime) -> bool:
    """Whether something of the period is still ahead: at its very end, a change acts before the next one."""
    return _is_in_period(subscription) and at < current_period(subscription).end
