"""Which commands a subscription can carry out in its present state."""

from datetime import datetime

from domain.bounds import TOO_LARGE, is_too_large
from domain.changing.transferring import check_transfer
from domain.changing.trials import check_trial_end
from domain.commands import (
    Cancel,
    ChangePlan,
    ChargeOnce,
    Command,
    SetQuantity,
    SetTrialEnd,
    Transfer,
)
from domain.errors import Conflict, Invalid
from domain.plans import PlanRef
from domain.states import require_permitted
from domain.subscription import Subscription


def check(subscription: Subscription, command: Command, at: datetime) -> None:
    """Raise Conflict or Invalid, with the reason, where a command cannot be carried out on this state."""
    require_permitted(subscription, command)
    match command:
        case Cancel(effective="period_end") if subscription.status == "incomplete":
            raise Conflict(f"{subscription.key} is incomplete: it can be cancelled immediately")
        case ChangePlan():
            _check_change_plan(subscription, command)
        case SetQuantity():
            if command.quantity < 0:
                raise Invalid.at("quantity", "must not be negative")
        case ChargeOnce():
            if command.quantity < 0:
                raise Invalid.at("quantity", "must not be negative")
            if is_too_large(command.amount):
                raise Invalid.at("amount", TOO_LARGE)
        case Transfer():
            check_transfer(subscription, command)
        case SetTrialEnd():
            check_trial_end(subscription, command, at)
        case _:
            return


def _check_change_plan(subscription: Subscription, command: ChangePlan) -> None:
    if command.effective == "period_end" and subscription.cancels_at_period_end:
        raise Conflict(f"{subscription.key} is cancelled at the period's end")
    if command.effective == "immediately" and command.plan == subscription.plan:
        raise Conflict(f"{subscription.key} is on {command.plan.key} already")
    if command.if_on is not None:
        _check_still_on(subscription, command.if_on, command.plan.key)


def _check_still_on(subscription: Subscription, version: PlanRef, plan: str) -> None:
    key, now, following = subscription.key, subscription.plan, subscription.next_plan
    if now != version:
        raise Conflict(f"{key} is on version {now.version} of {now.key} by now")
    if following is not None and following.key != plan:
        raise Conflict(f"{key} changes to {following.key} at the period's end")
