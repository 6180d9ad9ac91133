"""Loading what a decision rests on: from rows to the domain's values, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from db.billed_usage import BilledWindow, billed_windows
from db.catalog import find_keys
from db.credit_notes import credit_notes_left
from db.credits import grants_left
from db.customers import find_customer
from db.invoice_lines import lines_in_advance
from db.meters import kept_meters
from db.plans import find_plan
from db.session import Database
from db.usage import usage_for
from db.usage_horizon import cut_off, wait_for_horizon
from db.usage_late import ClosedWindow, late_windows
from db.usage_measures import Consumer
from domain import lifecycle
from domain.account import BilledUsage, Facts
from domain.catalog import read_plan, read_tax_rate
from domain.commands import ChangePlan
from domain.customers import Customer
from domain.errors import Corrupt
from domain.metering.meter import Meter
from domain.plans import Plan, PlanRef
from domain.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Measured:
    """Facts that no later event changes: the catalogue's, and what was used up to `cut_off`, a horizon of the usage
    log. The customer's money is not among them: it is read under a lock (`with_money`).
    """

    facts: Facts
    cut_off: int


async def measure(
    database: Database,
    subscription: Subscription,
    step: lifecycle.Step,
    at: datetime,
    until: int | None = None,
) -> Measured:
    """What was used, as the decision about `step` must know it. All that was acknowledged before this call is in, or,
    with `until`, what transactions of the usage log before that one brought.
    """
    await wait_for_horizon(database)
    async with database.transaction(subscription.environment, "REPEATABLE READ") as connection:
        horizon = until or await cut_off(connection)
        windows = await billed_windows(connection, subscription.id)
        facts = await _catalogue(connection, subscription, step, windows)
        late = await _reached_since(connection, facts, subscription, windows, horizon)
        facts = replace(facts, billed=late)
        needs = lifecycle.needs(subscription, step, facts, at)
        consumer = _consumer(subscription)
        usage = await usage_for(connection, consumer, needs, facts.meters, horizon)
        return Measured(replace(facts, usage=usage), horizon)


async def with_money(
    connection: AsyncConnection, facts: Facts, subscription: Subscription
) -> Facts:
    """The same facts with what the customer has and owes now. The customer must be locked."""
    since = subscription.period.start if subscription.period else subscription.started_at
    customer, currency = subscription.customer, subscription.currency
    return replace(
        facts,
        advance=await lines_in_advance(connection, subscription.id, since),
        grants=await grants_left(connection, customer, currency),
        credit_notes=await credit_notes_left(connection, customer, currency),
    )


async def load_customer(connection: AsyncConnection, customer_id: str) -> Customer:
    row = await find_customer(connection, customer_id)
    rates = await find_keys(connection, "tax_rates", row.tax_rates)
    return Customer(
        id=row.id,
        key=row.key,
        timezone=row.timezone,
        tax_rates=tuple(read_tax_rate(rates[key].document) for key in row.tax_rates),
        test_clock=row.test_clock,
    )


async def _catalogue(
    connection: AsyncConnection,
    subscription: Subscription,
    step: lifecycle.Step,
    windows: Sequence[BilledWindow],
) -> Facts:
    """The customer, with every plan and meter that the decision may look at."""
    refs = {subscription.plan, *(window.billed.plan for window in windows)}
    if subscription.next_plan is not None:
        refs.add(subscription.next_plan)
    if isinstance(step, ChangePlan):
        refs.add(step.plan)
    return Facts(
        customer=await load_customer(connection, subscription.customer),
        plans={ref: await load_plan(connection, ref) for ref in refs},
        meters={kept.meter.key: kept.meter for kept in await kept_meters(connection)},
    )


async def load_plan(connection: AsyncConnection, ref: PlanRef) -> Plan:
    version = await find_plan(connection, ref.key, ref.version)
    return read_plan(version.document, version.version)


async def _reached_since(
    connection: AsyncConnection,
    facts: Facts,
    subscription: Subscription,
    windows: Sequence[BilledWindow],
    horizon: int,
) -> tuple[BilledUsage, ...]:
    """The windows that usage has reached since they were billed."""
    closed = [
        ClosedWindow(_meter_of(facts, window.billed), window.billed.window, window.cut_off)
        for window in windows
    ]
    places = await late_windows(connection, _consumer(subscription), closed, horizon)
    return tuple(windows[place].billed for place in places)


def _meter_of(facts: Facts, billed: BilledUsage) -> Meter:
    item = facts.plans[billed.plan].item(billed.item)
    if item is None or item.meter is None:
        raise Corrupt(f"plan {billed.plan.key} does not meter {billed.item}, which was billed")
    return facts.meters[item.meter]


def _consumer(subscription: Subscription) -> Consumer:
    return Consumer(subscription.customer, subscription.id, subscription.timezone)
