"""Holds, releases, settlements, grants and time in any order, some of them at once: rows do what the rules say, whatever
races equals some order, no hold overdraws, and what is reserved is the sum of the claims.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import permutations
from typing import Any, cast

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import text
from temporalio.client import Client

from api import holding
from api.auth import Caller
from api.connections import Connections
from db.claims import Claimed, expire_claims
from db.keys import ApiKey
from db.running import rate_running
from db.running_facts import Payer
from db.session import Database
from db.usage_horizon import wait_for_horizon
from db.wallets import wallets_of
from domain.credits import GrantBalance
from domain.decimals import plain
from domain.errors import Insufficient, Rejected
from domain.holds import Hold, HoldOrder, counted, expired, released, require_covered, settled
from domain.money import Money
from domain.wallets import Wallet, posted_at
from tests.billing_world import JANUARY, World, open_world
from tests.conftest import fresh_environment
from tests.servers import Addresses

AMOUNTS = st.sampled_from(["0.5", "0.3333", "0.001", "0.8", "1"]).map(Fraction)
NUMBERS = st.integers(0, 9)
HOLD = st.tuples(st.just("hold"), AMOUNTS, st.sampled_from([60, 120]))
OPERATIONS = st.one_of(
    HOLD,
    HOLD,
    st.tuples(st.just("settle"), NUMBERS, AMOUNTS),
    st.tuples(st.just("release"), NUMBERS),
    st.tuples(st.just("sweep")),
)
Operation = tuple[Any, ...]
Outcome = tuple[str, str]
NOTHING = Money(0, "USD")


@dataclass(frozen=True, slots=True)
class State:
    """All that the rules know. Holds are found by their keys."""

    now: datetime
    grants: tuple[GrantBalance, ...] = ()
    holds: tuple[Hold, ...] = ()

    @property
    def wallet(self) -> Wallet:
        reserved = sum((hold.claim_at(self.now) for hold in self.holds), Fraction(0))
        return Wallet("USD", posted_at(self.grants, "USD", self.now), NOTHING, reserved, NOTHING)

    @property
    def is_behind(self) -> bool:
        """Whether something has expired that nobody has given back yet: then a hold tells too little available."""
        return any(hold.status_at(self.now) != hold.status for hold in self.holds)

    def after(self, key: str, operation: Operation) -> tuple["State", Outcome]:
        """What the rules bring of it; `key` is of the hold that it makes, or is about."""
        try:
            match operation:
                case ("hold", amount, seconds):
                    return self._held(key, amount, seconds)
                case ("settle", _, used):
                    return self._changed(
                        key, lambda hold: settled(hold, used, None, plain(used), self.now)
                    )
                case ("release", _):
                    return self._changed(key, lambda hold: released(hold, self.now))
                case _:
                    return self, ("swept", "")
        except Rejected as refusal:
            return self, refused(refusal)

    def _held(self, key: str, amount: Fraction, seconds: int) -> tuple["State", Outcome]:
        require_covered(self.wallet, amount)
        end = self.now + timedelta(seconds=seconds)
        hold = Hold(key, key, "", "", "USD", None, amount, amount, self.now, end)
        state = replace(self, holds=(*self.holds, hold))
        return state, ("open", "" if self.is_behind else plain(state.wallet.available))

    def _changed(self, key: str, change: Callable[[Hold], Hold]) -> tuple["State", Outcome]:
        (before,) = [hold for hold in self.holds if hold.key == key]
        after = change(before)
        holds = tuple(after if hold.key == key else hold for hold in self.holds)
        return replace(self, holds=holds), (
            after.status_at(self.now),
            plain(after.claim_at(self.now)),
        )


def refused(refusal: Rejected) -> Outcome:
    return refusal.code, refusal.available if isinstance(refusal, Insufficient) else ""


class Holds(RuleBasedStateMachine):
    def __init__(self, urls: Addresses) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.urls = urls
        self.made = 0
        self.state = State(JANUARY)

    @initialize(operations=st.lists(HOLD, min_size=3, max_size=4))
    def begin(self, operations: Sequence[Operation]) -> None:
        self._run(self._begin())
        self.grant(150, None)
        self.do(operations)

    async def _begin(self) -> None:
        self.database = Database(self.urls["app"])
        environment = await fresh_environment(self.database)
        self.world: World = await open_world(self.database, environment)
        key = ApiKey("", environment.id, "", "test", "a test", ("usage",), JANUARY, None)
        self.caller = Caller(key)
        self.opened = Connections(self.database, cast(Client, None))

    @rule(amount=st.integers(1, 100), seconds=st.sampled_from([None, 90]))
    def add(self, amount: int, seconds: int | None) -> None:
        self.grant(amount, seconds)

    def grant(self, amount: int, seconds: int | None) -> None:
        ends = None if seconds is None else self.state.now + timedelta(seconds=seconds)
        grant = self._run(self.world.grant(amount, expires_at=ends))
        balance = GrantBalance(grant, grant.amount)
        self.state = replace(self.state, grants=(*self.state.grants, balance))
        self._run(self._check())

    @rule(seconds=st.sampled_from([30, 60, 61]))
    def wait(self, seconds: int) -> None:
        self.state = replace(self.state, now=self.state.now + timedelta(seconds=seconds))
        self._run(self._moved())

    @rule()
    def sweep(self) -> None:
        over = {hold.id for hold in self.state.holds if hold.status_at(self.state.now) == "expired"}
        holds = tuple(expired(h) if h.id in over else h for h in self.state.holds)
        self.state = replace(self.state, holds=holds)
        self._run(self._swept())
        self._run(self._check())

    @rule()
    def count(self) -> None:
        """What was used of settled holds runs up by now."""
        holds = tuple(counted(h) if h.status == "settled" else h for h in self.state.holds)
        self.state = replace(self.state, holds=holds)
        self._run(self._counted())

    @rule(operations=st.lists(OPERATIONS, min_size=2, max_size=4))
    def race(self, operations: Sequence[Operation]) -> None:
        self.do(operations)

    def do(self, operations: Sequence[Operation]) -> None:
        """Operations at once: they come out as if in one of all orders."""
        named = list(self._named(operations))
        outcomes = self._run(self._at_once(named))
        self.state = self._explained(named, outcomes)
        self._run(self._check())

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self._run(self.database.close())
        self.runner.close()

    def _named(self, operations: Sequence[Operation]) -> Iterator[tuple[str, Operation]]:
        """Each with the key of its hold: a new one, or one that is there."""
        there = [str(hold.key) for hold in self.state.holds]
        for operation in operations:
            if operation[0] in ("hold", "sweep"):
                self.made += 1
                yield f"h{self.made}", operation
            elif there:
                yield there[operation[1] % len(there)], operation

    def _explained(
        self, named: Sequence[tuple[str, Operation]], outcomes: Sequence[Outcome]
    ) -> State:
        """The state after an order in which the rules bring these outcomes."""
        for order in permutations(range(len(named))):
            state, told = self.state, {}
            for place in order:
                state, told[place] = state.after(*named[place])
            if [told[place] for place in range(len(named))] == list(outcomes):
                return state
        raise AssertionError(f"no order of {named} brings {outcomes} in {self.state}")

    async def _at_once(self, named: Sequence[tuple[str, Operation]]) -> list[Outcome]:
        return await asyncio.gather(*(self._outcome(*each) for each in named))

    async def _outcome(self, key: str, operation: Operation) -> Outcome:
        try:
            match operation:
                case ("hold", amount, seconds):
                    order = HoldOrder("acme", amount, "USD", seconds=seconds, key=key)
                    held = await holding.hold(self.opened, self.caller, order)
                    available = "" if self.state.is_behind else str(held["available"])
                    return str(held["status"]), available
                case ("settle", _, used):
                    body = {"amount": plain(used)}
                    after = await holding.settle(self.opened, self.caller, key, body)
                case ("release", _):
                    after = await holding.release(self.opened, self.caller, key)
                case _:
                    await self._swept()
                    return "swept", ""
            return str(after["status"]), str(after["claim"])
        except Rejected as refusal:
            return refused(refusal)

    async def _swept(self) -> None:
        on = Claimed("currency", self.world.customer, "USD")
        async with self.database.transaction(self.world.environment) as connection:
            await expire_claims(connection, self.world.environment, on)

    async def _moved(self) -> None:
        async with self.database.transaction(self.world.environment) as connection:
            await connection.execute(
                text("UPDATE test_clocks SET now = :now"), {"now": self.state.now}
            )
        await self._check()

    async def _counted(self) -> None:
        await wait_for_horizon(self.database)
        payer = Payer(self.world.customer, "USD")
        await rate_running(self.database, self.world.environment, payer)
        await self._check()

    async def _check(self) -> None:
        """The rows say what the rules say."""
        async with self.database.transaction(self.world.environment) as connection:
            found = await wallets_of(connection, self.world.environment, self.world.customer)
        known = [row.wallet for row in found] or [
            Wallet("USD", NOTHING, NOTHING, Fraction(0), NOTHING)
        ]
        assert known == [self.state.wallet]
        sums = await self.world.rows(
            "SELECT coalesce((SELECT sum(reserved) FROM wallets), 0), coalesce((SELECT sum(claim) FROM holds), 0)"
        )
        assert sums[0][0] == sums[0][1]

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(coroutine)


def test_any_interleaving_of_holds_equals_some_order(database_urls: Addresses) -> None:
    run_state_machine_as_test(
        lambda: Holds(database_urls),  # type: ignore[arg-type]  # what makes one will do
        settings=settings(
            max_examples=8,
            stateful_step_count=12,
            deadline=None,
            derandomize=True,
            phases=(Phase.generate,),  # to make an example smaller takes longer than to read it
            suppress_health_check=list(HealthCheck),
        ),
    )
