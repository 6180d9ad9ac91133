"""A state machine that lives with credits: whatever happens, the books balance and nothing is below zero."""

from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from domain import ledger
from domain.ledger import CASH, credits_of, receivable
from domain.money import Money, total
from domain.scenarios.actions import Entry, read_entry
from domain.scenarios.scenario import read_scenario
from domain.simulation.acting import act
from domain.simulation.dues import Moment
from domain.simulation.world import World
from domain.subscription import Phase
from tests.makings import BASE, CALLS, JAN, SEATS

MONTH = {"unit": "month"}
SCOPE = {"items": ["seats"]}
WORLD = {
    "currency": "USD",
    "meters": [{"key": "calls", "event_name": "call", "aggregation": "sum", "value": "n"}],
    "tax_rates": [
        {"key": "vat", "percent": "7.7"},
        {"key": "in", "percent": "3", "inclusive": True},
    ],
    "coupons": [{"key": "gift", "amount_off": "33.33", "duration": {"periods": 2}}],
    "plans": [
        {
            "key": "pro",
            "interval": MONTH,
            "items": [BASE, SEATS, CALLS],
            "credits": [
                {"key": "monthly", "amount": "7.00", "expires_after": MONTH},
                {"key": "kept", "amount": "3.00", "rollover": {"maximum": "5.00"}, "scope": SCOPE},
            ],
        },
        {
            "key": "day",
            "interval": MONTH,
            "proration": "day",
            "items": [SEATS, CALLS],
            "credits": [
                {
                    "key": "kept",
                    "amount": "9.99",
                    "expires_after": MONTH,
                    "rollover": {"maximum": "4.00", "minimum": "1.00"},
                    "on_plan_change": "prorate",
                }
            ],
        },
        {
            "key": "week",
            "interval": {"unit": "week"},
            "anchor": "calendar",
            "items": [BASE],
            "credits": [{"key": "kept", "amount": "2.00", "on_plan_change": "prorate"}],
        },
        {
            "key": "each",
            "interval": MONTH,
            "minimum_commitment": "50",
            "items": [{**CALLS, "charged": "in_advance"}],
        },
    ],
    "customers": [
        {
            "key": "acme",
            "tax_rates": ["vat", "in"],
            "payment": {"outcomes": ["succeeded", "declined:lost_card", "declined", "succeeded"]},
        }
    ],
    "until": "2030-01-01T00:00:00Z",
}

amounts = st.integers(1, 20_000).map(lambda minor: f"{minor // 100}.{minor % 100:02}")
plans = st.sampled_from(["pro", "day", "week", "each"])
which = st.integers(0, 5)


class Living(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World(read_scenario(WORLD))
        self.books = self.world.books
        self.now = JAN
        self.entries = 0

    def do(self, name: str, **members: object) -> None:
        """Act now, as an entry of a timeline does; what is refused is an answer."""
        self.entries += 1
        act(self.world, self._entry(name, members))
        self.world.live_until(Moment(self.now, Phase.ARRIVED))

    def _entry(self, name: str, members: dict[str, object]) -> Entry:
        return read_entry({"at": self.now, name: members}, self.entries)

    @rule(hours=st.sampled_from([1, 13, 24, 24 * 3, 24 * 8, 24 * 40]))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.world.live_until(Moment(self.now, Phase.ARRIVED))

    @initialize(plan=plans, coupon=st.booleans())
    def subscribe_first(self, plan: str, coupon: bool) -> None:
        self.subscribe(plan, coupon)

    @rule(plan=plans, coupon=st.booleans())
    def subscribe_again(self, plan: str, coupon: bool) -> None:
        self.subscribe(plan, coupon)

    def subscribe(self, plan: str, coupon: bool) -> None:
        coupons = ["gift"] if coupon else []
        key = f"s{self.entries}"
        self.do("subscribe", key=key, customer="acme", plan=plan, coupons=coupons)

    def one_of_them(self, number: int) -> str:
        keys = list(self.books.subscriptions)
        return keys[number % len(keys)]

    @rule(number=which, plan=plans, now=st.booleans())
    def change_plan(self, number: int, plan: str, now: bool) -> None:
        effective = "immediately" if now else "period_end"
        key = self.one_of_them(number)
        self.do("change_plan", subscription=key, plan=plan, effective=effective)

    @rule(number=which, quantity=st.integers(0, 9))
    def set_quantity(self, number: int, quantity: int) -> None:
        key = self.one_of_them(number)
        self.do("set_quantity", subscription=key, item="seats", quantity=quantity)

    @rule(number=which, action=st.sampled_from(["pause", "resume"]))
    def pause(self, number: int, action: str) -> None:
        self.do(action, subscription=self.one_of_them(number))

    @rule(number=which, now=st.booleans(), unused=st.sampled_from(["credit", "refund", "none"]))
    def cancel(self, number: int, now: bool, unused: str) -> None:
        effective = "immediately" if now else "period_end"
        key = self.one_of_them(number)
        self.do("cancel", subscription=key, effective=effective, unused=unused)

    @rule(n=st.integers(1, 60))
    def use(self, n: int) -> None:
        self.use_of(n, self.now)

    @rule(n=st.integers(-20, 60), days=st.integers(0, 40))
    def use_late(self, n: int, days: int) -> None:
        self.use_of(n, self.now - timedelta(days=days))

    def use_of(self, n: int, time: datetime) -> None:
        event = {"event_name": "call", "properties": {"n": n}, "time": time}
        self.do("usage", customer="acme", **event)

    @rule(amount=amounts, kind=st.sampled_from(["prepaid", "promotional"]), days=st.integers(0, 60))
    def grant(self, amount: str, kind: str, days: int) -> None:
        expiry = {"expires_at": self.now + timedelta(days=days)} if days else {}
        key = f"g{self.entries}"
        self.do("grant", key=key, customer="acme", amount=amount, kind=kind, **expiry)

    @rule(amount=amounts)
    def top_up(self, amount: str) -> None:
        self.do("top_up", key=f"t{self.entries}", customer="acme", amount=amount)

    @precondition(lambda self: self.books.payments)
    @rule(action=st.sampled_from(["pay", "payment_method"]))
    def customer_acts(self, action: str) -> None:
        self.do(action, customer="acme")

    def balance(self, account: str) -> Money:
        return ledger.balance(self.books.transactions, account, "USD")

    @invariant()
    def nothing_is_below_zero(self) -> None:
        assert all(balance.remaining.minor >= 0 for balance in self.books.grants.values())
        assert all(note.remaining.minor >= 0 for note in self.books.credit_notes.values())

    @invariant()
    def grants_are_what_their_accounts_hold(self) -> None:
        for grant, balance in self.books.grants.items():
            assert self.balance(credits_of(grant)) == Money(-balance.remaining.minor, "USD")

    @invariant()
    def what_is_carried_is_within_its_bounds(self) -> None:
        carried: dict[str, int] = {}
        for each in self.books.transactions:
            if each.movement == "transfer":
                new = each.postings[1]
                carried[new.account] = carried.get(new.account, 0) - new.amount.minor
        assert all(0 < minor <= 500 for minor in carried.values())

    @invariant()
    def what_is_owed_is_what_is_unpaid(self) -> None:
        unpaid = [
            invoice.amount_due
            for invoice in self.books.invoices.values()
            if invoice.status not in ("paid", "void")
        ]
        assert self.balance(receivable("acme")) == total(unpaid, "USD")

    @invariant()
    def credit_notes_are_what_their_account_holds(self) -> None:
        left = [note.remaining for note in self.books.credit_notes.values()]
        owed = self.balance(ledger.credit_note_balance("acme"))
        assert owed == Money(-total(left, "USD").minor, "USD")

    @invariant()
    def cash_is_what_was_paid_less_what_was_sent_back(self) -> None:
        paid = [p.amount for p in self.books.payments if p.status == "succeeded"]
        kinds = [p.kind for p in self.books.payments if p.status == "succeeded"]
        signed = [-each if k == "refund" else each for each, k in zip(paid, kinds, strict=True)]
        assert self.balance(CASH) == total(signed, "USD")

    @invariant()
    def every_fact_has_a_name_of_its_own(self) -> None:
        names = [transaction.name for transaction in self.books.transactions]
        assert len(names) == len(set(names))

    @invariant()
    def expired_grants_are_worth_nothing(self) -> None:
        for balance in self.books.grants.values():
            expires_at = balance.grant.expires_at
            if expires_at is not None and expires_at < self.now:
                assert balance.remaining.minor == 0


TestLiving = Living.TestCase
TestLiving.settings = settings(deadline=None, max_examples=60, stateful_step_count=40)
