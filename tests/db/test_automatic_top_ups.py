"""Automatic top-ups on real rows: one request for each decision, one purchase at a time, whatever crashes."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import text

from activities.collecting import CollectionSteps
from activities.credits import CreditSteps
from activities.relaying import RelaySteps
from activities.steps import AttemptPayment, LookUpPayment, TopUp
from activities.watching import watch
from db.automatic_top_ups import add_automatic_top_up, remove_automatic_top_up
from db.collections import find_collection
from db.ids import new_id
from db.locks import lock_customer
from db.requests import find_request
from db.session import Database
from db.tenants import Environment
from db.wallets import open_wallet, time_of
from domain.automatic_top_ups import AutomaticTopUp
from domain.codec import from_plain
from domain.dunning import NOT_CONFIRMED, Collection
from domain.errors import Unavailable
from domain.money import Money
from domain.reading import written
from tests.billing_world import JANUARY, World, open_world
from tests.db.test_collecting import DECLINED, PaperProvider
from tests.db.test_wallets import at, pumped, wallet

HOUR = timedelta(hours=1)


def usd(minor: int) -> Money:
    return Money(minor, "USD")


@dataclass(slots=True)
class Till:
    """A customer whose wallet is filled by itself: from 10 dollars up to 50."""

    world: World
    provider: PaperProvider = field(default_factory=PaperProvider)

    async def fill(self, cap: int | None = None) -> str:
        most = None if cap is None else usd(cap)
        rule = AutomaticTopUp(usd(1_000), usd(5_000), None, most, HOUR)
        environment, customer, own_id = self.world.environment, self.world.customer, new_id("atu")
        async with self.world.database.transaction(environment) as connection:
            await lock_customer(connection, customer)
            await open_wallet(connection, environment, customer, "USD")
            await add_automatic_top_up(connection, environment, own_id, customer, rule)
        return own_id

    async def look(self) -> None:
        await pumped(self.world)
        await watch(self.world.database, self.world.environment)

    async def pay(self) -> None:
        """Carry out the purchase that is under way, as its workflow does; again from the start, where it crashes."""
        ((request,),) = await self.world.rows(
            "SELECT request_id FROM automatic_top_up_attempts WHERE status = 'pending'"
        )
        async with self.world.database.transaction(self.world.environment) as connection:
            asked = from_plain(TopUp, (await find_request(connection, request)).body)
        collection = (await CreditSteps(self.world.database).top_up(asked)).collection
        await self.collect(collection)

    async def collect(self, collection: Collection) -> None:
        steps = CollectionSteps(self.world.database, self.provider)
        await steps.attempt_payment(AttemptPayment(collection, 1, collection.issued_at))

    async def look_up(self) -> None:
        """As its workflow does when it is told, and when it has waited for long enough."""
        async with self.world.database.transaction(self.world.environment) as connection:
            ((invoice,),) = await connection.execute(text("SELECT id FROM invoices"))
            collection = await find_collection(connection, invoice)
            now = await time_of(connection, self.world.customer)
        steps = CollectionSteps(self.world.database, self.provider)
        await steps.look_up_payment(LookUpPayment(collection, now))

    async def due(self) -> tuple[str, int]:
        """When its clock has the collection go on, and in which phase."""
        ((at, phase),) = await self.world.rows(
            "SELECT next_attempt_at, next_phase FROM collections"
        )
        return written(at), phase

    async def attempts(self) -> list[tuple[str, int, str | None]]:
        return [
            (status, amount, code)
            for status, amount, code in await self.world.rows(
                "SELECT status, amount_minor, failure_code FROM automatic_top_up_attempts ORDER BY number"
            )
        ]

    async def available(self) -> str:
        return str((await wallet(self.world)).available)

    async def topics(self) -> list[str]:
        told = await self.world.rows(
            "SELECT topic FROM outbox WHERE topic LIKE 'automatic_top_up.%' ORDER BY seq"
        )
        return [topic for (topic,) in told]


@pytest.fixture
async def till(database: Database, environment: Environment) -> Till:
    return Till(await open_world(database, environment))


async def test_what_is_missing_is_bought_once(till: Till) -> None:
    await till.fill()
    await till.look()
    await till.look()
    assert await till.attempts() == [("pending", 5_000, None)]
    await till.pay()
    await till.look()
    await till.look()
    assert await till.attempts() == [("paid", 5_000, None)]
    assert (await till.available(), await till.topics()) == ("50", ["automatic_top_up.paid"])


async def test_who_looks_at_the_same_time_buys_once(till: Till) -> None:
    await till.fill()
    await pumped(till.world)
    await asyncio.gather(*(watch(till.world.database, till.world.environment) for _ in range(5)))
    assert await till.attempts() == [("pending", 5_000, None)]
    await till.pay()
    await asyncio.gather(*(watch(till.world.database, till.world.environment) for _ in range(5)))
    assert (await till.available(), await till.topics()) == ("50", ["automatic_top_up.paid"])


async def test_usage_that_runs_up_has_credit_bought(till: Till) -> None:
    world = till.world
    await world.begin()
    await world.grant(5_000)
    await till.fill()
    await till.look()
    assert await till.attempts() == []
    await world.use("e1", 4_050, JANUARY + HOUR)
    await till.look()
    assert await till.attempts() == [("pending", 4_050, None)]


async def test_a_decline_grants_nothing_and_is_tried_again_after_the_cool_down(till: Till) -> None:
    till.provider.answers = [DECLINED, "succeeded"]
    await till.fill()
    await till.look()
    await till.pay()
    await till.look()
    assert await till.attempts() == [("declined", 5_000, "insufficient_funds")]
    assert await till.topics() == ["automatic_top_up.declined"]
    assert await till.world.rows("SELECT count(*) FROM credit_grants") == [(0,)]
    await at(till.world, "2026-01-01T00:59:59Z")
    await till.look()
    assert len(await till.attempts()) == 1
    await at(till.world, "2026-01-01T01:00:00Z")
    await till.look()
    assert (await till.attempts())[1:] == [("pending", 5_000, None)]
    await till.pay()
    assert await till.available() == "50"


@pytest.mark.parametrize("is_paid", [False, True])
async def test_a_purchase_that_nobody_confirms_is_given_up_unless_it_is_paid_in_that_instant(
    till: Till, is_paid: bool
) -> None:
    till.provider.answers = ["requires_action", "succeeded"]
    till.provider.let_go = "succeeded" if is_paid else "declined:canceled"
    await till.fill()
    await till.look()
    await till.pay()
    await at(till.world, "2026-01-03T23:59:59Z")
    await till.look_up()
    assert await till.attempts() == [("pending", 5_000, None)]
    await at(till.world, "2026-01-04T00:00:00Z")
    assert await till.due() == ("2026-01-04T00:00:00Z", 1)
    await till.look_up()
    await till.look_up()
    await till.look()
    code = None if is_paid else NOT_CONFIRMED
    assert await till.attempts() == [("paid" if is_paid else "declined", 5_000, code)]
    assert await till.available() == ("50" if is_paid else "0")
    told = await till.world.rows("SELECT body FROM outbox WHERE topic LIKE 'automatic_top_up.%'")
    assert [body["failure_code"] for (body,) in told] == [code]
    status = "paid" if is_paid else "void"
    assert await till.world.rows("SELECT status FROM invoices") == [(status,)]
    await at(till.world, "2026-01-04T01:00:00Z")  # the cool-down is over
    await till.look()
    assert len(await till.attempts()) == (1 if is_paid else 2)


async def test_a_cap_holds_until_the_month_is_over_also_for_a_new_rule(till: Till) -> None:
    await till.world.begin()
    own_id = await till.fill(cap=6_000)
    await till.look()
    await till.pay()
    async with till.world.database.transaction(till.world.environment) as connection:
        await remove_automatic_top_up(connection, own_id)
    await till.fill(cap=5_000)
    await at(till.world, "2026-01-05T00:00:00Z")
    await till.world.use("e1", 4_500, JANUARY + HOUR)
    await till.look()
    assert [status for status, _, _ in await till.attempts()] == ["paid"]
    await at(till.world, "2026-02-01T00:00:00Z")
    await till.look()
    assert [status for status, _, _ in await till.attempts()] == ["paid", "pending"]


async def test_a_request_that_is_refused_is_a_decline(till: Till) -> None:
    await till.fill()
    await till.look()
    await till.world.rows(
        "UPDATE requests SET status = 'refused', answer = '{\"code\": \"invalid\"}' RETURNING 1"
    )
    await till.look()
    assert await till.attempts() == [("declined", 5_000, "invalid")]


async def test_the_relay_sends_it(till: Till) -> None:
    sent: list[TopUp] = []

    class Lives:
        async def top_up(self, asked: TopUp) -> None:
            sent.append(asked)

    await till.fill()
    await till.look()
    relay = RelaySteps(till.world.database, Lives())  # type: ignore[arg-type]  # nothing else is asked of them
    await relay.relay_environment(till.world.environment, 10)
    (asked,) = sent
    assert (asked.request, asked.order.key) == (f"auto_top_up:{till.world.customer}:1",) * 2


Fault = Callable[["Till", pytest.MonkeyPatch], None]


def crash(*_: object, **__: object) -> None:
    raise Unavailable("the power went")


async def crash_later(*_: object, **__: object) -> None:
    crash()


def at_provider(before: bool) -> Fault:
    def fault(till: Till, patch: pytest.MonkeyPatch) -> None:
        def once() -> None:
            till.provider.before_charge = till.provider.after_charge = lambda: None
            crash()

        if before:
            till.provider.before_charge = once
        else:
            till.provider.after_charge = once

    return fault


def within(name: str) -> Fault:
    return lambda till, patch: patch.setattr(name, crash_later)


WHILE_PAYING: dict[str, Fault] = {
    "before the invoice": within("activities.credits.issue"),
    "after the invoice, before it is kept": within("activities.credits.keep_top_up"),
    "before the provider is asked": at_provider(before=True),
    "after the provider has charged": at_provider(before=False),
    "before the answer is noted": within("activities.collecting.record_answer"),
    "before the grant": within("activities.answers.record_grant"),
    "after the grant, before its postings": within("activities.answers.post"),
}


@pytest.mark.parametrize("answer", ["succeeded", DECLINED])
@pytest.mark.parametrize("where", WHILE_PAYING)
async def test_a_crash_at_any_step_changes_nothing(
    till: Till, monkeypatch: pytest.MonkeyPatch, where: str, answer: str
) -> None:
    """One invoice, one charge, one grant; of a decline no grant."""
    till.provider.answers = [answer]
    await till.fill()
    await till.look()
    with monkeypatch.context() as patch:
        WHILE_PAYING[where](till, patch)
        try:
            await till.pay()
            assert (where, answer) == ("before the grant", DECLINED)
        except Unavailable:
            await till.look()  # meanwhile: it is under way still
    assert [status for status, _, _ in await till.attempts()] in (["pending"], ["declined"])
    if (await till.attempts())[0][0] == "pending":
        await till.pay()
    await till.look()
    await till.look()
    is_paid = answer == "succeeded"
    assert len(till.provider.known) == 1
    assert await till.world.rows("SELECT status FROM invoices") == [
        ("paid" if is_paid else "void",)
    ]
    assert await till.world.rows("SELECT count(*) FROM credit_grants") == [(int(is_paid),)]
    assert await till.available() == ("50" if is_paid else "0")
    assert await till.topics() == [f"automatic_top_up.{'paid' if is_paid else 'declined'}"]


@pytest.mark.parametrize("where", ["write_requests", "begin_attempt"])
async def test_a_crash_while_it_decides_buys_nothing_twice(
    till: Till, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    await till.fill()
    with monkeypatch.context() as patch:
        patch.setattr(f"activities.topping_up.{where}", crash_later)
        await till.look()
    assert await till.attempts() == []
    assert await till.world.rows("SELECT count(*) FROM requests") == [(0,)]
    await till.look()
    assert await till.attempts() == [("pending", 5_000, None)]
