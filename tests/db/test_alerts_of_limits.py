"""Alerts of limits on real rows: whatever gives or changes a limit is looked at by itself, without usage or a wallet."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from activities import alerting
from db.catalog import add
from db.customer_entitlements import OverrideRow, put_override, remove_override
from db.families import is_born_to
from db.ids import new_id
from db.session import Database
from db.subscriptions import save_subscription
from db.tenants import Environment
from tests.billing_world import JANUARY, PRO, World, open_world
from tests.db.test_alerts import DAY, Tower
from tests.db.test_wallets import at
from tests.usage_world import add_customer

CALLS = {"feature": "calls", "type": "metered", "limit": "10", "reset": "day"}


async def add_feature(world: World) -> None:
    async with world.database.transaction(world.environment) as connection:
        feature = {"key": "calls", "type": "metered", "meter": "tokens"}
        await add(connection, world.environment, "features", new_id("fea"), feature)


async def give(world: World, customer: str, limit: str, expires_at: datetime | None = None) -> None:
    document = {"feature": "calls", "type": "metered", "limit": limit}
    row = OverrideRow("calls", document, "promised", "a test", JANUARY, expires_at)
    async with world.database.transaction(world.environment) as connection:
        await put_override(connection, world.environment, customer, row)


@pytest.fixture
async def tower(database: Database, environment: Environment) -> Tower:
    """Whose customer has nothing but what it is given."""
    world = await open_world(database, environment)
    await add_feature(world)
    await world.rows("DELETE FROM subscriptions RETURNING id")
    return Tower(world)


@pytest.mark.parametrize("is_named", [True, False])
async def test_who_has_nothing_but_an_override_is_told_at_once(
    tower: Tower, is_named: bool
) -> None:
    world = tower.world
    named = world.customer if is_named else None
    await tower.alert(named, type="limit", feature="calls", thresholds=["80", "100"])
    assert await tower.look() == []
    await give(world, world.customer, "10")
    await world.use("e1", 8, JANUARY)
    assert await tower.look() == [("triggered", "80", "80", 1)]
    await give(world, world.customer, "8")
    assert (await tower.look())[1:] == [("triggered", "100", "100", 1)]
    await give(world, world.customer, "10")
    assert (await tower.look())[2:] == [("recovered", "100", "80", 1)]
    async with world.database.transaction(world.environment) as connection:
        await remove_override(connection, world.customer, "calls")
    assert (await tower.look())[3:] == [("recovered", "80", "0", 1)]
    await give(world, world.customer, "10")
    assert (await tower.look())[4:] == [("triggered", "80", "80", 2)]
    assert await world.rows("SELECT * FROM wallets") == []


async def test_what_was_given_before_the_alert_is_looked_at_too(tower: Tower) -> None:
    await give(tower.world, tower.world.customer, "10")
    await tower.world.use("e1", 8, JANUARY)
    await tower.look()
    await tower.alert(type="limit", feature="calls", threshold="80")
    assert await tower.look() == [("triggered", "80", "80", 1)]


async def test_an_override_that_expires_is_over_by_time_alone(tower: Tower) -> None:
    world = tower.world
    await tower.alert(type="limit", feature="calls", threshold="80")
    await give(world, world.customer, "10", JANUARY + DAY)
    await world.use("e1", 8, JANUARY)
    assert await tower.look() == [("triggered", "80", "80", 1)]
    await at(world, "2026-01-02T00:00:00Z")
    assert (await tower.look())[1:] == [("recovered", "80", "0", 1)]


async def test_a_limit_that_is_changed_beside_a_plan_is_looked_at_without_usage(
    database: Database, environment: Environment
) -> None:
    world = await open_world(database, environment, {**PRO, "entitlements": [CALLS]})
    await add_feature(world)
    await world.begin()
    tower = Tower(world)
    await tower.alert(type="limit", feature="calls", threshold="100")
    await world.use("e1", 10, JANUARY + timedelta(hours=1))
    await at(world, "2026-01-01T02:00:00Z")
    assert await tower.look() == [("triggered", "100", "100", 1)]
    document = {**CALLS, "limit": "20"}
    async with database.transaction(environment.id) as connection:
        row = OverrideRow("calls", document, "promised", "a test", JANUARY, None)
        await put_override(connection, environment.id, world.customer, row)
    assert (await tower.look())[1:] == [("recovered", "100", "50", 1)]


async def test_a_look_that_crashes_is_repeated(
    tower: Tower, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: object) -> None:
        raise RuntimeError("the power went")

    world = tower.world
    await tower.alert(type="limit", feature="calls", threshold="80")
    await give(world, world.customer, "10")
    await world.use("e1", 8, JANUARY)
    with monkeypatch.context() as context:
        context.setattr("activities.watching.look_again", crash)
        assert await tower.look() == []
    assert await tower.look() == [("triggered", "80", "80", 1)]


async def test_what_is_changed_during_a_look_is_looked_at_again(
    tower: Tower, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, look = tower.world, alerting.watch_use

    async def changed_meanwhile(*arguments: object) -> datetime | None:
        found = await look(*arguments)  # type: ignore[arg-type]  # as it was called
        await give(world, world.customer, "8")
        return found

    await tower.alert(type="limit", feature="calls", thresholds=["80", "100"])
    await give(world, world.customer, "10")
    await world.use("e1", 8, JANUARY)
    with monkeypatch.context() as context:
        context.setattr("activities.watching.watch_use", changed_meanwhile)
        await tower.follow()
        assert (await tower.look())[0] == ("triggered", "80", "80", 1)
    assert (await tower.look())[1:] == [("triggered", "100", "100", 1)]


async def test_nobody_is_looked_at_whom_no_alert_watches(tower: Tower) -> None:
    world = tower.world
    await give(world, world.customer, "10")
    await tower.alert(type="spend", currency="USD", threshold="5")
    await tower.look()
    await give(world, world.customer, "20")
    await world.use("e1", 8, JANUARY)
    await tower.follow()
    assert await world.rows("SELECT * FROM customer_looks") == []


async def test_what_a_parent_uses_up_is_told_of_its_child(
    database: Database, environment: Environment
) -> None:
    world = await open_world(database, environment, {**PRO, "entitlements": [CALLS]})
    await add_feature(world)
    await world.begin()
    async with database.transaction(environment.id) as connection:
        await save_subscription(connection, replace(world.subscription, pools_usage=True))
        ((clock,),) = await connection.execute(text("SELECT id FROM test_clocks"))
        child = await add_customer(connection, environment.id, "north", clock)
        await is_born_to(connection, environment.id, child, world.customer, "self")
    tower = Tower(world)
    await tower.alert(child, type="limit", feature="calls", threshold="80")
    assert await tower.look() == []
    await world.use("e1", 8, JANUARY)
    assert await tower.look() == [("triggered", "80", "80", 1)]
