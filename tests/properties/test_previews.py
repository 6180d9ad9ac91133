"""What is foreseen is what comes: of every command on lives of any kind, of starts in the past, of the next invoice."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from re import escape
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.account import Outcome
from domain.ahead import Ahead, closing, next_until
from domain.commands import Command, Request
from domain.deciding import Asked, Taking
from domain.errors import Rejected
from domain.invoices import CreditNote, Invoice, InvoiceStatus
from domain.money import Money
from domain.reading import written
from domain.scenarios.scenario import Scenario, read_scenario
from domain.simulation.acting import act
from domain.simulation.dues import Moment
from domain.simulation.world import World
from domain.subscription import Phase, Subscription
from tests.makings import BASE, JAN, SEATS

UNTIL = JAN + timedelta(days=150)
METERS = [
    {"key": "use", "event_name": "use", "aggregation": "sum", "value": "n"},
    {"key": "level", "event_name": "use", "aggregation": "sum", "value": "n", "carry_over": True},
]
USE = {
    "key": "use",
    "kind": "usage",
    "meter": "use",
    "price": {"model": "per_unit", "unit_amount": "0.125", "included": "2"},
}
LEVEL = {
    "key": "level",
    "kind": "usage",
    "meter": "level",
    "price": {"model": "package", "package_size": "5", "package_amount": "1.50"},
}
AS_IT_COMES = {**USE, "key": "soon", "charged": "in_advance"}
CREDIT = {"key": "gift", "amount": "7.50", "every_period": True, "priority": 10}
Change = tuple[str, dict[str, Any]]  # an action and its fields
MONTH, WEEK = {"unit": "month"}, {"unit": "week", "count": 2}

plans = st.fixed_dictionaries(
    {
        "interval": st.sampled_from([MONTH, MONTH, WEEK]),
        "items": st.sampled_from([[BASE, SEATS], [BASE, SEATS, USE, LEVEL], [SEATS, AS_IT_COMES]]),
        "proration": st.sampled_from(["second", "day", "none"]),
    },
    optional={
        "trial": st.just({"unit": "day", "count": 9}),
        "credits": st.just([CREDIT]),
        "minimum_commitment": st.just("60.00"),
        "advance_invoicing": st.sampled_from(["day", "period", {"threshold": "2"}]),
        "invoice_grace": st.just({"unit": "day", "count": 3}),
    },
)
instants = st.integers(0, 24 * 120).map(lambda hours: JAN + timedelta(hours=hours))
moments = st.one_of(
    st.sampled_from(["immediately", "period_end"]), instants.map(lambda at: written(at))
)


def change(name: str, **asked: st.SearchStrategy[Any]) -> st.SearchStrategy[Change]:
    return st.tuples(st.just(name), st.fixed_dictionaries(asked))


changes = st.one_of(
    change("change_plan", plan=st.sampled_from(["pro", "scale"]), effective=moments),
    change("change_plan", plan=st.just("scale"), effective=st.just("immediately")),
    change("set_quantity", item=st.just("seats"), quantity=st.sampled_from(["0", "1", "7"]), effective=moments),
    change("add_on", key=st.just("setup"), amount=st.just("12.34")),
    change("add_on", key=st.sampled_from(["support", "seats"]), price=st.sampled_from([BASE["price"], SEATS["price"]]), charged=st.sampled_from(["in_advance", "in_arrears"]), effective=moments),
    change("set_quantity", item=st.just("support"), quantity=st.just("2")),
    change("remove_add_on", key=st.just("support"), effective=moments),
    change("add_coupon", coupon=st.sampled_from(["launch", "few"]), effective=moments),
    change("remove_coupon", coupon=st.sampled_from(["launch", "few"]), effective=moments),
    change("pause", effective=moments),
    change("resume"),
    change("reset_anchor", effective=moments),
    change("end_trial"),
    change("undo_cancel"),
    change("transfer", customer=st.just("other"), key=st.just("s2"), unused=st.sampled_from(["credit", "none"])),
    change("cancel", effective=moments, unused=st.sampled_from(["credit", "none"])),
)  # fmt: skip
gaps = st.sampled_from([0, 1, 24, 96, 24 * 9, 24 * 20])
asked = st.lists(st.tuples(gaps, changes), min_size=2, max_size=8)
uses = st.lists(st.tuples(st.integers(-3, 30), instants), max_size=8)
starts = st.tuples(st.integers(0, 40), st.sampled_from([0, 0, 2, 32, 70]))


class Foreseeing(World):
    """A world that tells of every command what will come of it, and then sees whether it does."""

    def carry_out(self, key: str, command: Command, at: datetime, request: str) -> Outcome:
        living = self.books.subscription(key)
        try:
            foreseen = self.asked_of(living, command, at, request)
        except Rejected as refusal:
            with pytest.raises(type(refusal), match=escape(str(refusal))):
                super().carry_out(key, command, at, request)
            raise
        before = self.issued
        outcome = super().carry_out(key, command, at, request)
        self.live_until(Moment(at, Phase.ARRIVED))
        assert self.issued_since(before) == foreseen
        return outcome

    def asked_of(
        self, living: Subscription, command: Command, at: datetime, request: str
    ) -> object:
        ahead = self.foresee(living, at)
        while ahead.subscription.is_past_its_period(at):
            ahead = self.after(ahead, closing(ahead.subscription, at))
        asked = Taking(Asked(Request(request, command)), ahead.subscription, at)
        lives = [self.until(self.after(ahead, asked), at)]
        lives += [self.until(self.ahead_of(each), at) for each in lives[0].begins]
        return documents(
            [invoice for life in lives for invoice in life.invoices],
            [note for life in lives for note in life.credit_notes],
        )

    def ahead_of(self, living: Subscription) -> Ahead:
        facts = self.books.facts(living, "start", living.started_at)
        coupons = self.scenario.coupons.values()
        redeemed = self.books.redeemed(coupons, living.customer)
        return Ahead(living, replace(facts, redeemed=redeemed))

    def foresee(self, living: Subscription, at: datetime) -> Ahead:
        return self.until(self.ahead_of(living), at)

    def until(self, ahead: Ahead, at: datetime) -> Ahead:
        while taking := next_until(ahead.subscription, at):
            ahead = self.after(ahead, taking)
        return ahead

    def after(self, ahead: Ahead, taking: Taking) -> Ahead:
        living = ahead.subscription
        needs = ahead.needs(taking)
        used = self.books.used(living, needs)
        return ahead.after(taking, used)

    def upcoming(self, living: Subscription) -> Invoice | None:
        """The next invoice, up to the period's end."""
        ahead = self.ahead_of(living)
        while taking := ahead.next_to_bill():
            ahead = self.after(ahead, taking)
        return ahead.invoices[0] if ahead.invoices else None

    @property
    def issued(self) -> tuple[int, int]:
        return len(self.books.invoices), len(self.books.credit_notes)

    def issued_since(self, before: tuple[int, int]) -> object:
        invoices, notes = before
        return documents(
            list(self.books.invoices.values())[invoices:],
            list(self.books.credit_notes.values())[notes:],
        )


def documents(invoices: Sequence[Invoice], notes: Sequence[CreditNote]) -> object:
    """As they are issued: what is left of a note changes afterwards."""
    return (
        [as_issued(invoice) for invoice in invoices],
        [replace(note, number=None, remaining=note.total) for note in notes],
    )


def as_issued(invoice: Invoice) -> Invoice:
    """Before anybody pays for it, and numbers it."""
    nothing = Money(0, invoice.currency)
    status: InvoiceStatus = "open" if invoice.amount_due.minor else "paid"
    return replace(invoice, number=None, status=status, amount_paid=nothing)


def scenario(
    pro: Mapping[str, object],
    scale: Mapping[str, object],
    started: tuple[int, int],
    used: Sequence[tuple[int, datetime]],
    changed: Sequence[tuple[int, Change]],
    lateness: int,
) -> Scenario:
    start, until_known = JAN + timedelta(days=started[0]), timedelta(days=started[1])
    subscribe = {"key": "s1", "customer": "acme", "plan": "pro", "coupons": ["launch"]}
    entries: list[dict[str, Any]] = [
        {"at": start + until_known, "subscribe": {**subscribe, "starts_at": start}},
        {
            "at": JAN,
            "grant": {"key": "g", "customer": "acme", "amount": "33.00", "kind": "promotional"},
        },
    ]
    for number, (n, time) in enumerate(used):
        usage = {"customer": "acme", "event_name": "use", "properties": {"n": n}, "time": time}
        at = time + timedelta(days=lateness * (number % 3) - 5)
        entries.append({"at": max(at, JAN), "usage": {**usage, "id": f"e{number}"}})
    at = start + until_known
    for gap, (name, asked) in changed:
        at += timedelta(hours=gap)
        entries.append({"at": at, name: {"subscription": "s1", **asked}})
    return read_scenario(
        {
            "currency": "USD",
            "meters": METERS,
            "plans": [{"key": "pro", **pro}, {"key": "scale", **scale}],
            "coupons": [
                {"key": "launch", "percent_off": "15", "duration": {"periods": 2}},
                {"key": "few", "percent_off": "10", "duration": "forever", "max_redemptions": 2},
            ],
            "tax_rates": [{"key": "vat", "percent": "19"}],
            "customers": [{"key": "acme", "tax_rates": ["vat"]}, {"key": "other"}],
            "timeline": entries,
            "until": UNTIL,
        }
    )


worlds = st.builds(scenario, plans, plans, starts, uses, asked, st.integers(0, 20))


@settings(max_examples=150)
@given(worlds)
def test_a_preview_is_what_follows(told: Scenario) -> None:
    """Of each command, of a start in the past, and of what is refused."""
    world = Foreseeing(told)
    for entry in told.timeline:
        world.live_until(Moment(entry.at, Phase.ARRIVED))
        act(world, entry)
        if entry.name == "subscribe":
            before = world.issued
            begun = world.foresee(world.books.subscription("s1"), entry.at)
            world.live_until(Moment(entry.at, Phase.ARRIVED))
            assert world.issued_since(before) == documents(begun.invoices, begun.credit_notes)


@settings(max_examples=150)
@given(worlds)
def test_the_upcoming_invoice_is_the_next_one(told: Scenario) -> None:
    """If nothing else happens: it is told after each entry of a story, and awaited in a copy of its world."""
    world = Foreseeing(told)
    for entry in told.timeline:
        world.live_until(Moment(entry.at, Phase.ARRIVED))
        act(world, entry)
        for living in list(world.books.subscriptions.values()):
            assert world.upcoming(living) == next_of(deepcopy(world, {id(told): told}), living.id)


def next_of(world: Foreseeing, key: str) -> Invoice | None:
    """The next invoice of a subscription, up to the end of its period, by living on."""
    known = set(world.books.invoices)
    closes = False
    while not closes and (due := world.books.subscriptions[key].next_step()):
        closes = due.reason == "period_end"
        world.live_until(Moment(due.at, due.phase))
        for name, invoice in world.books.invoices.items():
            if name not in known and invoice.subscription == key:
                return as_issued(invoice)
    return None
