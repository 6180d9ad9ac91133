"""Who is in a pool as the usage log knew it, and whose usage reaches whom."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from db.families import children_known, is_born_to, joins, leaves
from db.ids import new_id
from db.session import Database
from db.subscriptions import add_subscription
from db.tenants import Environment
from db.usage_arrivals import arrivals
from db.usage_horizon import wait_for_horizon
from db.usage_late import ClosedWindow, late_windows
from db.usage_measures import Consumer
from db.usage_pump import pump_once
from db.usage_totals import totals_of
from domain.families import EVER, Member
from domain.metering.consumption import BEGINNING
from domain.metering.meter import read_meter
from domain.reading import instant
from tests.billing_world import METERED, PRO, open_world
from tests.usage_world import JANUARY, TOKENS, add_customer, add_meter, an_event, send

TENTH = instant("2026-01-10T00:30:00Z")
TWENTIETH = instant("2026-01-20T00:00:00Z")


class Family:
    """Two children of a group: `north` from the beginning, `south` from the 10th to the 20th of January."""

    def __init__(self, database: Database, environment: str) -> None:
        self.database, self.environment = database, environment
        self.ids: dict[str, str] = {}

    async def found(self) -> None:
        async with self.database.transaction(self.environment) as connection:
            await add_meter(connection, self.environment, TOKENS)
            for key in ("group", "north", "south", "stranger"):
                self.ids[key] = await add_customer(connection, self.environment, key)

    async def bear(self) -> None:
        async with self.database.transaction(self.environment) as connection:
            north, group = self.ids["north"], self.ids["group"]
            await is_born_to(connection, self.environment, north, group, "self")
            await is_born_to(connection, self.environment, north, group, "self")

    async def adopt(self) -> None:
        async with self.database.transaction(self.environment) as connection:
            south, group = self.ids["south"], self.ids["group"]
            await joins(connection, self.environment, south, group, "parent", TENTH)

    async def part(self) -> None:
        async with self.database.transaction(self.environment) as connection:
            await leaves(connection, self.ids["south"], TWENTIETH)

    async def known(self, before: int) -> tuple[Member, ...]:
        async with self.database.transaction(self.environment) as connection:
            return await children_known(connection, self.ids["group"], before)

    async def consumer(self, before: int) -> Consumer:
        return Consumer(self.ids["group"], "s1", children=await self.known(before))

    async def use(self, customer: str, time: str) -> None:
        event = an_event(f"{customer} {time}", customer=customer, time=time)
        assert (await send(self.database, self.environment, [event])).accepted == 1


@pytest.fixture
async def family(database: Database, environment: Environment) -> Family:
    family = Family(database, environment.id)
    await family.found()
    return family


async def test_a_membership_is_known_from_the_transaction_that_brought_it(family: Family) -> None:
    nobody = await wait_for_horizon(family.database)
    await family.bear()
    born = await wait_for_horizon(family.database)
    await family.adopt()
    adopted = await wait_for_horizon(family.database)
    await family.part()
    parted = await wait_for_horizon(family.database)
    north = Member(family.ids["north"], BEGINNING, EVER)
    south = Member(family.ids["south"], TENTH, EVER)
    assert await family.known(nobody) == ()
    assert await family.known(born) == (north,)
    assert await family.known(adopted) == (north, south)
    assert await family.known(parted) == (north, Member(south.customer, TENTH, TWENTIETH))


@pytest.mark.parametrize("pumped", [True, False])
@pytest.mark.parametrize(
    ("customer", "time", "is_late"),
    [
        ("group", "2026-01-15T00:00:00Z", True),
        ("north", "2026-01-15T00:00:00Z", True),
        ("north", "2026-02-01T00:00:00Z", False),
        ("south", "2026-01-15T00:00:00Z", True),
        ("south", "2026-01-10T00:30:00Z", True),
        ("south", "2026-01-09T23:59:59Z", False),
        ("south", "2026-01-20T00:00:00Z", False),
        ("stranger", "2026-01-15T00:00:00Z", False),
    ],
)
async def test_what_a_member_used_makes_a_window_of_the_pool_late(
    family: Family, customer: str, time: str, is_late: bool, pumped: bool
) -> None:
    await family.bear()
    await family.adopt()
    await family.part()
    await family.use("south", "2026-01-16T00:00:00Z")
    cutoff = await wait_for_horizon(family.database)
    await family.use(customer, time)
    until = await wait_for_horizon(family.database)
    if pumped:
        await pump_once(family.database, family.environment)
    window = ClosedWindow(read_meter(TOKENS), JANUARY, cutoff)
    consumer = await family.consumer(until)
    async with family.database.transaction(family.environment) as connection:
        late = await late_windows(connection, consumer, [window], until)
    assert late == ((0,) if is_late else ())


async def test_totals_are_of_all_members_while_they_are(family: Family) -> None:
    await family.bear()
    await family.adopt()
    await family.part()
    for time in ("2026-01-10T00:00:00Z", "2026-01-10T00:30:00Z", "2026-01-25T00:00:00Z"):
        for customer in ("group", "north", "south", "stranger"):
            await family.use(customer, time)
    until = await wait_for_horizon(family.database)
    await pump_once(family.database, family.environment)
    async with family.database.transaction(family.environment, "REPEATABLE READ") as connection:
        totals = await totals_of(connection, await family.consumer(until), JANUARY)
    assert totals.quantities == {"tokens": 10 * (3 + 3 + 1)}


async def test_no_row_of_usage_is_read_twice_however_often_a_child_comes_back(
    family: Family,
) -> None:
    hour = timedelta(hours=1)
    async with family.database.transaction(family.environment) as connection:
        for day in range(5):
            at = TENTH + timedelta(days=day)
            south, group = family.ids["south"], family.ids["group"]
            await joins(connection, family.environment, south, group, "self", at)
            await leaves(connection, south, at + hour)
    for time in ("2026-01-10T00:45:00Z", "2026-01-11T01:15:00Z", "2026-01-12T02:00:00Z"):
        await family.use("south", time)
    until = await wait_for_horizon(family.database)
    await pump_once(family.database, family.environment)
    async with family.database.transaction(family.environment, "REPEATABLE READ") as connection:
        totals = await totals_of(connection, await family.consumer(until), JANUARY)
    assert totals.quantities == {"tokens": 20}


async def test_a_customer_belongs_to_one_parent_at_a_time(family: Family) -> None:
    await family.adopt()
    with pytest.raises(Exception, match="memberships_standing"):
        await family.adopt()


async def test_an_environment_sees_its_own_families_alone(
    family: Family, database: Database
) -> None:
    await family.bear()
    async with database.transaction("env_another") as connection:
        assert (await connection.execute(text("SELECT * FROM memberships"))).all() == []


async def test_only_those_who_pool_are_told_of_a_child_s_usage(
    database: Database, environment: Environment
) -> None:
    plan = {**PRO, "items": [{**METERED, "charged": "in_advance"}]}
    world = await open_world(database, environment, plan)
    await world.begin()
    pooling = replace(world.subscription, id=new_id("sub"), key="s2", pools_usage=True)
    async with database.transaction(world.environment) as connection:
        await add_subscription(connection, pooling)
        clock = world.subscription.test_clock
        child = await add_customer(connection, world.environment, "child", clock)
        await joins(connection, world.environment, child, world.customer, "self", TENTH)
    for time in ("2026-01-10T00:00:00Z", "2026-01-11T00:00:00Z"):
        event = an_event(time, customer="child", time=time)
        await send(database, world.environment, [event])
    await wait_for_horizon(database)
    async with database.transaction(world.environment) as connection:
        arrived, _ = await arrivals(connection, world.environment, clock or "")
    told = [(each.subscription, each.event) for each in arrived]
    assert told == [(pooling.id, "2026-01-11T00:00:00Z")]


def test_a_grain_in_which_somebody_came_or_went_is_measured_anew() -> None:
    hour = timedelta(hours=1)
    children = (Member("a"), Member("b", TENTH, TWENTIETH))
    consumer = Consumer("group", children=children)
    assert consumer.divided(hour) == {instant("2026-01-10T00:00:00Z"), TWENTIETH}
    assert Consumer("group").divided(hour) == set()
