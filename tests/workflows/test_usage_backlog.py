"""A log that is longer than a round: what is rolled up of it counts, and nobody waits for the rest."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import cast

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio.client import Client

import activities.usage
import activities.watching
from activities.usage import STEPS_A_ROUND, UsageSteps
from activities.watching import watch
from db.ids import new_id
from db.running import rate_payers
from db.running_facts import Payer
from db.session import Database
from db.subscriptions import add_subscription
from db.tenants import Environment
from db.usage_horizon import wait_for_horizon
from domain import lifecycle
from domain.catalog import read_plan
from domain.customers import Customer
from domain.errors import Unavailable
from tests.billing_world import JANUARY, PRO, World, open_world
from tests.conftest import fresh_environment
from tests.db.test_wallets import wallet
from tests.usage_world import TOKENS, add_customer, add_meter, an_event, send
from tests.workflows.test_usage_pump import Recorder

TAKEN = JANUARY + timedelta(days=3)
BACKLOG = 2 * STEPS_A_ROUND + 3


def steps_of(database: Database) -> UsageSteps:
    return UsageSteps(database, cast(Client, Recorder()), events_a_step=1)


async def begun(database: Database, environment: Environment) -> World:
    world = await open_world(database, environment)
    await world.begin()
    await world.grant(100_000)
    return world


async def neighbour(world: World, key: str) -> World:
    """Another customer of the same environment, with a subscription to the same plan."""
    async with world.database.transaction(world.environment) as connection:
        clock = world.subscription.test_clock
        customer = await add_customer(connection, world.environment, key, clock)
        life = lifecycle.new_subscription(
            id=new_id("sub"),
            key=key,
            customer=Customer(customer, key, test_clock=clock),
            plan=read_plan(PRO, 1),
            at=JANUARY,
            quantities={},
            environment=world.environment,
        )
        await add_subscription(connection, life)
    other = World(world.database, world.environment, customer, life)
    await other.begin()
    await other.grant(100_000)
    return other


async def running(world: World) -> str:
    return str((await wallet(world)).running)


async def use(world: World, customer: str, tokens: int) -> None:
    properties = {"tokens": str(tokens)}
    event = an_event(new_id("evt"), customer=customer, time=TAKEN, properties=properties)
    assert (await send(world.database, world.environment, [event])).accepted == 1


async def test_a_backlog_is_rolled_up_in_rounds_and_holds_up_nobody(
    database: Database, environment: Environment
) -> None:
    acme = await begun(database, environment)
    globex = await neighbour(acme, "globex")
    elsewhere = await begun(database, await fresh_environment(database))
    await use(acme, "globex", 500)
    for _ in range(BACKLOG):
        await use(acme, "acme", 100)
    await use(elsewhere, "acme", 700)
    await wait_for_horizon(database)
    steps = steps_of(database)
    seen: list[str] = []
    while not seen or seen[-1] != f"{BACKLOG}.00":
        await steps.pump_shard(0, 1)
        assert (await running(globex), await running(elsewhere)) == ("5.00", "7.00")
        seen.append(await running(acme))
    first = STEPS_A_ROUND - 1  # one was globex's
    assert seen == [f"{first}.00", f"{first + STEPS_A_ROUND}.00", f"{BACKLOG}.00"]
    assert await steps.pump_environment(acme.environment) == 0


async def test_nobody_waits_for_a_meter_that_catches_up(
    database: Database, environment: Environment
) -> None:
    acme = await begun(database, environment)
    for _ in range(BACKLOG):
        await use(acme, "acme", 100)
    await wait_for_horizon(database)
    steps = steps_of(database)
    while await steps.pump_environment(acme.environment):
        pass
    async with database.transaction(acme.environment) as connection:
        await add_meter(connection, acme.environment, {**TOKENS, "key": "later"})
    await use(acme, "acme", 50)
    await wait_for_horizon(database)
    await steps.pump_environment(acme.environment)
    assert await running(acme) == f"{BACKLOG}.50"
    marks = "SELECT count(DISTINCT rolled_up_to) FROM meters"
    assert await acme.rows(marks) == [(2,)]
    while await steps.pump_environment(acme.environment):
        pass
    assert await acme.rows(marks) == [(1,)]
    counted = "SELECT meter, sum(count)::int, sum(total)::int FROM usage_rollups GROUP BY meter ORDER BY meter"
    total = (BACKLOG + 1, 100 * BACKLOG + 50)
    assert await acme.rows(counted) == [("later", *total), ("tokens", *total)]


async def test_a_customer_whose_rows_are_away_holds_up_no_other(
    database: Database, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = await begun(database, environment)
    globex = await neighbour(acme, "globex")
    for customer in ("acme", "globex"):
        await use(acme, customer, 500)
    await wait_for_horizon(database)

    async def away(database: Database, environment: str, payers: Collection[Payer]) -> None:
        if any(payer.customer == acme.customer for payer in payers):
            raise Unavailable("a deadlock, say")
        await rate_payers(database, environment, payers)

    steps = steps_of(database)
    with monkeypatch.context() as patched:
        patched.setattr(activities.usage, "rate_payers", away)
        await steps.pump_shard(0, 1)
    assert (await running(acme), await running(globex)) == ("0.00", "5.00")
    await steps.pump_shard(0, 1)
    assert await running(acme) == "5.00"


async def test_who_always_fails_is_tried_after_the_others(
    database: Database, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = await begun(database, environment)
    globex = await neighbour(acme, "globex")
    for customer in ("acme", "globex"):
        await use(acme, customer, 500)
    await wait_for_horizon(database)
    first = min(acme.customer, globex.customer)
    tried: list[str] = []

    async def fails(database: Database, environment: str, payers: Collection[Payer]) -> None:
        (payer,) = payers
        tried.append(payer.customer)
        if payer.customer == first:
            raise ValueError("it always does")
        await rate_payers(database, environment, payers)

    monkeypatch.setattr(activities.usage, "WALLETS_A_ROUND", 1)
    monkeypatch.setattr(activities.usage, "rate_payers", fails)
    for _ in range(3):
        await steps_of(database).pump_environment(environment.id)
    assert tried == [first, max(acme.customer, globex.customer), first]
    assert {await running(acme), await running(globex)} == {"0.00", "5.00"}


async def test_watching_has_a_share_of_a_round(
    database: Database, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallets = [Payer(f"c{number}", "USD") for number in range(20)]
    customers = [payer.customer for payer in wallets]
    looked: list[Payer | str] = []

    async def to_watch(connection: AsyncConnection, limit: int) -> Sequence[Payer]:
        return wallets

    async def to_look_at(connection: AsyncConnection, limit: int) -> Sequence[str]:
        return customers

    async def look(database: Database, environment: str, wanted: Payer | str) -> None:
        looked.append(wanted)
        raise Unavailable("just now")

    monkeypatch.setattr(activities.watching, "wallets_to_watch", to_watch)
    monkeypatch.setattr(activities.watching, "customers_to_look_at", to_look_at)
    monkeypatch.setattr(activities.watching, "watch_wallet", look)
    monkeypatch.setattr(activities.watching, "watch_customer", look)
    await watch(database, environment.id, timedelta(0))
    assert looked == [each for pair in zip(wallets[:5], customers, strict=False) for each in pair]
    looked.clear()
    await watch(database, environment.id, timedelta(hours=1))
    assert len(looked) == len(wallets) + len(customers)
