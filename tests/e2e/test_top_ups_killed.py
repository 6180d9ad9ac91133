"""A worker that is killed at each step of a top-up: the next one goes on, and it is charged and granted once, or not at all.

One worker, a real process, carries out many top-ups, each of another customer. Each stands still at a place of its own, and
when all do, the worker is killed.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from fractions import Fraction
from functools import partial
from typing import Any
from zlib import crc32

import pytest

from activities.steps import ToppedUp, TopUp
from db.automatic_top_ups import add_automatic_top_up
from db.ids import new_id
from db.locks import lock_customer
from db.payment_methods import pays_with
from db.requests import Asked, write_request
from db.wallets import open_wallet
from domain.automatic_top_ups import AutomaticTopUp
from domain.codec import to_plain
from domain.credits import TopUpOrder
from domain.money import Money
from tests.billing_world import FEBRUARY, JANUARY, World
from tests.conftest import fresh_environment
from tests.e2e.halting import told
from tests.e2e.staged import Stage
from tests.providers.attempts import raw_client
from tests.usage_world import add_clock, add_customer
from tests.verified import verify_all
from worker import PUMP_SHARDS
from workflows.handles import RunningLives

PATIENCE = timedelta(minutes=3)

NUMBERED = "top_up writes 1"  # the invoice: nobody else in its environment gets a number meanwhile
# From each place to the next one thing more has been done, and would be done again by who knew no better.
PLACES = (
    "TopUpWorkflow decides top_up",
    "before top_up",
    NUMBERED,
    "after top_up",
    "TopUpWorkflow decides CollectionWorkflow",
    "CollectionWorkflow decides attempt_payment",
    "before attempt_payment",
    "attempt_payment writes 2",  # the attempt: before that it has looked for an earlier one
    "attempt_payment writes 3",  # how the provider knows the customer
    "attempt_payment asks",
    "attempt_payment was answered",
    "attempt_payment writes 4",  # the answer, and with it the grant
    "after attempt_payment",
    "CollectionWorkflow decides to end",
    "TopUpWorkflow decides to end",
)
CARDS = {"paid": "pm_card_visa", "void": "pm_card_chargeDeclined"}
BY_HAND = [(place, ends) for place in PLACES for ends in CARDS] + [
    ("TopUpWorkflow decides GrantWorkflow", "paid")  # which watches over the grant's end
]
BY_ITSELF = [("attempt_payment was answered", ends) for ends in CARDS] + [("end_attempt", "paid")]
# One after the other, for who carries them out stands still with them.
RELAYED, BEGUN = ("relay", "paid"), ("begin_attempt", "void")

WHAT_BECAME_OF_IT = {
    # Documents, what was charged, what the provider did and took, grants, what stands on which kind of account.
    "paid": {
        "invoices": [("paid", 5_000)],
        "payments": [("succeeded", 5_000)],
        "at the provider": {("succeeded", 5_000): 1},
        "grants": [(5_000,)],
        "ledger": [("cash", 5_000), ("credits", -5_000)],
    },
    "void": {
        "invoices": [("void", 5_000)],
        "payments": [("failed", 0)],
        "at the provider": {("requires_payment_method", 0): 1},
        "grants": [],
        "ledger": [],
    },
}


@dataclass(frozen=True, slots=True)
class Buyer:
    """Somebody whose top-up gets as far as `place`, and ends as `ends` tells."""

    world: World
    clock: str
    place: str
    ends: str

    @property
    def id(self) -> str:
        return self.world.customer

    @property
    def first_purchase(self) -> str:
        """The request of the first automatic top-up."""
        return f"auto_top_up:{self.id}:1"


@pytest.fixture
def own_database() -> dict[str, str]:
    """A server of its own: transactions that stand still hold up the usage of every database beside theirs."""
    return {}


async def test_killed_at_each_step(stage: Stage) -> None:
    here, elsewhere = stage.world, await on_another_pump(stage.world)
    by_hand = [
        *await buyers(here, [each for each in BY_HAND if each[0] != NUMBERED]),
        *[(await buyers(await apart(here), [(NUMBERED, ends)]))[0] for ends in CARDS],
    ]
    by_themselves = await buyers(here, BY_ITSELF)
    relayed, begun = await buyers(elsewhere, [RELAYED, BEGUN])
    everybody = [*by_hand, *by_themselves, relayed, begun]
    stage.stop_worker()
    stage.start_worker(halts={each.id: each.place for each in everybody})
    for each in (by_themselves, [relayed], [begun]):
        await watch_wallets(each)
        await stage.until(partial(stand_still, stage, each))
    asking = [asyncio.create_task(ask(stage, each)) for each in by_hand]
    await stage.until(partial(stand_still, stage, by_hand))
    stage.kill_worker()
    stage.start_worker()
    for buyer, topped_up in zip(by_hand, await asyncio.gather(*asking), strict=True):
        assert topped_up.collection.status == buyer.ends, buyer.place
    for buyer in (*by_themselves, relayed, begun):
        await stage.until(partial(is_noted, buyer))
        workflow = f"topup:{buyer.first_purchase}"
        life = stage.lives.client.get_workflow_handle(workflow, result_type=ToppedUp)
        assert (await life.result()).collection.status == buyer.ends, buyer.place
    charged = await taken_by_invoice(stage)
    for buyer in everybody:
        became = await became_of(buyer, charged)
        assert became == WHAT_BECAME_OF_IT[buyer.ends], (buyer.place, buyer.ends)
    assert len(charged) == 1  # of the subscription that the stage has: nobody else was charged
    await verify_all(here.database, {each.world.environment for each in everybody})


async def on_another_pump(world: World) -> World:
    """Another environment: who pumps it goes on when the pump of the first one stands still."""
    while True:
        another = await apart(world)
        if shard_of(another) != shard_of(world):
            return another


async def apart(world: World) -> World:
    return replace(world, environment=(await fresh_environment(world.database)).id)


def shard_of(world: World) -> int:
    return crc32(world.environment.encode()) % PUMP_SHARDS


async def buyers(world: World, wanted: Iterable[tuple[str, str]]) -> list[Buyer]:
    found = []
    async with world.database.transaction(world.environment) as connection:
        for place, ends in wanted:
            clock = await add_clock(connection, world.environment, JANUARY)
            customer = await add_customer(connection, world.environment, new_id("key"), clock)
            await pays_with(connection, customer, CARDS[ends])
            found.append(Buyer(replace(world, customer=customer), clock, place, ends))
    return found


async def ask(stage: Stage, buyer: Buyer) -> ToppedUp:
    """By hand: for credit that ends."""
    world, request = buyer.world, new_id("req")
    order = TopUpOrder(new_id("key"), buyer.id, Fraction(50), "USD", expires_at=FEBRUARY)
    wanted = TopUp(world.environment, request, buyer.id, order, "USD", JANUARY, buyer.clock)
    async with world.database.transaction(world.environment) as connection:
        asked = Asked(request, "top_up", buyer.id, None, to_plain(wanted))
        await write_request(connection, world.environment, asked)
    return await RunningLives(stage.lives.client, patience=PATIENCE).top_up(wanted)


async def watch_wallets(of: list[Buyer]) -> None:
    """By itself: from nothing to 50 dollars, and after a decline not again today."""
    least, most = Money(1_000, "USD"), Money(5_000, "USD")
    rule = AutomaticTopUp(least, most, None, None, timedelta(days=1))
    world = of[0].world
    async with world.database.transaction(world.environment) as connection:
        for buyer in sorted(of, key=lambda each: each.id):
            await lock_customer(connection, buyer.id)
            await open_wallet(connection, world.environment, buyer.id, "USD")
            own_id = new_id("atu")
            await add_automatic_top_up(connection, world.environment, own_id, buyer.id, rule)


async def stand_still(stage: Stage, those: list[Buyer]) -> bool:
    said = set(stage.log.read_text().splitlines())
    return said >= {told(each.id, each.place) for each in those}


async def is_noted(buyer: Buyer) -> bool:
    attempts = await buyer.world.rows(
        f"SELECT status FROM automatic_top_up_attempts WHERE customer_id = '{buyer.id}'"
    )
    return attempts == [("paid" if buyer.ends == "paid" else "declined",)]


async def taken_by_invoice(stage: Stage) -> dict[str, Counter[tuple[str, int]]]:
    """Every charge that the provider knows, whosever it is: how it ended, and what it brought."""
    client = raw_client(stage.variables["STRIPE_API_BASE"])
    found: dict[str, Counter[tuple[str, int]]] = {}
    page = await client.v1.payment_intents.list_async({"limit": 100})
    async for intent in page.auto_paging_iter():
        charges = found.setdefault(intent.metadata["invoice"], Counter())
        charges[intent.status, intent.amount_received] += 1
    return found


async def became_of(buyer: Buyer, charged: dict[str, Counter[tuple[str, int]]]) -> dict[str, Any]:
    rows, own = buyer.world.rows, f"customer_id = '{buyer.id}'"
    invoices = await rows(f"SELECT id, status, total_minor FROM invoices WHERE {own}")
    return {
        "invoices": [(status, total) for _, status, total in invoices],
        "payments": await rows(f"SELECT p.status, p.received_minor FROM payments p WHERE {own}"),
        "at the provider": sum((charged.pop(each) for each, _, _ in invoices), Counter()),
        "grants": await rows(f"SELECT amount_minor FROM credit_grants WHERE {own}"),
        "ledger": await rows(f"""
            SELECT split_part(account, ':', 1) AS kind, sum(amount_minor) FROM ledger_postings p
            JOIN ledger_transactions t ON t.id = p.transaction_id WHERE {own}
            GROUP BY kind HAVING sum(amount_minor) <> 0 ORDER BY kind"""),
    }
