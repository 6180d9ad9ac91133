"""What rolls over and is prorated, on real rows: once, and announced."""

from collections.abc import Sequence
from datetime import datetime

from db.ids import new_id
from db.plans import add_version, lock_plan
from db.session import Database
from db.tenants import Environment
from domain.commands import ChangePlan
from domain.plans import PlanRef
from tests.billing_world import FEBRUARY, JANUARY, PRO, World, open_world

MONTH = {"unit": "month"}
CREDIT = {"key": "monthly", "amount": "10.00", "expires_after": MONTH, "scope": {"items": ["none"]}}
GRANTS = "SELECT amount_minor, ended_at FROM credit_grants ORDER BY seq"
TOLD = """
    SELECT topic, body ->> 'key', body ->> 'amount' FROM outbox
    WHERE topic LIKE 'credit_grant.%' ORDER BY seq
"""


async def crediting(database: Database, environment: Environment, **members: object) -> World:
    plan = {**PRO, "credits": [{**CREDIT, **members}]}
    world = await open_world(database, environment, plan=plan)
    await world.begin()
    return world


async def moved(world: World) -> Sequence[tuple[str, int]]:
    ledger = await world.ledger()
    credit = [
        (each.movement, -posting.amount.minor)
        for each in ledger
        for posting in each.postings
        if posting.account.startswith("credits:")
    ]
    assert all(sum(posting.amount.minor for posting in each.postings) == 0 for each in ledger)
    return credit


async def test_what_is_left_goes_over_once(database: Database, environment: Environment) -> None:
    world = await crediting(database, environment, rollover={"maximum": "4.00"})
    before = world.subscription
    turn = await world.end_period()
    world.subscription = before
    assert await world.end_period() == turn
    expected = [("grant", 1000), ("grant", 1000), ("transfer", -400), ("transfer", 400), ("expire", -600)]  # fmt: skip
    assert await moved(world) == expected
    assert await world.rows(GRANTS) == [(1000, FEBRUARY), (1000, None)]
    assert (await world.rows(TOLD))[1:] == [
        ("credit_grant.created", "monthly", "10.00"),
        ("credit_grant.expired", "monthly", "6.00"),
    ]
    assert [timer.is_carried for timer in world.subscription.grants] == [True]


async def test_what_a_change_takes_back_is_announced(
    database: Database, environment: Environment
) -> None:
    world = await crediting(database, environment, on_plan_change="prorate")
    half = datetime(2026, 1, 16, 12, tzinfo=JANUARY.tzinfo)
    plus = {**PRO, "key": "plus", "credits": [{**CREDIT, "on_plan_change": "prorate"}]}
    async with database.transaction(environment.id) as connection:
        plan = await lock_plan(connection, environment.id, new_id("pln"), "plus")
        await add_version(connection, environment.id, plan, plus)
    turn = await world.ask(ChangePlan(PlanRef("plus", 1), "immediately"), half, "req_1")
    assert turn.answer["invoices"]
    assert await moved(world) == [("grant", 1000), ("void", -500), ("grant", 500)]
    assert ("credit_grant.voided", "monthly", "5.00") in await world.rows(TOLD)
