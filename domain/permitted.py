"""Which commands a subscription can carry out in its present state."""

from typing import assert_never

from domain.commands import (
    Cancel,
    ChangePlan,
    ChargeOnce,
    Command,
    Pause,
    Resume,
    SetQuantity,
)
from domain.errors import Conflict, Invalid
from domain.subscription import Subscription


def check(subscription: Subscription, command: Command) -> None:
    """Raise Conflict or Invalid, with the reason, where a command cannot be carried out on this state."""
    if subscription.is_over:
        raise Conflict(f"{subscription.key} is cancelled")
    match command:
        case Cancel():
            return
        case ChangePlan():
            _check_change_plan(subscription, command)
        case SetQuantity():
            if command.quantity < 0:
                raise Invalid.at("quantity", "must not be negative")
        case ChargeOnce():
            if command.quantity < 0:
                raise Invalid.at("quantity", "must not be negative")
        case Pause():
            _check_pause(subscription)
        case Resume():
            if subscription.status != "paused":
                raise Conflict(f"{subscription.key} is not paused")
        case _:
            assert_never(command)


def _check_change_plan(subscription: Subscription, command: ChangePlan) -> None:
    if command.effective == "period_end" and subscription.cancels_at_period_end:
        raise Conflict(f"{subscription.key} is cancelled at the period's end")
    if command.effective == "immediately" and command.plan == subscription.plan:
        raise Conflict(f"{subscription.key} is on {command.plan.key} already")


def _check_pause(subscription: Subscription) -> None:
    if subscription.status == "paused":
        raise Conflict(f"{subscription.key} is paused already")
    if subscription.status != "active":
        raise Conflict(f"{subscription.key} is {subscription.status}: only a paid period is paused")
