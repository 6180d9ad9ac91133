"""The states of a subscription: what may be asked in each of them, and how it moves from one to another.

`PERMITTED` decides; `MOVES` says what the rules of `domain.lifecycle` make of it, and a test visits every place that these can
lead to and finds each of these moves, and no other.
"""

from collections.abc import Mapping
from typing import Literal, get_args

from domain.commands import Command
from domain.errors import Conflict
from domain.subscription import Status, Subscription

State = Literal[
    "scheduled", "trialing", "incomplete", "active", "past_due", "cancelling", "paused", "ended"
]
STATES: tuple[State, ...] = get_args(State)

_PLANNING = {"schedule", "withdraw"}
_COUPONS = {"add_coupon", "remove_coupon"}
_CHANGES = {"change_plan", "set_quantity", "charge_once", "add_add_on", "remove_add_on"}
_ALWAYS = {*_PLANNING, *_COUPONS, *_CHANGES, "cancel", "undo_cancel", "note_payment"}

PERMITTED: Mapping[Status, frozenset[str]] = {
    "scheduled": frozenset({*_ALWAYS, "set_trial_end", "transfer"}),
    "trialing": frozenset({*_ALWAYS, "set_trial_end", "transfer"}),
    "incomplete": frozenset({"cancel", "note_payment"}),
    "active": frozenset({*_ALWAYS, "pause", "reset_anchor", "transfer"}),
    "paused": frozenset({*_ALWAYS, "resume"}),
    "cancelled": frozenset(),
}

# What a life may do by itself, or is asked for, in the words of its timeline.
MOVES: Mapping[tuple[State, State], tuple[str, ...]] = {
    ("scheduled", "trialing"): ("started",),
    ("scheduled", "incomplete"): ("started",),
    ("scheduled", "active"): ("started",),
    ("scheduled", "ended"): ("cancel", "transfer"),
    ("trialing", "incomplete"): ("set_trial_end", "trial_ended"),
    ("trialing", "active"): ("set_trial_end", "trial_ended"),
    ("trialing", "cancelling"): ("cancel",),
    ("trialing", "paused"): ("set_trial_end", "trial_ended"),
    ("trialing", "ended"): ("cancel", "set_trial_end", "transfer", "trial_ended"),
    ("incomplete", "active"): ("note_payment",),
    ("incomplete", "ended"): ("cancel", "note_payment"),
    ("active", "past_due"): ("note_payment",),
    ("active", "cancelling"): ("cancel",),
    ("active", "paused"): ("note_payment", "pause", "period_ended"),
    ("active", "ended"): ("cancel", "note_payment", "period_ended", "transfer"),
    ("past_due", "active"): ("note_payment",),
    ("past_due", "cancelling"): ("cancel",),
    ("past_due", "paused"): ("note_payment", "pause", "period_ended"),
    ("past_due", "ended"): ("cancel", "note_payment", "period_ended", "transfer"),
    ("cancelling", "trialing"): ("undo_cancel", "withdraw"),
    ("cancelling", "active"): ("undo_cancel", "withdraw"),
    ("cancelling", "past_due"): ("undo_cancel", "withdraw"),
    ("cancelling", "paused"): ("note_payment", "pause"),
    ("cancelling", "ended"): (
        "cancel",
        "note_payment",
        "period_ended",
        "set_trial_end",
        "transfer",
        "trial_ended",
    ),
    ("paused", "active"): ("note_payment", "period_ended", "resume"),
    ("paused", "past_due"): ("period_ended", "resume"),
    ("paused", "cancelling"): ("note_payment", "resume"),
    ("paused", "ended"): ("cancel", "note_payment", "period_ended"),
}


def state_of(subscription: Subscription) -> State:
    """One word for where it stands; what it entitles to and is billed for follows from more than that."""
    match subscription.status:
        case "cancelled":
            return "ended"
        case "incomplete" | "paused" as status:
            return status
        case _ if subscription.cancels_at_period_end:
            return "cancelling"
        case "active" if subscription.past_due:
            return "past_due"
        case status:
            return status


def require_permitted(subscription: Subscription, command: Command) -> None:
    """Raise Conflict, with the reason, where such a command has no place in this state."""
    if command.action not in PERMITTED[subscription.status]:
        raise Conflict(f"{subscription.key} {_reason(subscription.status, command.action)}")


def _reason(status: Status, action: str) -> str:
    match status, action:
        case "cancelled", _:
            return "is cancelled"
        case "incomplete", _:
            return "is incomplete: its first invoice is to be paid before"
        case "paused", "pause":
            return "is paused already"
        case "paused", "transfer":
            return "is paused: resume it before it is transferred"
        case _, "pause":
            return f"is {status}: only a paid period is paused"
        case _, "resume":
            return "is not paused"
        case _, "reset_anchor":
            return f"is {status}: it has no period to begin anew"
        case _, "set_trial_end":
            return f"is {status}: it is not in a trial"
        case _:
            return f"is {status}"


def picture() -> str:
    """The machine as a Mermaid diagram."""
    moves = (
        f"    {before} --> {after}: {', '.join(causes)}"
        for (before, after), causes in MOVES.items()
    )
    lines = ("stateDiagram-v2", "    [*] --> scheduled", *moves, "    ended --> [*]")
    return "\n".join(lines).replace("_", " ").replace("past due", "past_due")
