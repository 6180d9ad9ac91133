"""Trials that end at another time."""

from dataclasses import replace
from datetime import datetime

from domain.account import Facts, Outcome
from domain.commands import SetTrialEnd
from domain.errors import Conflict, Invalid
from domain.subscription import Subscription


def set_trial_end(
    facts: Facts, subscription: Subscription, command: SetTrialEnd, at: datetime
) -> Outcome:
    """The trial ends at that instant. Ended now, it is over as at any end of a trial, at this very instant."""
    return Outcome(replace(subscription, trial_end=command.at or at))


def check_trial_end(subscription: Subscription, command: SetTrialEnd, at: datetime) -> None:
    """Raise Conflict where there is no trial to end yet, and Invalid for an end that is past."""
    if subscription.status == "scheduled" and command.at is None:
        raise Conflict(f"{subscription.key} is scheduled: its trial has not begun")
    if command.at is not None and command.at < at:
        raise Invalid.at("trial_end", "must not be past")
