"""What tests of billing start from: Acme on a test clock with a plan, and its steps on real rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from activities.billing import BillingSteps
from activities.steps import Begin, CarryOut, EndPeriod, StartWindow, Turn
from db.credits import add_grant
from db.ids import new_id
from db.ledger import post, transactions
from db.locks import lock_customer
from db.plans import add_version, lock_plan
from db.session import Database
from db.subscriptions import add_subscription
from db.tenants import Environment
from domain import ledger, lifecycle
from domain.catalog import read_plan
from domain.commands import Command, Request
from domain.credits import CreditKind, Grant
from domain.customers import Customer
from domain.ledger import Transaction
from domain.money import Money
from domain.subscription import Subscription
from tests.usage_world import add_clock, add_customer, add_meter, an_event, send

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)

TOKENS = {"key": "tokens", "event_name": "llm", "aggregation": "sum", "value": "tokens"}
BASE = {
    "key": "base",
    "kind": "recurring",
    "charged": "in_advance",
    "price": {"model": "flat", "amount": "20.00"},
}
METERED = {
    "key": "tokens",
    "kind": "usage",
    "meter": "tokens",
    "charged": "in_arrears",
    "price": {"model": "per_unit", "unit_amount": "0.01"},
}
PRO: Mapping[str, Any] = {
    "key": "pro",
    "currency": "USD",
    "interval": {"unit": "month", "count": 1},
    "items": [BASE, METERED],
}


@dataclass(slots=True)
class World:
    """`subscription` is as it was after its last step."""

    database: Database
    environment: str
    customer: str
    subscription: Subscription

    @property
    def billing(self) -> BillingSteps:
        return BillingSteps(self.database)

    async def begin(self, at: datetime = JANUARY) -> Turn:
        return self._goes_on(await self.billing.begin(Begin(self.subscription, at)))

    async def start_window(self, at: datetime = JANUARY) -> Turn:
        return self._goes_on(await self.billing.start_window(StartWindow(self.subscription, at)))

    async def end_period(self, at: datetime = FEBRUARY) -> Turn:
        return self._goes_on(await self.billing.end_period(EndPeriod(self.subscription, at)))

    async def ask(self, command: Command, at: datetime, request: str | None = None) -> Turn:
        asked = Request(request or new_id("req"), command, "a test", at=at)
        return self._goes_on(await self.billing.carry_out(CarryOut(self.subscription, asked, at)))

    async def grant(
        self, amount: int, kind: CreditKind = "prepaid", expires_at: datetime | None = None
    ) -> Grant:
        grant = Grant(
            id=new_id("crg"),
            key=new_id("key"),
            customer=self.customer,
            kind=kind,
            amount=Money(amount, "USD"),
            priority=50,
            granted_at=JANUARY,
            effective_at=JANUARY,
            expires_at=expires_at,
        )
        async with self.database.transaction(self.environment) as connection:
            await lock_customer(connection, self.customer)
            await add_grant(connection, self.environment, grant)
            await post(connection, self.environment, self.customer, ledger.granted(grant))
        return grant

    async def sibling(self, key: str) -> "World":
        """The same customer with one more subscription to the same plan."""
        another = replace(self.subscription, id=new_id("sub"), key=key)
        async with self.database.transaction(self.environment) as connection:
            await add_subscription(connection, another)
        return replace(self, subscription=another)

    async def use(self, id: str, tokens: int, at: datetime) -> None:
        event = an_event(id, time=at, properties={"tokens": str(tokens)})
        assert (await send(self.database, self.environment, [event])).accepted == 1

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with self.database.transaction(self.environment) as connection:
            return [tuple(row) for row in await connection.execute(text(query))]

    async def ledger(self) -> list[Transaction]:
        async with self.database.transaction(self.environment) as connection:
            return list(await transactions(connection, self.customer))

    def _goes_on(self, turn: Turn) -> Turn:
        self.subscription = turn.subscription
        return turn


async def open_world(
    database: Database,
    environment: Environment,
    plan: Mapping[str, Any] = PRO,
    at: datetime = JANUARY,
    *,
    test_clock: bool = True,
) -> World:
    """A customer, on a test clock or in real time, with a subscription to `plan` that is to begin at an instant."""
    async with database.transaction(environment.id) as connection:
        clock = await add_clock(connection, environment.id, at) if test_clock else None
        customer = await add_customer(connection, environment.id, "acme", clock)
        await add_meter(connection, environment.id, TOKENS)
        plan_id = await lock_plan(connection, environment.id, new_id("pln"), str(plan["key"]))
        await add_version(connection, environment.id, plan_id, plan)
        subscription = lifecycle.new_subscription(
            id=new_id("sub"),
            key="s1",
            customer=Customer(customer, "acme", test_clock=clock),
            plan=read_plan(plan, 1),
            at=at,
            quantities={},
            environment=environment.id,
        )
        await add_subscription(connection, subscription)
    return World(database, environment.id, customer, subscription)
