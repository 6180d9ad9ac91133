"""Loading what a decision rests on: from rows to the domain's values, and nothing else."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from db.billed_usage import BilledWindow, billed_windows
from db.catalog import find_keys
from db.credit_notes import credit_notes_left
from db.credits import grants_left
from db.customers import customers_of
from db.invoice_lines import lines_in_advance
from db.meters import kept_meters
from db.plans import find_plan, versions_after
from db.pools import consumer_of
from db.redemptions import redeemed
from db.session import Database
from db.usage import usage_for
from db.usage_horizon import cut_off, wait_for_horizon
from db.usage_late import ClosedWindow, late_windows
from domain import lifecycle
from domain.account import BilledUsage, Facts
from domain.catalog import read_plan, read_tax_rate
from domain.commands import ChangePlan, Schedule
from domain.consumed import closings_of
from domain.customers import Coupon, Customer
from domain.errors import Corrupt, NotFound
from domain.gaps import has_gaps, with_gaps_filled
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
    windows: tuple[BilledWindow, ...] = ()  # that had been billed when it was measured


async def measure(
    database: Database,
    subscription: Subscription,
    step: lifecycle.Step,
    at: datetime,
    until: int | None = None,
    unwritten: Sequence[Plan] = (),
) -> Measured:
    """What was used, as the decision about `step` must know it. All that was acknowledged before this call is in, or,
    with `until`, what transactions of the usage log before that one brought. `unwritten` are plans that only a preview
    knows.
    """
    await wait_for_horizon(database)
    async with database.transaction(subscription.environment, "REPEATABLE READ") as connection:
        horizon = until or await cut_off(connection)
        windows = await billed_windows(connection, subscription.id)
        facts = await facts_of(connection, subscription, step, windows, horizon, unwritten)
        needs = lifecycle.needs(subscription, step, facts, at)
        consumer = await consumer_of(connection, subscription, horizon)
        usage = await usage_for(connection, consumer, needs, facts.meters, horizon)
        return Measured(replace(facts, usage=usage), horizon, windows)


async def facts_of(
    connection: AsyncConnection,
    subscription: Subscription,
    step: lifecycle.Step,
    windows: Sequence[BilledWindow],
    horizon: int,
    unwritten: Sequence[Plan] = (),
) -> Facts:
    """All but the customer's money and what was used; `windows` are those that were billed."""
    facts = await _catalogue(connection, subscription, step, windows, unwritten)
    late = await reached_since(connection, facts, subscription, windows, horizon)
    return replace(facts, billed=late)


async def with_money(
    connection: AsyncConnection,
    facts: Facts,
    subscription: Subscription,
    coupons: Sequence[Coupon] = (),
) -> Facts:
    """The same facts with what the customer who pays has and owes now, and how often these coupons have been redeemed.
    That customer must be locked, and so must the coupons.
    """
    since = subscription.period.start if subscription.period else subscription.started_at
    customer, currency = subscription.billed_to, subscription.currency
    return replace(
        facts,
        advance=await lines_in_advance(connection, subscription.id, since),
        grants=await grants_left(connection, customer, currency),
        credit_notes=await credit_notes_left(connection, customer, currency),
        redeemed=await redeemed(connection, coupons, subscription.customer),
    )


async def load_customer(connection: AsyncConnection, customer_id: str) -> Customer:
    return (await load_customers(connection, [customer_id]))[customer_id]


async def load_customers(
    connection: AsyncConnection, ids: Collection[str]
) -> Mapping[str, Customer]:
    """Those of these ids, by id. Raises `NotFound`."""
    rows = await customers_of(connection, ids)
    if missing := set(ids) - rows.keys():
        raise NotFound(f"there is no customer {min(missing)}")
    keys = {key for row in rows.values() for key in row.tax_rates}
    rates = await find_keys(connection, "tax_rates", keys) if keys else {}
    return {
        row.id: Customer(
            id=row.id,
            key=row.key,
            timezone=row.timezone,
            tax_rates=tuple(read_tax_rate(rates[key].document) for key in row.tax_rates),
            test_clock=row.test_clock,
            has_payment_method=row.payment_method is not None,
        )
        for row in rows.values()
    }


async def _catalogue(
    connection: AsyncConnection,
    subscription: Subscription,
    step: lifecycle.Step,
    windows: Sequence[BilledWindow],
    unwritten: Sequence[Plan],
) -> Facts:
    """The customer, with every plan and meter that the decision may look at."""
    refs = plans_for(subscription, step, [window.billed for window in windows])
    plans = {plan.ref: plan for plan in unwritten}
    for ref in refs - plans.keys():
        plans[ref] = await load_plan(connection, ref)
    return Facts(
        customer=await load_customer(connection, subscription.billed_to),
        plans=plans,
        meters={kept.meter.key: kept.meter for kept in await kept_meters(connection)},
        closings=closings_of((window.billed for window in windows), plans),
    )


async def closings(
    connection: AsyncConnection, subscription: Subscription
) -> Mapping[str, tuple[datetime, ...]]:
    """The ends of a subscription's closed windows by their meters, as `Facts` has them."""
    billed = [window.billed for window in await billed_windows(connection, subscription.id)]
    plans = {ref: await load_plan(connection, ref) for ref in {each.plan for each in billed}}
    return closings_of(billed, plans)


def plans_for(
    subscription: Subscription, step: lifecycle.Step, billed: Iterable[BilledUsage]
) -> set[PlanRef]:
    """Every plan that the decision about a step may look at, with the closed windows that it may bill again."""
    refs = {subscription.plan, *(window.plan for window in billed)}
    if subscription.next_plan is not None:
        refs.add(subscription.next_plan)
    asked = step.change if isinstance(step, Schedule) else step
    planned = (asked, *(entry.change for entry in subscription.schedule))
    return refs | {each.plan for each in planned if isinstance(each, ChangePlan)}


async def load_plan(connection: AsyncConnection, ref: PlanRef) -> Plan:
    """A version of a plan, with what later ones price of what it has no price for."""
    version = await find_plan(connection, ref.key, ref.version)
    plan = read_plan(version.document, version.version)
    if not has_gaps(plan):
        return plan
    later = await versions_after(connection, version)
    return with_gaps_filled(plan, [read_plan(each.document, each.version) for each in later])


async def reached_since(
    connection: AsyncConnection,
    facts: Facts,
    subscription: Subscription,
    windows: Sequence[BilledWindow],
    horizon: int,
) -> tuple[BilledUsage, ...]:
    """The windows that usage has reached since they were billed."""
    closed = [
        ClosedWindow(meter_of(facts, window.billed), window.billed.window, window.cut_off)
        for window in windows
    ]
    consumer = await consumer_of(connection, subscription, horizon)
    places = await late_windows(connection, consumer, closed, horizon)
    return tuple(windows[place].billed for place in places)


def meter_of(facts: Facts, billed: BilledUsage) -> Meter:
    item = facts.plans[billed.plan].item(billed.item)
    if item is None or item.meter is None:
        raise Corrupt(f"plan {billed.plan.key} does not meter {billed.item}, which was billed")
    return facts.meters[item.meter]
