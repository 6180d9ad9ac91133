"""The relay: what was written down but never arrived is sent on, and nothing of it is lost on the way."""

from collections.abc import Mapping
from datetime import timedelta
from fractions import Fraction

import pytest

from activities.collecting import CollectionSteps
from activities.relaying import RelaySteps
from activities.steps import Arrival, AttemptPayment, GrantLife, Pay, TopUp
from db.ids import new_id
from db.provider_events import KeptEvent, keep_event
from db.requests import (
    Asked,
    Kind,
    find_request,
    unanswered_requests,
    write_request,
    write_requests,
)
from db.session import Database
from db.tenants import Environment
from db.usage_horizon import wait_for_horizon
from domain.codec import to_plain
from domain.commands import Pause, Request
from domain.credits import TopUpOrder
from domain.errors import Conflict, Unavailable
from tests.billing_world import JANUARY, PRO, World, open_world
from tests.db.test_collecting import PaperProvider
from tests.lives_on_paper import LivesOnPaper


@pytest.fixture
async def world(database: Database, environment: Environment) -> World:
    return await open_world(database, environment)


@pytest.fixture
def lives() -> LivesOnPaper:
    return LivesOnPaper()


class Relay:
    """The relay of one environment, with no time to wait."""

    def __init__(self, world: World, lives: LivesOnPaper) -> None:
        self.world, self.lives = world, lives
        self.steps = RelaySteps(world.database, lives)

    async def once(self, grace: int = 0) -> list[tuple[str, object]]:
        """What this environment's lives were told in one round."""
        self.lives.told.clear()
        await self.steps.relay_environment(self.world.environment, grace)
        return list(self.lives.told)

    async def write(self, kind: Kind, body: object, id: str | None = None) -> str:
        world = self.world
        asked = Asked(
            id or new_id("req"), kind, world.customer, world.subscription.id, to_plain(body)
        )
        async with world.database.transaction(world.environment) as connection:
            await write_request(connection, world.environment, asked)
        return asked.id

    async def answer(self, request: str) -> tuple[str, Mapping[str, object] | None]:
        async with self.world.database.transaction(self.world.environment) as connection:
            asked = await find_request(connection, request)
        return asked.status, asked.answer


@pytest.fixture
def relay(world: World, lives: LivesOnPaper) -> Relay:
    return Relay(world, lives)


async def test_every_kind_of_request_is_sent_to_where_it_belongs(relay: Relay) -> None:
    world = relay.world
    order = TopUpOrder("more", "acme", Fraction(50))
    request = Request("req_command", Pause(), at=JANUARY)
    grant = GrantLife(world.environment, "crg_1", world.customer, JANUARY)
    await relay.write("subscribe", {}, "req_subscribe")
    await relay.write("command", request, "req_command")
    await relay.write(
        "top_up",
        TopUp(world.environment, "req_top_up", world.customer, order, "USD", JANUARY),
        "req_top_up",
    )
    await relay.write("pay", Pay(world.environment, "req_pay", world.customer, JANUARY), "req_pay")
    await relay.write("grant", grant, "req_grant")
    assert await relay.once() == [
        ("subscribe", (world.subscription.id, JANUARY)),
        ("request", "req_command"),
        ("top_up", "req_top_up"),
        ("pay", "req_pay"),
        ("watch_grant", "crg_1"),
    ]
    assert (await relay.answer("req_subscribe"))[0] == "done"
    assert (await relay.answer("req_grant"))[0] == "done"


async def test_a_request_is_sent_until_it_is_answered(relay: Relay) -> None:
    """Nobody was there: it waits. Then it is sent again, and refused for good."""
    request = await relay.write("command", Request(new_id("req"), Pause()))
    relay.lives.failing = [Unavailable("nobody is there")]
    assert len(await relay.once()) == 1
    assert (await relay.answer(request))[0] == "asked"
    relay.lives.failing = [Conflict("it is over")]
    assert len(await relay.once()) == 1
    assert await relay.answer(request) == (
        "refused",
        {"code": "conflict", "message": "it is over"},
    )
    assert await relay.once() == []


async def test_who_asks_gets_time_to_send_it_himself(relay: Relay) -> None:
    await relay.write("command", Request(new_id("req"), Pause()))
    assert await relay.once(grace=60) == []


async def test_an_event_of_a_payment_under_way_is_passed_on_once(relay: Relay) -> None:
    (collection,) = (await relay.world.begin()).collections
    provider = PaperProvider(["processing"])
    steps = CollectionSteps(relay.world.database, provider)
    await steps.attempt_payment(AttemptPayment(collection, 1, JANUARY))
    await keep(relay.world, "evt_1", await intent_of(relay.world))
    assert await relay.once() == [("changed", collection.invoice)]
    assert await relay.once() == []


async def test_an_event_that_was_not_passed_on_waits(relay: Relay) -> None:
    (collection,) = (await relay.world.begin()).collections
    provider = PaperProvider(["processing"])
    steps = CollectionSteps(relay.world.database, provider)
    await steps.attempt_payment(AttemptPayment(collection, 1, JANUARY))
    await keep(relay.world, "evt_1", await intent_of(relay.world))
    relay.lives.failing = [Unavailable("nobody is there")]
    await relay.once()
    assert await relay.once() == [("changed", collection.invoice)]


async def test_an_event_about_what_is_over_or_unknown_disturbs_nobody(relay: Relay) -> None:
    (collection,) = (await relay.world.begin()).collections
    steps = CollectionSteps(relay.world.database, PaperProvider())
    await steps.attempt_payment(AttemptPayment(collection, 1, JANUARY))
    await keep(relay.world, "evt_1", await intent_of(relay.world))
    await keep(relay.world, "evt_2", "pi-of-somebody-else")
    await keep(relay.world, "evt_3", None)
    assert await relay.once() == []
    waiting = "SELECT count(*) FROM provider_events WHERE handled_at IS NULL"
    assert await relay.world.rows(waiting) == [(0,)]


async def test_an_event_is_kept_once(relay: Relay) -> None:
    assert await keep(relay.world, "evt_1", "pi-1")
    assert not await keep(relay.world, "evt_1", "pi-1")


async def test_usage_charged_as_it_arrives_is_told_in_real_time(
    database: Database, environment: Environment, lives: LivesOnPaper
) -> None:
    as_used = {**PRO, "items": [{**PRO["items"][1], "charged": "in_advance"}]}
    world = await open_world(database, environment, as_used, test_clock=False)
    relay = Relay(world, lives)
    await world.begin()
    await world.use("e1", 5, JANUARY + timedelta(days=1))
    await wait_for_horizon(database)
    told = [whom for call, whom in await relay.once() if call == "usage"]
    assert [each.event for each in told if isinstance(each, Arrival)] == ["e1"]
    assert await relay.once() == []


async def keep(world: World, event: str, intent: str | None) -> bool:
    kept = KeptEvent(event, "payment_intent.succeeded", intent, intent, {})
    async with world.database.transaction(world.environment) as connection:
        return await keep_event(connection, world.environment, kept)


async def test_those_that_nobody_answers_hold_up_none_that_are_new(relay: Relay) -> None:
    """More wait than one round takes: the next round begins with those that were not sent."""
    world = relay.world
    names = {f"req_{number:03}" for number in range(180)}
    asked = [Asked(name, "command", world.customer, f"sub_{name}", {}) for name in sorted(names)]
    async with world.database.transaction(world.environment) as connection:
        await write_requests(connection, world.environment, asked)
    rounds = []
    for _ in range(2):
        async with world.database.transaction(world.environment) as connection:
            rounds.append({each.id for each in await unanswered_requests(connection, 0, 100)})
    assert [len(taken) for taken in rounds] == [100, 100]
    assert rounds[0] | rounds[1] == names


async def test_a_request_that_cannot_be_read_holds_up_no_other(relay: Relay) -> None:
    bad = await relay.write("command", {"id": "bad"})
    sound = await relay.write("command", Request("req_sound", Pause()), "req_sound")
    assert await relay.once() == [("request", sound)]
    assert (await relay.answer(bad))[0] == "asked"


async def intent_of(world: World) -> str:
    """The provider's id of the only payment."""
    ((intent,),) = await world.rows("SELECT intent FROM payments")
    return str(intent)
