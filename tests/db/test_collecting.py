"""Attempts, answers and refunds on real rows, with a payment provider on paper: no money moves twice, none is lost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import psycopg
import pytest

from activities.collecting import CollectionSteps
from activities.credits import CreditSteps
from activities.steps import AttemptPayment, GrantLife, LookUpPayment, TopUp
from db.credits import find_grant
from db.ids import new_id
from db.session import Database
from db.tenants import Environment
from domain.commands import Cancel
from domain.credits import TopUpOrder
from domain.dunning import Collection
from domain.errors import Invalid, Unavailable
from domain.money import Money
from providers.payments.port import (
    ChargeRequest,
    NotChargeable,
    PaymentOutcome,
    ProviderEvent,
    RefundOutcome,
)
from tests import servers
from tests.billing_world import FEBRUARY, JANUARY, PRO, World, open_world

DECLINED = "declined:insufficient_funds"


@dataclass(slots=True)
class PaperProvider:
    """Answers each new charge in turn, the last answer repeats, and the same name with the same answer."""

    answers: list[str] = field(default_factory=lambda: ["succeeded"])
    asked: list[ChargeRequest] = field(default_factory=list)
    known: dict[str, PaymentOutcome] = field(default_factory=dict)
    refunds: dict[str, Money] = field(default_factory=dict)
    canceled: list[str] = field(default_factory=list)
    let_go: str | None = None
    after_charge: Callable[[], None] = lambda: None
    before_charge: Callable[[], None] = lambda: None

    async def create_customer(
        self, key: str, *, name: str | None, email: str | None, idempotency_key: str
    ) -> str:
        return f"at-provider-{key}"

    async def attach_payment_method(
        self, customer: str, payment_method: str, *, idempotency_key: str
    ) -> str:
        return payment_method

    async def charge(self, request: ChargeRequest) -> PaymentOutcome:
        self.before_charge()
        self.asked.append(request)
        if request.idempotency_key not in self.known:
            answer = self.answers[min(len(self.known), len(self.answers) - 1)]
            self.known[request.idempotency_key] = outcome(answer, request)
        self.after_charge()
        return self.known[request.idempotency_key]

    async def find(
        self, customer: str, idempotency_key: str, at: datetime
    ) -> PaymentOutcome | None:
        return self.known.get(idempotency_key)

    async def read(self, intent: str) -> PaymentOutcome:
        return next(each for each in self.known.values() if each.intent == intent)

    async def cancel(self, intent: str) -> PaymentOutcome:
        """What has not succeeded ends as `let_go` says: what has failed could be paid with another card."""
        self.canceled.append(intent)
        name = next(name for name, each in self.known.items() if each.intent == intent)
        if self.let_go and self.known[name].status != "succeeded":
            self.says(name, self.let_go)
        return self.known[name]

    async def refund(self, intent: str, amount: Money, *, idempotency_key: str) -> RefundOutcome:
        self.refunds[idempotency_key] = amount
        return RefundOutcome("succeeded", f"re-{idempotency_key}", amount)

    async def events_since(self, since: datetime) -> tuple[ProviderEvent, ...]:
        return ()

    def says(self, name: str, answer: str) -> None:
        """The payment has gone on."""
        (request,) = [each for each in self.asked if each.idempotency_key == name][:1]
        self.known[name] = outcome(answer, request)


def outcome(answer: str, request: ChargeRequest) -> PaymentOutcome:
    status, _, code = answer.partition(":")
    received = request.amount if status == "succeeded" else Money(0, request.amount.currency)
    intent = f"pi-{request.idempotency_key}"
    match status:
        case "succeeded" | "processing" | "requires_action":
            return PaymentOutcome(status, intent, None, received)
        case _:
            return PaymentOutcome("failed", intent, code, received)


@dataclass(slots=True)
class Debt:
    """An invoice of 20 dollars that is to be collected, and who collects it."""

    world: World
    provider: PaperProvider
    steps: CollectionSteps
    collection: Collection
    name: str  # of the first attempt

    async def attempt(self, at: datetime = JANUARY) -> Collection:
        step = AttemptPayment(self.collection, self.collection.attempts + 1, at)
        self.collection = await self.steps.attempt_payment(step)
        return self.collection

    async def look_up(self, at: datetime = JANUARY) -> Collection:
        self.collection = await self.steps.look_up_payment(LookUpPayment(self.collection, at))
        return self.collection

    async def invoice(self) -> tuple[str, int]:
        """Its status and what was paid."""
        ((status, paid),) = await self.world.rows("SELECT status, amount_paid_minor FROM invoices")
        return status, paid

    async def owed(self) -> int:
        ((owed,),) = await self.world.rows(
            "SELECT sum(amount_minor) FROM ledger_postings WHERE account LIKE 'receivable:%'"
        )
        return int(owed)

    async def payments(self) -> list[tuple[object, ...]]:
        return await self.world.rows(
            "SELECT attempt, status, failure_code FROM payments ORDER BY seq"
        )


@pytest.fixture
async def debt(database: Database, environment: Environment) -> Debt:
    return await in_debt(database, environment, PRO)


async def in_debt(database: Database, environment: Environment, plan: Mapping[str, object]) -> Debt:
    world = await open_world(database, environment, plan=plan)
    (collection,) = (await world.begin()).collections
    provider = PaperProvider()
    ((invoice,),) = await world.rows("SELECT name FROM invoices")
    steps = CollectionSteps(database, provider)
    return Debt(world, provider, steps, collection, f"collect:{invoice}:1")


async def test_what_is_paid_is_paid_in_all_books(debt: Debt) -> None:
    assert (await debt.attempt()).status == "paid"
    assert await debt.invoice() == ("paid", 2000)
    assert await debt.owed() == 0
    assert await debt.payments() == [(1, "succeeded", None)]
    ((topics,),) = await debt.world.rows("SELECT array_agg(topic ORDER BY seq) FROM outbox")
    assert topics[-2:] == ["payment.succeeded", "invoice.paid"]


async def test_a_decline_is_an_answer_and_the_debt_stands(debt: Debt) -> None:
    debt.provider.answers = [DECLINED, "succeeded"]
    declined = await debt.attempt()
    assert (declined.status, declined.next_attempt_at) == ("past_due", JANUARY + timedelta(days=3))
    assert await debt.invoice() == ("past_due", 0)
    assert await debt.owed() == 2000
    await debt.attempt(JANUARY + timedelta(days=3))
    assert await debt.invoice() == ("paid", 2000)
    assert await debt.payments() == [(1, "failed", "insufficient_funds"), (2, "succeeded", None)]


async def test_the_provider_is_told_whose_attempt_it_is(debt: Debt) -> None:
    await debt.attempt()
    (asked,) = debt.provider.asked
    assert asked.idempotency_key == debt.name
    assert asked.metadata == {
        "environment": debt.world.environment,
        "invoice": debt.collection.invoice,
        "attempt": "1",
    }


async def test_an_attempt_is_written_down_before_the_provider_is_asked(debt: Debt) -> None:
    def power_cut() -> None:
        raise Unavailable("nobody answered")

    debt.provider.before_charge = power_cut
    with pytest.raises(Unavailable):
        await debt.attempt()
    assert await debt.payments() == [(1, "pending", None)]
    assert await debt.invoice() == ("open", 0)


async def test_an_outage_is_no_decline_and_uses_up_no_attempt(debt: Debt) -> None:
    def timeout() -> None:
        debt.provider.after_charge = lambda: None
        raise Unavailable("no answer, though it was charged")

    debt.provider.after_charge = timeout
    with pytest.raises(Unavailable):
        await debt.attempt()
    paid = await debt.attempt()
    assert (paid.status, paid.attempts) == ("paid", 1)
    assert [(each.idempotency_key, each.first_try) for each in debt.provider.asked] == [
        (debt.name, True),
        (debt.name, False),
    ]
    assert await debt.payments() == [(1, "succeeded", None)]


async def test_an_attempt_of_before_its_name_was_the_invoice_s_keeps_its_own(
    debt: Debt, database_urls: servers.Addresses
) -> None:
    """What is on its way at the provider under one name is not made again under another."""

    def timeout() -> None:
        debt.provider.after_charge = lambda: None
        raise Unavailable("no answer, though it was charged")

    debt.provider.after_charge = timeout
    with pytest.raises(Unavailable):
        await debt.attempt()
    debt.provider.known["collect:old:1"] = debt.provider.known.pop(debt.name)
    with psycopg.connect(database_urls["owner"]) as owner:
        owner.execute("SET session_replication_role = replica")  # written once, but for old books
        owner.execute("UPDATE payments SET name = 'collect:old:1' WHERE name = %s", [debt.name])
    assert (await debt.attempt()).status == "paid"
    assert list(debt.provider.known) == ["collect:old:1"]


async def test_what_may_have_been_tried_long_ago_is_looked_up_first(
    database: Database, environment: Environment
) -> None:
    """In real time an old invoice may be of a database restored from a backup, and its key forgotten."""
    world = await open_world(database, environment, test_clock=False)
    (old,) = (await world.begin()).collections
    provider = PaperProvider([DECLINED])
    steps = CollectionSteps(database, provider)
    declined = await steps.attempt_payment(AttemptPayment(old, 1, JANUARY))
    lately = replace(declined, issued_at=datetime.now(UTC))
    await steps.attempt_payment(AttemptPayment(lately, 2, JANUARY))
    assert [each.first_try for each in provider.asked] == [False, True]
    assert provider.asked[0].since == JANUARY


async def test_an_attempt_that_is_repeated_is_not_made_again(debt: Debt) -> None:
    debt.provider.answers = [DECLINED]
    step = AttemptPayment(debt.collection, 1, JANUARY)
    first = await debt.steps.attempt_payment(step)
    assert await debt.steps.attempt_payment(step) == first
    assert len(debt.provider.asked) == 1


async def test_what_the_provider_cannot_charge_is_declined(debt: Debt) -> None:
    def too_small() -> None:
        raise NotChargeable("below the minimum")

    debt.provider.before_charge = too_small
    await debt.attempt()
    assert await debt.payments() == [(1, "failed", "amount_not_chargeable")]


@pytest.mark.parametrize("first", ["processing", "requires_action"])
@pytest.mark.parametrize(
    ("then", "invoice"), [("succeeded", ("paid", 2000)), (DECLINED, ("past_due", 0))]
)
async def test_a_payment_under_way_ends_when_the_provider_says_so(
    debt: Debt, first: str, then: str, invoice: tuple[str, int]
) -> None:
    debt.provider.answers = [first]
    await debt.attempt()
    assert await debt.invoice() == ("open", 0)
    assert await debt.look_up() == debt.collection
    debt.provider.says(debt.name, then)
    await debt.look_up()
    assert await debt.invoice() == invoice
    assert len(await debt.payments()) == 1


async def test_what_is_over_is_never_undone(debt: Debt) -> None:
    await debt.attempt()
    debt.provider.says(debt.name, "processing")
    assert (await debt.look_up()).status == "paid"
    assert await debt.invoice() == ("paid", 2000)
    assert await debt.payments() == [(1, "succeeded", None)]


async def test_a_word_that_comes_before_the_answer_is_the_same_answer(debt: Debt) -> None:
    """The webhook is quicker than the response: both paths end in one payment."""

    def lost() -> None:
        debt.provider.after_charge = lambda: None
        raise Unavailable("the response was lost")

    debt.provider.after_charge = lost
    step = AttemptPayment(debt.collection, 1, JANUARY)
    with pytest.raises(Unavailable):
        await debt.steps.attempt_payment(step)
    assert (await debt.look_up()).status == "paid"
    assert (await debt.steps.attempt_payment(step)).status == "paid"
    assert await debt.payments() == [(1, "succeeded", None)]
    assert await debt.owed() == 0


async def test_an_unused_part_is_sent_back_once(debt: Debt) -> None:
    await debt.attempt()
    cancel = Cancel("immediately", unused="refund")
    turn = await debt.world.ask(cancel, JANUARY + timedelta(days=10))
    (refund,) = turn.refunds
    assert await debt.world.rows("SELECT status FROM payments WHERE kind = 'refund'") == [
        ("pending",)
    ]
    await debt.steps.send_refund(refund)
    await debt.steps.send_refund(refund)
    assert list(debt.provider.refunds) == [refund.refund]
    ((status, amount),) = await debt.world.rows(
        "SELECT status, amount_minor FROM payments WHERE kind = 'refund'"
    )
    assert (status, Money(amount, "USD")) == ("succeeded", debt.provider.refunds[refund.refund])


async def test_a_top_up_is_granted_when_it_is_paid(debt: Debt) -> None:
    bought, collection = await top_up(debt, "50.00")
    await attempt(debt, collection)
    async with debt.world.database.transaction(debt.world.environment) as connection:
        grant = (await find_grant(connection, "more")).balance
    assert grant.remaining == Money(5000, "USD")
    assert grant.grant.kind == "prepaid"
    assert await top_up_status(debt) == "paid"
    again = await CreditSteps(debt.world.database).top_up(bought)
    assert again.collection.status == "paid"
    assert again.grant == GrantLife(
        debt.world.environment, grant.grant.id, debt.world.customer, FEBRUARY, collection.test_clock
    )


async def test_a_top_up_that_is_declined_is_void_and_grants_nothing(debt: Debt) -> None:
    debt.provider.answers = [DECLINED]
    _, collection = await top_up(debt, "50.00")
    ended = await attempt(debt, collection)
    assert (ended.status, ended.next_attempt_at) == ("void", None)
    assert await top_up_status(debt) == "void"
    assert await debt.world.rows("SELECT count(*) FROM credit_grants") == [(0,)]
    assert await debt.owed() == 2000  # the subscription's own invoice, still open


async def test_a_top_up_of_nothing_is_refused(debt: Debt) -> None:
    with pytest.raises(Invalid, match="greater than zero"):
        await top_up(debt, "0")
    assert await debt.world.rows("SELECT count(*) FROM top_ups") == [(0,)]


async def test_a_grant_ends_once_with_what_is_left_of_it(debt: Debt) -> None:
    world, steps = debt.world, CreditSteps(debt.world.database)
    grant = await world.grant(700, expires_at=FEBRUARY)
    life = GrantLife(world.environment, grant.id, world.customer, FEBRUARY)
    await steps.end_grant(life)
    await steps.end_grant(life)
    assert await world.rows("SELECT ended_at FROM credit_grants") == [(FEBRUARY,)]
    ((left,),) = await world.rows(
        f"SELECT sum(amount_minor) FROM ledger_postings WHERE account = 'credits:{grant.id}'"
    )
    assert left == 0


async def top_up(debt: Debt, amount: str) -> tuple[TopUp, Collection]:
    world = debt.world
    order = TopUpOrder("more", "acme", Fraction(amount), expires_at=FEBRUARY)
    asked = TopUp(world.environment, new_id("req"), world.customer, order, "USD", JANUARY)
    return asked, (await CreditSteps(world.database).top_up(asked)).collection


async def attempt(debt: Debt, collection: Collection) -> Collection:
    return await debt.steps.attempt_payment(AttemptPayment(collection, 1, JANUARY))


async def top_up_status(debt: Debt) -> str:
    ((status,),) = await debt.world.rows("SELECT status FROM invoices WHERE name LIKE 'topup:%'")
    return str(status)
