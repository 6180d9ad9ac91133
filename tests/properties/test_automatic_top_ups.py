"""Whatever is used, granted, answered and whenever it is looked at: automatic top-ups keep to their rule."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domain.automatic_top_ups import Attempt, AttemptStatus, AutomaticTopUp, decide, month_of
from domain.calendar import Period
from domain.money import Money, total

ZONE = "America/New_York"
START = datetime(2026, 1, 30, tzinfo=UTC)

cents = st.integers(1, 5_000)


class Buying(RuleBasedStateMachine):
    """A wallet, its rule, and someone who looks at it at any time. Here a decision to buy is carried out at once, and is
    answered later.
    """

    @initialize(
        threshold=st.integers(0, 2_000),
        above=cents,
        is_fixed=st.booleans(),
        cap=st.none() | st.integers(0, 10_000),
        cool_down=st.sampled_from((60, 3_600, 86_400)),
    )
    def begin(
        self, threshold: int, above: int, is_fixed: bool, cap: int | None, cool_down: int
    ) -> None:
        bought = Money(above if is_fixed else threshold + above, "USD")
        self.rule = AutomaticTopUp(
            threshold=Money(threshold, "USD"),
            target=None if is_fixed else bought,
            amount=bought if is_fixed else None,
            monthly_cap=None if cap is None else Money(bought.minor + cap, "USD"),
            cool_down=timedelta(seconds=cool_down),
        )
        self.now = START
        self.available = bought.exact
        self.attempts: list[Attempt] = []

    @rule(millicents=st.integers(0, 3_000_000))
    def use(self, millicents: int) -> None:
        self.available -= Fraction(millicents, 100_000)

    @rule(minutes=st.integers(0, 3 * 24 * 60))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def look(self) -> None:
        decision = decide(self.rule, self.available, self.attempts, self.now, self.month(self.now))
        if decision.again_at is not None:
            assert decision.again_at > self.now
            assert decision.buy is None
        if decision.buy is not None:
            self.require_allowed(decision.buy)
            self.attempts.append(Attempt(self.now, decision.buy, "pending"))

    @rule(is_paid=st.booleans())
    def answer(self, is_paid: bool) -> None:
        if not self.attempts or self.attempts[-1].status != "pending":
            return
        last = self.attempts[-1]
        status: AttemptStatus = "paid" if is_paid else "declined"
        self.attempts[-1] = replace(last, status=status, ended_at=self.now)
        if is_paid:
            self.available += last.amount.exact

    @invariant()
    def never_two_at_once(self) -> None:
        assert sum(each.status == "pending" for each in self.attempts) <= 1

    @invariant()
    def never_above_the_cap(self) -> None:
        """By when it was asked for, and by when it was paid."""
        if not self.attempts or self.rule.monthly_cap is None:
            return
        taken = [each for each in self.attempts if each.counts]
        asked = [(each.at, each.amount) for each in taken]
        paid = [(each.ended_at or each.at, each.amount) for each in taken]
        for dated in (asked, paid):
            for month in {self.month(at) for at, _ in dated}:
                in_month = [amount for at, amount in dated if month.contains(at)]
                assert (self.rule.monthly_cap - total(in_month, "USD")).minor >= 0

    def require_allowed(self, amount: Money) -> None:
        assert amount.minor > 0
        assert self.available < self.rule.threshold.exact
        if self.rule.target is not None:
            assert self.available + amount.exact <= self.rule.target.exact
        else:
            assert amount == self.rule.amount
        if self.attempts:
            ended = self.attempts[-1].ended_at
            assert ended is not None
            assert self.now - ended >= self.rule.cool_down

    def month(self, at: datetime) -> Period:
        return month_of(at, ZONE)


TestBuying = Buying.TestCase
