"""What an invoice that is paid, not paid, or given up does to the subscription, where its plan has a policy on that."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from domain import ledger
from domain.account import Facts, Outcome
from domain.changing import cancelling, pausing
from domain.commands import Became, Cancel, NotePayment
from domain.dunning import CollectionStatus
from domain.granting import plan_credits
from domain.periods import ended, in_new_window, watching
from domain.plans import Plan
from domain.subscription import Subscription


def noted(
    plan: Plan,
    subscription: Subscription,
    invoice: str,
    before: CollectionStatus,
    became: CollectionStatus,
) -> Became | None:
    """What a subscription is to hear of an invoice of its own that was `before` and has become something else; None
    where nothing follows from it. `invoice` is its name.
    """
    if became == "open" or subscription.is_over:
        return None
    if subscription.awaits_payment == invoice:
        return None if became == "past_due" else became
    match became:
        case "past_due":
            return "past_due" if plan.minds_payment else None
        case "uncollectible" if plan.on_uncollectible == "continue":  # it may be so at once
            return "past_due" if plan.minds_payment and before == "open" else None
        case "uncollectible":
            return "uncollectible"
        case "paid" | "void":
            was_told = plan.minds_payment and before != "open"
            is_listed = invoice in (*subscription.past_due, subscription.paused_for)
            return became if was_told or is_listed else None
        case _:
            assert_never(became)


def changes_what_is_billed(subscription: Subscription, command: NotePayment) -> bool:
    """Whether it may pause the subscription, end it, or have it go on: not only what it entitles to."""
    return command.became == "uncollectible" or subscription.paused_for == command.invoice


def is_suspended(subscription: Subscription, plan: Plan) -> bool:
    """Whether it entitles to nothing, since an invoice is past due."""
    return bool(subscription.past_due) and plan.on_past_due == "suspend"


def gated(outcome: Outcome, plan: Plan, at: datetime, name: str) -> Outcome:
    """The first period, charged by the invoice of that name: it waits until that is paid. Where nothing is due, it begins
    at once.
    """
    if any(invoice.amount_due.minor for invoice in outcome.invoices):
        waiting = replace(outcome.subscription, status="incomplete", awaits_payment=name)
        return replace(outcome, subscription=waiting)
    return _activated(outcome, plan, at, name)


def note_payment(
    facts: Facts, subscription: Subscription, command: NotePayment, at: datetime, request: str
) -> Outcome:
    """Do what the plan has it do. Heard of in the wrong order, what was settled stays so."""
    plan = facts.plans[subscription.plan]
    if subscription.awaits_payment == command.invoice:
        return _of_the_first(subscription, plan, command, at)
    match command.became:
        case "paid" | "void":
            return _settled(facts, subscription, command, at, request)
        case _ if _was_settled(subscription, request):
            return Outcome(subscription)
        case "past_due":
            known = (name for name in subscription.past_due if name != command.invoice)
            return Outcome(replace(subscription, past_due=(*known, command.invoice)))
        case "uncollectible":
            return _given_up(facts, subscription, command, at, request)
        case _:
            assert_never(command.became)


def _of_the_first(
    subscription: Subscription, plan: Plan, command: NotePayment, at: datetime
) -> Outcome:
    """Paid, the life begins; given up, it ends, and nobody owes anything: nothing was delivered."""
    match command.became:
        case "paid":
            paid = replace(subscription, awaits_payment=None, paid_at=at)
            return _activated(Outcome(paid), plan, at, command.invoice)
        case "uncollectible":
            return Outcome(ended(subscription, at), voids=(command.invoice,))
        case "void":
            return Outcome(ended(subscription, at))
        case "past_due":
            return Outcome(subscription)
        case _:
            assert_never(command.became)


def _activated(outcome: Outcome, plan: Plan, at: datetime, name: str) -> Outcome:
    """Its plan's credits are granted with the payment, and what was used before it is charged as it arrives."""
    active = in_new_window(replace(outcome.subscription, status="active"), plan, at, name)
    grants = plan_credits(active, plan, at, name, is_first=True)
    granted = tuple(posting for grant in grants for posting in ledger.granted(grant))
    return replace(
        outcome,
        subscription=watching(active, plan, grants),
        grants=tuple(grants),
        transactions=(*outcome.transactions, *granted),
    )


def _settled(
    facts: Facts, subscription: Subscription, command: NotePayment, at: datetime, request: str
) -> Outcome:
    left = tuple(name for name in subscription.past_due if name != command.invoice)
    settled = replace(subscription, past_due=left)
    if settled.paused_for != command.invoice:
        return Outcome(settled)
    return pausing.resume(facts, settled, at, f"invoice:{subscription.id}:{request}")


def _given_up(
    facts: Facts, subscription: Subscription, command: NotePayment, at: datetime, request: str
) -> Outcome:
    policy = facts.plans[subscription.plan].on_uncollectible
    if policy == "cancel":
        return cancelling.cancel(facts, subscription, Cancel("immediately", "none"), at, request)
    if policy == "pause" and subscription.status == "active":
        paused = replace(subscription, status="paused", paused_at=at, paused_for=command.invoice)
        return Outcome(paused)
    return Outcome(subscription)


def _was_settled(subscription: Subscription, request: str) -> bool:
    """Whether it has heard already that the invoice was paid, or taken back."""
    name, _, _ = request.rpartition(":")
    return not {f"{name}:paid", f"{name}:void"}.isdisjoint(subscription.request_ids)
