"""What payments do to a subscription, in the books: told once, under one name, whatever crashes."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from activities.collecting import CollectionSteps
from activities.relaying import RelaySteps
from activities.steps import AttemptPayment, CarryOut, LookUpPayment, Moment, Turn
from db.clocks import arrive_idly
from db.payment_notes import note_payment
from db.requests import find_request
from db.session import Database
from db.tenants import Environment
from domain.codec import from_plain
from domain.commands import Cancel, NotePayment, Request
from domain.dunning import Collection
from domain.errors import Conflict, Corrupt, Unavailable
from domain.subscription import Phase
from tests.billing_world import FEBRUARY, JANUARY, PRO, World, open_world
from tests.db.test_clocks import Clock
from tests.db.test_collecting import DECLINED, PaperProvider
from tests.lives_on_paper import LivesOnPaper

GATED = {**PRO, "activation": "first_payment"}
SUSPENDS = {**PRO, "on_past_due": "suspend"}
LATER = JANUARY + timedelta(days=3)


@dataclass(slots=True)
class Story:
    """A subscription with its first invoice, and who collects it."""

    world: World
    provider: PaperProvider
    collection: Collection

    @property
    def steps(self) -> CollectionSteps:
        return CollectionSteps(self.world.database, self.provider)

    @property
    def invoice(self) -> str:
        return self.collection.invoice

    async def attempt(self, at: Any = JANUARY) -> Collection:
        step = AttemptPayment(self.collection, self.collection.attempts + 1, at)
        self.collection = await self.steps.attempt_payment(step)
        return self.collection

    async def notes(self) -> list[tuple[str, str]]:
        rows = await self.world.rows(
            "SELECT id, status FROM requests WHERE kind = 'command' ORDER BY created_at, id"
        )
        return [(name.removeprefix(f"payment:{self.invoice}:"), status) for name, status in rows]

    async def hear(self, became: str) -> Turn:
        """The subscription carries out what was written down for it."""
        world = self.world
        async with world.database.transaction(world.environment) as connection:
            asked = await find_request(connection, f"payment:{self.invoice}:{became}")
        request = from_plain(Request, asked.body)
        assert request.at is not None
        turn = await world.billing.carry_out(CarryOut(world.subscription, request, request.at))
        world.subscription = turn.subscription
        return turn

    async def statuses(self) -> tuple[str, str, str]:
        """Of the subscription, of its first invoice, and of the collection of that."""
        (row,) = await self.world.rows(
            f"""SELECT s.status, i.status, c.status FROM invoices i
            JOIN subscriptions s ON s.id = i.subscription_id JOIN collections c ON c.invoice_id = i.id
            WHERE i.id = '{self.invoice}'"""
        )
        return row[0], row[1], row[2]

    async def balance(self, account: str) -> int:
        ((amount,),) = await self.world.rows(
            f"SELECT coalesce(sum(amount_minor), 0) FROM ledger_postings WHERE account LIKE '{account}'"
        )
        return int(amount)


async def story(
    database: Database, environment: Environment, plan: Any, *answers: str, credit: int = 0
) -> Story:
    world = await open_world(database, environment, plan)
    if credit:
        await world.grant(credit, "promotional")
    (collection,) = (await world.begin()).collections
    return Story(world, PaperProvider(list(answers)), collection)


async def test_a_usual_plan_hears_nothing(database: Database, environment: Environment) -> None:
    told = await story(database, environment, PRO, DECLINED, "succeeded")
    await told.attempt()
    await told.attempt(LATER)
    assert await told.notes() == []
    assert await told.statuses() == ("active", "paid", "paid")


async def test_what_is_paid_at_once_is_not_told_to_a_plan_that_suspends(
    database: Database, environment: Environment
) -> None:
    told = await story(database, environment, SUSPENDS, "succeeded")
    await told.attempt()
    assert await told.notes() == []


async def test_what_became_of_a_payment_is_written_down_with_it_once(
    database: Database, environment: Environment
) -> None:
    told = await story(database, environment, SUSPENDS, DECLINED, "succeeded")
    first = AttemptPayment(told.collection, 1, JANUARY)
    await told.attempt()
    await told.steps.attempt_payment(first)
    assert await told.notes() == [("past_due", "asked")]
    assert (await told.hear("past_due")).subscription.past_due != ()
    await told.attempt(LATER)
    assert await told.notes() == [("past_due", "done"), ("paid", "asked")]
    assert (await told.hear("paid")).subscription.past_due == ()


async def test_the_first_payment_activates_once(
    database: Database, environment: Environment
) -> None:
    told = await story(database, environment, GATED, DECLINED, "succeeded")
    await told.attempt()
    assert await told.notes() == []
    assert await told.statuses() == ("incomplete", "past_due", "past_due")
    await told.attempt(LATER)
    before = told.world.subscription
    active = (await told.hear("paid")).subscription
    assert (active.status, active.paid_at) == ("active", LATER)
    told.world.subscription = before  # its workflow crashed before it knew: the step is repeated
    assert (await told.hear("paid")).subscription == active
    assert await told.notes() == [("paid", "done")]


async def test_given_up_nothing_is_owed_and_credits_are_given_back(
    database: Database, environment: Environment
) -> None:
    told = await story(database, environment, GATED, DECLINED, credit=500)
    assert await told.balance("credits:%") == 0
    for day in (0, 3, 5, 7):
        await told.attempt(JANUARY + timedelta(days=day))
    before = told.world.subscription
    over = await told.hear("uncollectible")
    assert over.voided == (told.invoice,)
    assert await told.statuses() == ("cancelled", "void", "void")
    assert await told.balance("receivable:%") == 0
    assert await told.balance("revenue") == 0
    assert await told.balance("credits:%") == -500
    told.world.subscription = before
    assert (await told.hear("uncollectible")).voided == (told.invoice,)
    assert await told.balance("credits:%") == -500


async def test_an_incomplete_one_that_is_cancelled_gives_up_a_payment_that_waits(
    database: Database, environment: Environment
) -> None:
    told = await story(database, environment, GATED, "requires_action")
    await told.attempt()
    turn = await told.world.ask(Cancel("immediately"), LATER)
    assert (turn.voided, turn.collections) == ((told.invoice,), ())
    told.provider.says(told.provider.asked[0].idempotency_key, "declined:canceled")
    ended = await told.steps.look_up_payment(LookUpPayment(told.collection, LATER))
    assert ended.status == "void"
    assert await told.world.rows("SELECT status, failure_code FROM payments") == [
        ("failed", "canceled")
    ]


async def test_money_that_comes_for_what_was_taken_back_calls_a_human(
    database: Database, environment: Environment
) -> None:
    told = await story(database, environment, GATED, "requires_action")
    await told.attempt()
    await told.world.ask(Cancel("immediately"), LATER)
    told.provider.says(told.provider.asked[0].idempotency_key, "succeeded")
    with pytest.raises(Corrupt, match="pay it back by hand"):
        await told.steps.look_up_payment(LookUpPayment(told.collection, LATER))


async def test_what_was_paid_meanwhile_is_not_taken_back(
    database: Database, environment: Environment
) -> None:
    told = await story(database, environment, GATED, "succeeded")
    await told.attempt()
    with pytest.raises(Conflict, match="was paid meanwhile"):
        await told.world.ask(Cancel("immediately"), LATER)
    assert (await told.hear("paid")).subscription.status == "active"


async def test_nothing_is_taken_back_while_the_provider_is_being_asked(
    database: Database, environment: Environment
) -> None:
    def power_cut() -> None:
        raise Unavailable("nobody answered")

    told = await story(database, environment, GATED, "succeeded")
    told.provider.before_charge = power_cut
    with pytest.raises(Unavailable):
        await told.attempt()
    with pytest.raises(Unavailable, match="is under way"):
        await told.world.ask(Cancel("immediately"), LATER)
    assert await told.statuses() == ("incomplete", "open", "open")


async def test_the_relay_tells_it(database: Database, environment: Environment) -> None:
    told = await story(database, environment, SUSPENDS, DECLINED)
    await told.attempt()
    lives = LivesOnPaper()
    await RelaySteps(database, lives).relay_environment(environment.id, 10)
    assert lives.told == [("request", f"payment:{told.invoice}:past_due")]


async def test_a_test_clock_tells_it_before_anything_else_happens(
    database: Database, environment: Environment
) -> None:
    told = await story(database, environment, SUSPENDS, DECLINED)
    await told.attempt()
    clock = Clock(told.world)
    idly = (clock.id, JANUARY, int(Phase.ARRIVED), int(Phase.EXPIRIES))
    assert not await arrive_idly(database, environment.id, *idly)
    clock.lives.on_request = lambda _: told.hear("past_due")
    await clock.advance(Moment(FEBRUARY))
    assert [call for call, _ in clock.lives.told] == ["request", "advance", "advance", "advance"]
    assert await told.notes() == [("past_due", "done")]
    assert told.world.subscription.past_due != ()


async def test_a_clock_goes_on_where_a_life_is_over(
    database: Database, environment: Environment
) -> None:
    told = await story(database, environment, SUSPENDS, DECLINED)
    await told.attempt()
    clock = Clock(told.world)
    clock.lives.failing = [Conflict("s1 is cancelled")]
    await clock.advance(Moment(JANUARY))
    assert await told.notes() == [("past_due", "refused")]


async def test_what_is_over_hears_nothing(database: Database, environment: Environment) -> None:
    told = await story(database, environment, SUSPENDS, DECLINED)
    await told.world.ask(Cancel("immediately", "none"), JANUARY)
    world = told.world
    async with database.transaction(environment.id) as connection:
        note = await note_payment(
            connection, world.environment, told.invoice, "open", "past_due", JANUARY
        )
    assert note is None


async def test_the_note_names_the_invoice(database: Database, environment: Environment) -> None:
    told = await story(database, environment, SUSPENDS, DECLINED)
    await told.attempt()
    async with database.transaction(environment.id) as connection:
        asked = await find_request(connection, f"payment:{told.invoice}:past_due")
    name = f"invoice:{told.world.subscription.id}:2026-01-01T00:00:00Z"
    assert from_plain(Request, asked.body).command == NotePayment(name, "past_due")
