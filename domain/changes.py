"""Which rule carries each command out, and the usage that it must know."""

from datetime import datetime
from typing import assert_never

from domain.account import Facts, Need, Outcome
from domain.changing import (
    add_ons,
    anchors,
    cancelling,
    coupons,
    pausing,
    plan_changes,
    quantities,
    scheduling,
    transferring,
    trials,
    unpaid,
)
from domain.changing.standing import is_in_period, is_within_period
from domain.closing import closing_needs
from domain.commands import (
    AddAddOn,
    AddCoupon,
    Cancel,
    ChangePlan,
    ChargeOnce,
    Command,
    NotePayment,
    Pause,
    RemoveAddOn,
    RemoveCoupon,
    Request,
    ResetAnchor,
    Resume,
    Schedule,
    SetQuantity,
    SetTrialEnd,
    Transfer,
    UndoCancel,
    Withdraw,
)
from domain.consumed import late_needs
from domain.subscription import Subscription


def command_needs(
    facts: Facts, subscription: Subscription, command: Command, at: datetime
) -> tuple[Need, ...]:
    """The usage that a command bills."""
    plan = facts.plans[subscription.plan]
    match command:
        case Cancel(effective="immediately") if is_in_period(subscription):
            return closing_needs(subscription, plan, facts, cancelling.ends_at(command, at))
        case Transfer() if is_in_period(subscription):
            return closing_needs(subscription, plan, facts, at)
        case ChangePlan(effective="immediately") | ResetAnchor() if is_within_period(
            subscription, at
        ):
            return closing_needs(subscription, plan, facts, at)
        case NotePayment(became="uncollectible") if (
            is_in_period(subscription) and plan.on_uncollectible == "cancel"
        ):
            return closing_needs(subscription, plan, facts, at)
        case NotePayment(invoice=invoice) if (
            subscription.paused_for == invoice and subscription.charged_from is None
        ):
            return late_needs(facts)
        case Resume() if subscription.charged_from is None:
            return late_needs(facts)
        case _:
            return ()


def do(facts: Facts, subscription: Subscription, asked: Request, at: datetime) -> Outcome:
    """Carry a permitted command out; the request's id names what it bills."""
    command, request = asked.command, asked.id
    name = f"invoice:{subscription.id}:{request}"
    match command:
        case Cancel():
            return cancelling.cancel(facts, subscription, command, at, request)
        case UndoCancel():
            return cancelling.undo_cancel(subscription)
        case ChangePlan():
            return plan_changes.change_plan(facts, subscription, command, at, name)
        case SetQuantity():
            return Outcome(quantities.with_quantity(facts, subscription, command, at))
        case Pause():
            return pausing.pause(subscription, command, at, asked)
        case Resume():
            return pausing.resume(facts, subscription, at, name)
        case ChargeOnce():
            return Outcome(add_ons.with_charge(subscription, command))
        case AddAddOn():
            return add_ons.add(facts, subscription, command, at)
        case RemoveAddOn():
            return add_ons.remove(facts, subscription, command, at)
        case AddCoupon():
            return coupons.add_coupon(facts, subscription, command, at)
        case RemoveCoupon():
            return coupons.remove_coupon(subscription, command)
        case ResetAnchor():
            return anchors.reset_anchor(facts, subscription, at, name)
        case SetTrialEnd():
            return trials.set_trial_end(facts, subscription, command, at)
        case Transfer():
            return transferring.transfer(facts, subscription, command, at, request)
        case NotePayment():
            return unpaid.note_payment(facts, subscription, command, at, request)
        case Schedule():
            return scheduling.schedule(facts, subscription, command, at, asked)
        case Withdraw():
            return scheduling.withdraw(subscription, command)
        case _:
            assert_never(command)
