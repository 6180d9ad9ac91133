"""Of changes that are planned for one instant, what the first leaves of the others."""

from dataclasses import replace

from domain import lifecycle
from domain.commands import Cancel, ChangePlan, Pause, ScheduledChange
from domain.customers import Customer
from tests.makings import BASE, FEB, JAN, day, facts, plan, subscription

PRO, SCALE = plan(BASE), plan(BASE, key="scale")
KNOWN = facts(PRO, SCALE, customer=Customer("acme", "acme"))
END = ScheduledChange("end", Cancel("immediately"), at=day(11))
UP = ScheduledChange("up", ChangePlan(SCALE.ref, "immediately"), at=day(11))
LATER = ScheduledChange("later", Pause(), at=FEB)
LIVING = lifecycle.begin(KNOWN, subscription(PRO), JAN).subscription


def test_what_ends_a_life_names_what_is_not_made_at_that_instant() -> None:
    living = replace(LIVING, schedule=(END, UP, LATER))
    ended = lifecycle.change_due(KNOWN, living, "end", day(11))
    assert ended.subscription.is_over
    assert ended.refused == "change_plan is not made: s1 is cancelled"


def test_what_does_not_end_it_leaves_the_others_waiting() -> None:
    living = replace(LIVING, schedule=(UP, END, LATER))
    changed = lifecycle.change_due(KNOWN, living, "up", day(11))
    assert (changed.subscription.schedule, changed.refused) == ((END, LATER), None)
    ended = lifecycle.change_due(KNOWN, changed.subscription, "end", day(11))
    assert (ended.subscription.is_over, ended.refused) == (True, None)
