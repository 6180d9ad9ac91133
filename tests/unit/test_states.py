"""The machine that a subscription is: every state that its rules can bring it to is visited here, and its picture is drawn from that."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import get_args

import pytest

from domain import lifecycle
from domain.account import Facts, Outcome
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
from domain.customers import Coupon
from domain.deciding import Asked, Begins, ChangeDue, PeriodEnds, Taking, decide, kind_of, told_as
from domain.errors import Conflict, Rejected
from domain.pricing.usage import Quantity
from domain.states import MOVES, PERMITTED, picture, state_of
from domain.subscription import Status, Subscription
from tests.makings import ACME, BASE, JAN, day, facts, plan, subscription

PICTURE = Path(__file__).parents[2] / "docs" / "subscriptions.md"
TRIAL = {"unit": "day", "count": 14}
PLANS = (
    plan(BASE, key="plain"),
    plan(BASE, key="gated", activation="first_payment"),
    plan(BASE, key="suspends", on_past_due="suspend"),
    plan(BASE, key="pauses", on_uncollectible="pause"),
    plan(BASE, key="cancels", on_uncollectible="cancel"),
    plan(BASE, key="trial", trial=TRIAL),
    plan(BASE, key="trial-gated", trial=TRIAL, activation="first_payment"),
    plan(BASE, key="trial-pauses", trial=TRIAL, trial_without_payment_method="pause"),
    plan(BASE, key="trial-ends", trial=TRIAL, trial_without_payment_method="cancel"),
)
NEXT = timedelta(days=1)

Move = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """A subscription at an instant of its life."""

    living: Subscription
    at: datetime

    @property
    def kind(self) -> object:
        """What tells it from others, as far as states go."""
        one = self.living
        planned = tuple(sorted(entry.change.action for entry in one.schedule))
        flags = (bool(one.past_due), bool(one.paused_for), one.cancels_at_period_end)
        return one.plan, one.status, flags, planned


def asked_of(living: Subscription, at: datetime) -> Iterator[Command]:
    yield from (Cancel("immediately"), Cancel("period_end"), UndoCancel(), Pause(), Resume())
    yield from (ResetAnchor(), SetTrialEnd(), SetTrialEnd(at + 2 * NEXT), Withdraw("cancellation"))
    yield Transfer("s2", "globex", "s2")
    if not living.schedule:
        yield from (
            Schedule(change, periods=1) for change in (Pause(), Resume(), Cancel("period_end"))
        )
    if living.period is None:
        return  # there is no invoice yet
    invoice = living.awaits_payment or living.paused_for or "invoice:s1:of-a-period"
    yield from (
        NotePayment(invoice, became) for became in ("past_due", "paid", "void", "uncollectible")
    )


def due_of(living: Subscription) -> Taking | None:
    due = living.next_step()
    if due is None:
        return None
    match due.reason:
        case "start" | "trial_end":
            return Taking(Begins(), living, due.at)
        case "scheduled_change":
            return Taking(ChangeDue(due.change or ""), living, due.at)
        case _:
            return Taking(PeriodEnds(), living, due.at)


def takings(place: Place) -> Iterator[Taking]:
    """What may happen next: what is due, or what is asked before that."""
    due = due_of(place.living)
    if due is not None:
        yield due
    at = place.at + NEXT
    if due is None or at <= due.at:
        for number, command in enumerate(asked_of(place.living, at)):
            yield Taking(Asked(Request(f"{at}:{number}", command)), place.living, at)


def knowing(living: Subscription, taking: Taking) -> Facts:
    """With nothing used. Whoever is on a plan that minds it has nothing to pay with."""
    pays = "trial-" not in living.plan.key or living.plan.key == "trial-gated"
    known = facts(*PLANS, customer=replace(ACME, has_payment_method=pays))
    needs = lifecycle.needs(living, kind_of(taking), known, taking.at)
    return replace(known, usage={need: Quantity(Fraction(0)) for need in needs})


def taken(taking: Taking) -> Outcome | None:
    """None where the rules refuse it."""
    try:
        return decide(taking, knowing(taking.subscription, taking))
    except Rejected:
        return None


def visited() -> dict[Move, set[str]]:
    """Every move between two states, and what brings it about."""
    moves: dict[Move, set[str]] = {}
    places = [Place(subscription(each), JAN - 2 * NEXT) for each in PLANS]
    seen = {place.kind for place in places}
    while places:
        place = places.pop()
        for taking in takings(place):
            outcome = taken(taking)
            if outcome is None:
                continue
            move = (state_of(place.living), state_of(outcome.subscription))
            if move[0] != move[1]:
                moves.setdefault(move, set()).add(told_as(taking))
            after = Place(outcome.subscription, taking.at)
            if after.kind not in seen:
                seen.add(after.kind)
                places.append(after)
    return moves


def test_the_machine_is_what_the_rules_do() -> None:
    assert visited() == {move: set(causes) for move, causes in MOVES.items()}


def test_its_picture_in_the_documentation_is_drawn_from_it() -> None:
    """Where it differs, put what `domain.states.picture` draws into the document."""
    assert picture() in PICTURE.read_text(encoding="utf-8")


AT = day(5)
ONE_OF_EACH: tuple[Command, ...] = (
    Cancel("immediately"),
    UndoCancel(),
    ChangePlan(PLANS[2].ref, "immediately"),
    SetQuantity("base", Fraction(1)),
    Pause(),
    Resume(),
    ChargeOnce("k", "k", Fraction(1)),
    AddAddOn("k", {}),
    RemoveAddOn("k"),
    AddCoupon(Coupon("c", "once")),
    RemoveCoupon("c"),
    ResetAnchor(),
    SetTrialEnd(AT + NEXT),
    Transfer("s2", "globex", "s2"),
    NotePayment("i", "paid"),
    Schedule(Pause(), periods=1),
    Withdraw("w"),
)


def test_each_command_is_known_to_the_machine() -> None:
    known = {command.action for command in ONE_OF_EACH}
    assert known == {each.__dataclass_fields__["action"].default for each in get_args(Command)}
    assert set().union(*PERMITTED.values()) == known


@pytest.mark.parametrize("status", PERMITTED)
def test_what_has_no_place_in_a_state_is_refused_with_the_reason(status: Status) -> None:
    living = replace(subscription(PLANS[0]), status=status)
    for command in ONE_OF_EACH:
        if command.action not in PERMITTED[status]:
            with pytest.raises(Conflict, match=r"^s1 is (not )?[a-z]"):
                lifecycle.check(living, command, AT)


@pytest.mark.parametrize(("status", "command", "reason"), [
    ("scheduled", Pause(), "s1 is scheduled: only a paid period is paused"),
    ("trialing", ResetAnchor(), "s1 is trialing: it has no period to begin anew"),
    ("incomplete", SetQuantity("base", Fraction(2)), "s1 is incomplete: its first invoice is to be paid before"),
    ("active", Resume(), "s1 is not paused"),
    ("active", SetTrialEnd(), "s1 is active: it is not in a trial"),
    ("paused", Pause(), "s1 is paused already"),
    ("paused", Transfer("s2", "globex", "s2"), "s1 is paused: resume it before it is transferred"),
    ("cancelled", Cancel("immediately"), "s1 is cancelled"),
])  # fmt: skip
def test_the_reason_is_told(status: Status, command: Command, reason: str) -> None:
    living = replace(subscription(PLANS[0]), status=status)
    with pytest.raises(Conflict) as refused:
        lifecycle.check(living, command, AT)
    assert str(refused.value) == reason
