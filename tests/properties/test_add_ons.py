"""The law of recurring add-ons: whatever happens to a subscription meanwhile, each day that one is there is paid once."""

from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.documents import Document
from domain.reading import written
from domain.scenarios.scenario import read_scenario
from domain.simulation.run import simulate
from tests.makings import BASE, JAN

LAST = 45
TEN_DAYS = {"unit": "day", "count": 10}

# A dollar a day, in every plan and whenever a period begins.
SUPPORT: Document = {"key": "support", "price": {"model": "flat", "amount": "10.00"}}
ADDED, REMOVED = "add_on", "remove_add_on"
EVENTS: dict[str, tuple[str, Document]] = {
    "added": (ADDED, SUPPORT),
    "added in arrears": (ADDED, {**SUPPORT, "charged": "in_arrears"}),
    "removed": (REMOVED, {"key": "support"}),
    "up": ("change_plan", {"plan": "scale"}),
    "down": ("change_plan", {"plan": "pro"}),
    "next": ("change_plan", {"plan": "scale", "effective": "period_end"}),
    "reset": ("reset_anchor", {}),
    "more": ("set_quantity", {"item": "support", "quantity": "7"}),
}
happenings = st.lists(
    st.tuples(st.integers(1, LAST), st.sampled_from(sorted(EVENTS))), max_size=10
).map(sorted)


@settings(max_examples=150)
@given(happenings)
def test_each_day_of_an_add_on_is_paid_once(happening: Sequence[tuple[int, str]]) -> None:
    told = story(happening)
    document: Any = simulate(read_scenario(told))
    refused = {(each["at"], each["action"]) for each in document["answers"]}
    assert paid(document) == days_there(told["timeline"], refused)


def story(happening: Sequence[tuple[int, str]]) -> dict[str, Any]:
    """One thing a day, and at last a cancellation that gives back what is unused."""
    entries: list[dict[str, Any]] = [
        {"at": on(0), "subscribe": {"key": "s1", "customer": "acme", "plan": "pro"}}
    ]
    for number, what in dict(happening).items():
        name, asked = EVENTS[what]
        entries.append({"at": on(number), name: {"subscription": "s1", **asked}})
    end = {"subscription": "s1", "effective": "immediately", "unused": "credit"}
    entries.append({"at": on(LAST + 1), "cancel": end})
    plans = [{"key": key, "interval": TEN_DAYS, "items": [BASE]} for key in ("pro", "scale")]
    return {
        "currency": "USD",
        "plans": plans,
        "customers": [{"key": "acme"}],
        "timeline": entries,
        "until": on(LAST + 2),
    }


def on(number: int) -> str:
    return written(JAN + timedelta(days=number))


def paid(document: Any) -> Fraction:
    """What is billed for it, less what is given back."""
    billed = [line for invoice in document["invoices"] for line in invoice["lines"]]
    back = [line for note in document["credit_notes"] for line in note["lines"]]
    return of_support(billed) - of_support(back)


def of_support(lines: Sequence[Any]) -> Fraction:
    amounts = [Fraction(line["amount"]) for line in lines if line["item"] == "support"]
    return sum(amounts, Fraction(0))


def days_there(timeline: Sequence[dict[str, Any]], refused: set[tuple[str, str]]) -> int:
    since: int | None = None
    days = 0
    for number in range(LAST + 2):
        done = {
            name
            for entry in timeline
            for name in entry
            if entry["at"] == on(number) and (on(number), name) not in refused
        }
        if since is not None and (REMOVED in done or "cancel" in done):
            days, since = days + number - since, None
        if ADDED in done:
            since = number
    return days
