"""Alerts on real rows: told once for each crossing and period, of spend, usage, balances and what is to come."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from activities.watching import watch
from db.alerts import add_alert, remove_alert
from db.allowance_upkeep import due_allowances
from db.catalog import add
from db.entitling import refresh
from db.ids import new_id
from db.session import Database
from db.tenants import Environment
from db.usage_horizon import wait_for_horizon
from db.wallets import repost, wallets_behind
from tests.billing_world import FEBRUARY, JANUARY, METERED, PRO, World, open_world
from tests.db.test_wallets import at, pumped
from tests.usage_world import add_customer

DAY = timedelta(days=1)
Told = tuple[str, str, str, int]  # status, threshold, value, crossing


@dataclass(slots=True)
class Tower:
    """Who watches a world."""

    world: World

    async def alert(self, customer: str | None = None, **document: object) -> str:
        own_id = new_id("alr")
        row: Mapping[str, Any] = {"key": own_id, **document}
        async with self.world.database.transaction(self.world.environment) as connection:
            await add_alert(connection, self.world.environment, own_id, row, customer)
        return own_id

    async def follow(self) -> None:
        """Wallets are opened to an alert once all have ended who had begun before it was seen: on a busy server too."""
        await watch(self.world.database, self.world.environment)
        await wait_for_horizon(self.world.database)
        await watch(self.world.database, self.world.environment)
        await pumped(self.world)
        await refresh(
            self.world.database,
            self.world.environment,
            await due_allowances(self.world.database, self.world.environment, 100),
        )

    async def look(self) -> list[Told]:
        """Follow the usage log and look at what changed; all that was told so far."""
        await self.follow()
        await watch(self.world.database, self.world.environment)
        rows = await self.world.rows(
            "SELECT status, threshold, value, crossing FROM alert_events ORDER BY seq"
        )
        return [(status, threshold, value, crossing) for status, threshold, value, crossing in rows]


@pytest.fixture
async def tower(database: Database, environment: Environment) -> Tower:
    world = await open_world(database, environment)
    await world.begin()
    return Tower(world)


async def test_spend_is_told_once_for_each_threshold_and_period(tower: Tower) -> None:
    world = tower.world
    await tower.alert(type="spend", currency="USD", thresholds=["5", "10.00"])
    await world.use("e1", 600, JANUARY + DAY)
    assert await tower.look() == [("triggered", "5", "6", 1)]
    await world.use("e2", 600, JANUARY + DAY)
    assert (await tower.look())[1:] == [("triggered", "10", "12", 1)]
    await world.use("e3", 600, JANUARY + DAY)
    assert len(await tower.look()) == 2
    await world.end_period()
    assert (await tower.look())[2:] == [("recovered", "5", "0", 0), ("recovered", "10", "0", 0)]
    await world.use("e4", 500, FEBRUARY + DAY)
    assert (await tower.look())[4:] == [("triggered", "5", "5", 1)]
    told = await world.rows("SELECT body FROM outbox WHERE topic = 'alert.triggered' ORDER BY seq")
    assert [(body["customer"], body["threshold"], body["value"]) for (body,) in told] == [
        ("acme", "5.00", "6"),
        ("acme", "10.00", "12"),
        ("acme", "5.00", "5"),
    ]


async def test_what_was_billed_as_it_arrived_is_spent_too(
    database: Database, environment: Environment
) -> None:
    as_used = {**METERED, "key": "at-once", "charged": "in_advance"}
    world = await open_world(database, environment, {**PRO, "items": [as_used, METERED]})
    tower = Tower(world)
    await tower.alert(type="spend", currency="USD", thresholds=["4", "5"])
    await world.use("e1", 200, JANUARY)
    await world.begin()
    await world.start_window()
    assert await world.rows("SELECT total_minor FROM invoices") == [(200,)]
    assert await tower.look() == [("triggered", "4", "4", 1)]


async def test_a_balance_falls_to_its_threshold_and_rises_again(tower: Tower) -> None:
    world = tower.world
    await tower.alert(world.customer, type="balance", currency="USD", threshold="5")
    await world.grant(1_000)
    assert await tower.look() == []
    await world.use("e1", 500, JANUARY + DAY)
    assert await tower.look() == [("triggered", "5", "5", 1)]
    await world.grant(100)
    assert (await tower.look())[1:] == [("recovered", "5", "6", 1)]
    await world.use("e2", 300, JANUARY + DAY)
    assert (await tower.look())[2:] == [("triggered", "5", "3", 2)]


async def test_a_balance_that_falls_by_time_alone_is_told(tower: Tower) -> None:
    await tower.alert(type="balance", currency="USD", threshold="0")
    await tower.world.grant(1_000, expires_at=JANUARY + DAY)
    assert await tower.look() == []
    await at(tower.world, "2026-01-03T00:00:00Z")
    async with tower.world.database.transaction(tower.world.environment) as connection:
        ((customer, currency),) = await wallets_behind(connection, 10)
        await repost(connection, tower.world.environment, customer, currency)
    assert await tower.look() == [("triggered", "0", "0", 1)]


async def test_usage_of_a_meter_is_counted_within_the_period(tower: Tower) -> None:
    world = tower.world
    await tower.alert(world.customer, type="usage", meter="tokens", threshold="1000")
    await world.use("e1", 999, JANUARY + DAY)
    assert await tower.look() == []
    await world.use("e2", 1, JANUARY + DAY)
    assert await tower.look() == [("triggered", "1000", "1000", 1)]
    await at(world, "2026-02-01T00:00:00Z")
    await world.end_period()
    assert (await tower.look())[1:] == [("recovered", "1000", "0", 0)]
    await world.use("e3", 1_500, FEBRUARY + DAY)
    assert (await tower.look())[2:] == [("triggered", "1000", "1500", 1)]


async def test_a_forecast_changes_by_time_alone(tower: Tower) -> None:
    world = tower.world
    await tower.alert(type="forecast", currency="USD", threshold="50")
    await world.use("e1", 600, JANUARY)
    assert await tower.look() == []  # nothing is gone of the month yet
    await at(world, "2026-01-02T13:11:59Z")
    assert await tower.look() == []
    await at(world, "2026-01-02T13:12:00Z")  # a twentieth
    assert await tower.look() == [("triggered", "50", "120", 1)]
    await at(world, "2026-01-16T12:00:00Z")
    assert (await tower.look())[1:] == [("recovered", "50", "12", 1)]


async def test_a_limit_is_used_up_and_reset_by_time_alone(
    database: Database, environment: Environment
) -> None:
    calls = {"feature": "calls", "type": "metered", "limit": "10", "reset": "day"}
    world = await open_world(database, environment, {**PRO, "entitlements": [calls]})
    async with database.transaction(environment.id) as connection:
        feature = {"key": "calls", "type": "metered", "meter": "tokens"}
        await add(connection, environment.id, "features", new_id("fea"), feature)
    await world.begin()
    tower = Tower(world)
    await tower.alert(type="limit", feature="calls", thresholds=["80", "100"])
    await world.use("e1", 8, JANUARY)
    assert await tower.look() == [("triggered", "80", "80", 1)]
    await world.use("e2", 3, JANUARY)
    assert (await tower.look())[1:] == [("triggered", "100", "110", 1)]
    await at(world, "2026-01-02T00:00:00Z")
    assert (await tower.look())[2:] == [("recovered", "80", "0", 0), ("recovered", "100", "0", 0)]


async def test_a_look_that_crashes_is_repeated_and_tells_once(
    tower: Tower, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: object) -> None:
        raise RuntimeError("the power went")

    await tower.alert(type="spend", currency="USD", threshold="5")
    await tower.world.use("e1", 600, JANUARY + DAY)
    with monkeypatch.context() as context:
        context.setattr("activities.watching.note_look", crash)
        assert await tower.look() == []
    assert await tower.look() == [("triggered", "5", "6", 1)]
    assert await tower.look() == [("triggered", "5", "6", 1)]


async def test_a_subscription_that_begins_later_is_watched(
    database: Database, environment: Environment
) -> None:
    world = await open_world(database, environment)
    tower = Tower(world)
    await tower.alert(type="spend", currency="USD", threshold="5")
    assert await tower.look() == []
    await world.begin()
    await world.use("e1", 600, JANUARY + DAY)
    assert await tower.look() == [("triggered", "5", "6", 1)]


async def test_who_looks_at_the_same_time_tells_once(tower: Tower) -> None:
    await tower.alert(type="spend", currency="USD", threshold="5")
    await tower.world.use("e1", 600, JANUARY + DAY)
    await tower.follow()
    await asyncio.gather(*(watch(tower.world.database, tower.world.environment) for _ in range(5)))
    assert await tower.look() == [("triggered", "5", "6", 1)]


async def test_a_child_whose_parent_pays_is_watched_by_itself(tower: Tower) -> None:
    world = tower.world
    await world.use("e1", 600, JANUARY + DAY)
    async with world.database.transaction(world.environment) as connection:
        parent = await add_customer(connection, world.environment, "group")
        await connection.execute(
            text("UPDATE running_usage SET customer_id = :parent, marked = marked + 1"),
            {"parent": parent},
        )
        await connection.execute(
            text(
                "UPDATE subscriptions SET state = jsonb_set(state, '{payer}', to_jsonb(CAST(:parent AS text)))"
            ),
            {"parent": parent},
        )
    await tower.alert(world.customer, type="spend", currency="USD", threshold="5")
    await tower.alert(parent, type="spend", currency="USD", threshold="6")
    told = [("triggered", "5", "6", 1), ("triggered", "6", "6", 1)]
    assert await tower.look() == told
    await world.grant(100)  # to the child's own wallet, from which none of it is paid
    assert await tower.look() == told


async def test_an_alert_that_is_taken_away_leaves_nothing(tower: Tower) -> None:
    world = tower.world
    taken = await tower.alert(type="spend", currency="USD", threshold="5")
    await world.use("e1", 600, JANUARY + DAY)
    await tower.look()
    async with world.database.transaction(world.environment) as connection:
        await remove_alert(connection, taken)
    assert await tower.look() == []
    assert await world.rows("SELECT count(*) FROM alert_standings") == [(0,)]
