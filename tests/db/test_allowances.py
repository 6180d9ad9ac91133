"""Allowances in rows: fresh only while nothing has changed, also for who computes while it changes."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction as F

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db import allowances, entitling, subscriptions
from db.allowance_upkeep import due_allowances, take_news_before
from db.allowances import Asked, Found, find_allowances
from db.catalog import add
from db.customer_entitlements import OverrideRow, put_override
from db.families import is_born_to, leaves
from db.ids import new_id
from db.plans import add_version, lock_plan
from db.session import Database
from db.tenants import Environment
from db.usage_horizon import all_seen, wait_for_horizon
from domain.reading import instant
from tests.usage_world import (
    TOKENS,
    add_clock,
    add_customer,
    add_meter,
    add_subscription,
    an_event,
    send,
)

CALLS = {"feature": "tokens", "type": "metered", "limit": "100"}
PLAN = {
    "key": "pro",
    "currency": "USD",
    "interval": {"unit": "month"},
    "entitlements": [CALLS, {"feature": "sso", "type": "boolean"}],
}
TENTH = instant("2026-01-10T00:00:00Z")
RESERVE = text("UPDATE allowances SET reserved = 30 WHERE feature = 'tokens'")
PLANNED = text("EXPLAIN (FORMAT JSON) " + allowances._FIND_ONE.text)


class World:
    """Acme and its child north, on a clock at the tenth of January: both subscribe to 100 tokens a month."""

    def __init__(self, database: Database, environment: str) -> None:
        self.database, self.environment = database, environment
        self.acme = self.north = self.subscription = ""

    async def open(self) -> None:
        async with self.database.transaction(self.environment) as connection:
            clock = await add_clock(connection, self.environment, TENTH)
            self.acme = await add_customer(connection, self.environment, "acme", clock)
            self.north = await add_customer(connection, self.environment, "north", clock)
            await add_meter(connection, self.environment, TOKENS)
            # Else the first event would have it made, which waits for whoever reads the log: who computes in some test.
            await connection.execute(text("SELECT make_usage_partition('2026-01-01')"))
            for feature in (
                {"key": "tokens", "type": "metered", "meter": "tokens"},
                {"key": "sso", "type": "boolean"},
            ):
                await add(connection, self.environment, "features", new_id("fea"), feature)
            plan = await lock_plan(connection, self.environment, new_id("pln"), "pro")
            await add_version(connection, self.environment, plan, PLAN)
            self.subscription = await add_subscription(
                connection, self.environment, self.acme, "s1"
            )

    async def find(self, feature: str = "tokens", customer: str = "acme") -> Found:
        async with self.database.transaction(self.environment) as connection:
            (found,) = await find_allowances(connection, [(customer, feature)], datetime.now(UTC))
        assert found is not None
        return found

    async def refresh(self, feature: str = "tokens", customer: str = "") -> Found:
        asked = Asked(customer or self.acme, feature)
        return (await entitling.refresh(self.database, self.environment, [asked]))[asked]

    async def use(self, id: str, tokens: str = "10", customer: str = "acme") -> None:
        event = an_event(id, customer=customer, properties={"tokens": tokens})
        assert (await send(self.database, self.environment, [event])).accepted == 1
        await wait_for_horizon(self.database)  # whatever other tests have open

    async def keep_up(self) -> int:
        await wait_for_horizon(self.database)
        due = await due_allowances(self.database, self.environment, 10)
        await entitling.refresh(self.database, self.environment, due)
        return len(due)

    async def set(self, **members: object) -> None:
        """Save the subscription with other members."""
        async with self.database.transaction(self.environment) as connection:
            state = await subscriptions.state_of(connection, self.subscription)
            changed = replace(state, **members)  # type: ignore[arg-type]  # of the test
            await subscriptions.save_subscription(connection, changed)

    async def told(self) -> list[Mapping[str, object]]:
        """What was announced, in order."""
        asked = text("SELECT body FROM outbox WHERE topic = 'entitlement.changed' ORDER BY seq")
        async with self.database.transaction(self.environment) as connection:
            return list((await connection.execute(asked)).scalars())


@pytest.fixture
async def world(database: Database, environment: Environment) -> World:
    world = World(database, environment.id)
    await world.open()
    return world


async def test_a_row_is_fresh_and_what_came_since_is_added_to_it(world: World) -> None:
    assert (await world.find()).generation is None
    await world.use("e1")
    assert (await world.refresh()).allowance.used == 10
    assert (await world.refresh("sso")).allowance.reason is None
    kept = await world.find()
    assert (kept.is_fresh, kept.allowance.used, kept.allowance.limit) == (True, F(10), F(100))
    await world.use("e2", customer="north")
    assert (await world.find()).allowance.used == 10
    await world.use("e3")
    await world.use("e4", "2.5")
    kept = await world.find()
    assert (kept.is_fresh, kept.allowance.used) == (True, F("22.5"))
    assert (await world.find("sso")).is_fresh  # no event changes what is not metered
    assert (await world.refresh()).allowance.used == F("22.5")


async def add_peak(world: World) -> None:
    """A feature whose limit is on a maximum, which is no sum."""
    async with world.database.transaction(world.environment) as connection:
        await add_meter(
            connection, world.environment, {**TOKENS, "key": "peak", "aggregation": "max"}
        )
        feature = {"key": "peak", "type": "metered", "meter": "peak"}
        await add(connection, world.environment, "features", new_id("fea"), feature)
        given = OverrideRow("peak", {**CALLS, "feature": "peak"}, "promised", "key:a", TENTH, None)
        await put_override(connection, world.environment, world.acme, given)


async def test_what_is_no_sum_is_fresh_until_events_come(world: World) -> None:
    await add_peak(world)
    await world.refresh("peak")
    assert (await world.find("peak")).is_fresh
    await world.use("e1")
    assert not (await world.find("peak")).is_fresh
    assert await world.keep_up() == 1
    kept = await world.find("peak")
    assert (kept.is_fresh, kept.allowance.used) == (True, F(10))


async def test_too_much_news_is_computed(world: World) -> None:
    await world.refresh()
    events = [an_event(f"e{n}") for n in range(allowances.MOST_NEWS + 1)]
    for each in (events[:100], events[100:200], events[200:]):
        assert (await world.find()).is_fresh
        await send(world.database, world.environment, each)
    assert not (await world.find()).is_fresh
    assert (await world.refresh()).allowance.used == 10 * len(events)
    await send(world.database, world.environment, [an_event(f"f{n}") for n in range(101)])
    assert not (await world.find()).is_fresh  # more at once than is told of


async def test_news_waits_for_the_sums_that_are_read_with_it(world: World) -> None:
    """Whoever the pump has not come to yet loses nothing, and is not stale meanwhile."""
    await world.refresh()
    await world.use("e1")
    async with world.database.transaction(world.environment) as connection:
        await take_all_news(connection, world.environment)
    kept = await world.find()
    assert (kept.is_fresh, kept.allowance.used) == (True, F(10))
    assert await world.keep_up() == 1
    async with world.database.transaction(world.environment) as connection:
        await take_all_news(connection, world.environment)
        left = text("SELECT count(*) FROM usage_news")
        assert (await connection.execute(left)).scalar_one() == 0
    assert (await world.find()).allowance.used == 10


async def test_who_computes_longer_than_the_next_keeps_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is younger stays: the news that the older one lacks may have been taken away."""
    await world.refresh()
    computing = entitling._compute_all

    async def slowly(*asked: object) -> object:
        computed = await computing(*asked)  # type: ignore[arg-type]  # passed on as they came
        await world.use("e1")
        with monkeypatch.context() as quick:
            quick.setattr(entitling, "_compute_all", computing)
            await world.refresh()
        async with world.database.transaction(world.environment) as connection:
            await take_all_news(connection, world.environment)
        return computed

    with monkeypatch.context() as patched:
        patched.setattr(entitling, "_compute_all", slowly)
        assert not (await world.refresh()).is_fresh
    kept = await world.find()
    assert (kept.is_fresh, kept.allowance.used) == (True, F(10))


async def test_what_an_older_build_has_kept_is_computed_again(world: World) -> None:
    """It knows no tally, and moves the watermark alone."""
    await world.use("e1")
    await world.refresh()
    await world.use("e2")
    older = text("""
        UPDATE allowances SET stale = false, used = 20, watermark = pg_snapshot_xmin(pg_current_snapshot())
    """)
    async with world.database.transaction(world.environment) as connection:
        await connection.execute(older)
        await connection.execute(text("DELETE FROM usage_news"))
    await world.use("e3")
    assert not (await world.find()).is_fresh
    assert (await world.refresh()).allowance.used == 30


async def test_what_the_pump_took_note_of_is_stale_or_computed(world: World) -> None:
    await world.use("e1")
    await world.refresh()
    await world.refresh("sso")
    await world.use("e2")
    assert await world.keep_up() == 1
    kept = await world.find()
    assert (kept.is_fresh, kept.allowance.used) == (True, F(20))
    assert await world.keep_up() == 0


async def test_who_computes_while_the_news_is_taken_keeps_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was computed of a snapshot without the event must not outlast the note that there is one."""
    await world.refresh()
    computing = entitling._compute_all

    async def slowly(*asked: object) -> object:
        computed = await computing(*asked)  # type: ignore[arg-type]  # passed on as they came
        await world.use("e1")
        async with world.database.transaction(world.environment) as connection:
            await take_all_news(connection, world.environment)
        return computed

    monkeypatch.setattr(entitling, "_compute_all", slowly)
    await world.set(timezone="Europe/Vienna")  # so that it is stale before
    answered = await world.refresh()
    assert (answered.is_fresh, answered.allowance.used) == (False, F(0))
    assert not (await world.find()).is_fresh


async def test_who_computes_while_a_subscription_changes_keeps_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.refresh()
    computing = entitling._compute_all

    async def slowly(*asked: object) -> object:
        computed = await computing(*asked)  # type: ignore[arg-type]  # passed on as they came
        await world.set(status="paused")
        return computed

    with monkeypatch.context() as patched:
        patched.setattr(entitling, "_compute_all", slowly)
        assert not (await world.refresh()).is_fresh
    assert not (await world.find()).is_fresh
    assert (await world.refresh()).allowance.reason == "not_entitled"
    assert (await world.find()).is_fresh


async def test_a_row_is_not_made_past_a_change_that_is_under_way(world: World) -> None:
    """The change saw no row to mark; so the row waits for it, and what is computed knows it."""
    async with world.database.transaction(world.environment) as connection:
        state = await subscriptions.state_of(connection, world.subscription)
        paused = replace(state, status="paused")
        await subscriptions.save_subscription(connection, paused)
        refreshing = asyncio.create_task(world.refresh())
        done, _ = await asyncio.wait([refreshing], timeout=0.2)
        assert not done
    assert (await refreshing).allowance.reason == "not_entitled"
    assert (await world.find()).is_fresh


async def test_what_is_reserved_is_nobody_elses_to_change(world: World) -> None:
    await world.refresh()
    async with world.database.transaction(world.environment) as connection:
        await connection.execute(RESERVE)
    await world.use("e1")
    assert (await world.refresh()).reserved == 30
    kept = await world.find()
    assert (kept.reserved, kept.allowance.used) == (F(30), F(10))


async def test_lives_that_are_over_stand_in_nobody_s_way(world: World) -> None:
    """However many there were before the one that goes on."""
    async with world.database.transaction(world.environment) as connection:
        await connection.execute(
            text("""
                INSERT INTO subscriptions (id, environment_id, key, customer_id, plan_key, plan_version, status, state)
                SELECT 'sub_0' || n, environment_id, 'old' || n, customer_id, plan_key, plan_version, 'cancelled',
                    state || '{"status": "cancelled"}'
                FROM subscriptions, generate_series(1, 1001) AS n WHERE id = :id
            """),
            {"id": world.subscription},
        )
    assert (await world.refresh()).allowance.limit == 100


async def test_a_parents_subscription_is_a_childs_as_long_as_it_belongs(world: World) -> None:
    async with world.database.transaction(world.environment) as connection:
        await is_born_to(connection, world.environment, world.north, world.acme, "self")
    assert (await world.refresh(customer=world.north)).allowance.reason == "not_entitled"
    await world.set(pools_usage=True)
    assert not (await world.find(customer="north")).is_fresh
    await world.refresh(customer=world.north)
    await world.use("e1")
    assert not (await world.find(customer="north")).is_fresh
    assert await world.keep_up() == 1
    assert (await world.find(customer="north")).allowance.used == 10
    async with world.database.transaction(world.environment) as connection:
        await leaves(connection, world.north, TENTH)
    assert not (await world.find(customer="north")).is_fresh
    assert (await world.refresh(customer=world.north)).allowance.reason == "not_entitled"


async def test_an_answer_that_becomes_another_is_announced_once(world: World) -> None:
    await world.refresh()
    await world.use("e1", "40")
    await world.keep_up()
    assert await world.told() == []  # some more was used: who keeps the answer keeps it
    await world.use("e2", "60")
    await world.keep_up()
    await world.refresh()
    (told,) = await world.told()
    assert (told["customer"], told["feature"], told["allowed"], told["used"]) == (
        "acme", "tokens", False, "100",
    )  # fmt: skip
    given = OverrideRow("tokens", {**CALLS, "limit": "500"}, "promised", "key:a", TENTH, None)
    async with world.database.transaction(world.environment) as connection:
        await put_override(connection, world.environment, world.acme, given)
    await world.keep_up()
    (_, again) = await world.told()
    assert (again["allowed"], again["limit"], again["remaining"]) == (True, "500", "400")


async def test_an_answer_ends_with_its_window(world: World) -> None:
    await world.use("e1")
    await world.refresh()
    move = text("UPDATE test_clocks SET now = '2026-02-01T00:00:00Z'")
    async with world.database.transaction(world.environment) as connection:
        await connection.execute(move)
    assert not (await world.find()).is_fresh
    assert await world.keep_up() == 1
    kept = await world.find()
    assert (kept.is_fresh, kept.allowance.used) == (True, F(0))


async def test_a_check_probes_indexes_alone(world: World) -> None:
    """With sequential scans as dear as they are in a big table, none is left, whatever the planner knows of them."""
    await world.refresh()
    asked = {"customer": "acme", "feature": "tokens", "now": datetime.now(UTC)}
    async with world.database.transaction(world.environment) as connection:
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = (await connection.execute(PLANNED, asked)).scalar_one()
    assert "Seq Scan" not in str(plan)
    assert str(plan).count("usage_news_pkey") == 1


async def take_all_news(connection: AsyncConnection, environment: str) -> None:
    """As the pump does once the transactions that run now have ended."""
    await take_news_before(connection, environment, await all_seen(connection))
