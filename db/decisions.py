"""What the steps that issued documents were decided on: kept with the documents, and loaded to decide them again."""

from dataclasses import replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.facts import closings, load_plan, plans_for
from db.ids import new_id
from db.invoice_lines import lines_before
from db.meters import kept_meters
from db.pools import consumer_of
from db.session import write_json
from db.usage_measures import measures_by_time
from domain import lifecycle
from domain.account import Facts, Need
from domain.calendar import Period
from domain.codec import from_plain, to_plain
from domain.deciding import Taking, kind_of, name_of
from domain.grounds import Before, Grounds, TopUpGrounds, grounds_of, with_payments
from domain.metering.consumption import BEGINNING, consumption
from domain.metering.measuring import Measure
from domain.metering.meter import Meter
from domain.pricing.usage import Usage

_ADD = text("""
    INSERT INTO decisions (id, environment_id, subscription_id, name, grounds)
    VALUES (:id, :environment, :subscription, :name, CAST(:grounds AS jsonb))
""")
_FIND = text("SELECT grounds FROM decisions WHERE id = :id")
_BEFORE = text("""
    SELECT coalesce(max(seq), 0), coalesce(array_agg(name ORDER BY seq) FILTER (WHERE status = 'void'), '{}')
    FROM invoices WHERE subscription_id = :subscription
""")


async def keep_decision(
    connection: AsyncConnection, environment: str, taking: Taking, facts: Facts, cut_off: int
) -> str:
    """Keep what a step was decided on, before the documents it brings are written. The id of the decision."""
    subscription = taking.subscription.id
    last, void = (await connection.execute(_BEFORE, {"subscription": subscription})).one()
    grounds = grounds_of(taking, facts, cut_off, Before(last, tuple(void)))
    return await _add(connection, environment, name_of(taking), grounds, subscription)


async def keep_top_up_decision(
    connection: AsyncConnection, environment: str, grounds: TopUpGrounds
) -> str:
    return await _add(connection, environment, grounds.name, grounds, None)


async def find_decision(connection: AsyncConnection, decision: str) -> Grounds | TopUpGrounds:
    grounds = (await connection.execute(_FIND, {"id": decision})).scalar_one()
    if grounds["action"] == "top_up":
        return from_plain(TopUpGrounds, grounds)
    return from_plain(Grounds, grounds)


async def facts_again(connection: AsyncConnection, grounds: Grounds) -> Facts:
    """The facts of a decision as they were: usage measured anew, from the events alone."""
    facts = await facts_but_usage(connection, grounds)
    usage = {
        need: await _used(connection, grounds, facts.meters[need.meter], need)
        for need in needs_again(grounds, facts)
    }
    return replace(facts, usage=usage)


def needs_again(grounds: Grounds, facts: Facts) -> tuple[Need, ...]:
    """The usage that the decision had to know."""
    living, step = grounds.taking.subscription, kind_of(grounds.taking)
    return lifecycle.needs(living, step, facts, grounds.taking.at)


async def facts_but_usage(connection: AsyncConnection, grounds: Grounds) -> Facts:
    living = grounds.taking.subscription
    step = kind_of(grounds.taking)
    since = living.period.start if living.period else living.started_at
    lines = await lines_before(
        connection, living.id, since, grounds.before.last, grounds.before.void
    )
    refs = plans_for(living, step, grounds.billed)
    return Facts(
        customer=grounds.customer,
        plans={ref: await load_plan(connection, ref) for ref in refs},
        meters={kept.meter.key: kept.meter for kept in await kept_meters(connection)},
        closings=await closings(connection, living),
        billed=grounds.billed,
        advance=with_payments(grounds, lines),
        grants=grounds.grants,
        credit_notes=grounds.credit_notes,
        redeemed=grounds.redeemed,
    )


async def measures_again(
    connection: AsyncConnection, grounds: Grounds, meter: Meter, window: Period
) -> list[Measure]:
    """What the meter measured of the events that the decision knew of a window: for a meter whose level carries over, of
    all that came before it too.
    """
    stretch = Period(BEGINNING, window.end) if meter.carry_over else window
    consumer = await consumer_of(connection, grounds.taking.subscription, grounds.cut_off)
    return await measures_by_time(connection, consumer, meter, (stretch,), until=grounds.cut_off)


async def _used(connection: AsyncConnection, grounds: Grounds, meter: Meter, need: Need) -> Usage:
    measures = await measures_again(connection, grounds, meter, need.window)
    timezone = grounds.taking.subscription.timezone
    return consumption(
        meter, measures, need.window, need.shape, timezone, need.without, need.closings
    )


async def _add(
    connection: AsyncConnection,
    environment: str,
    name: str,
    grounds: Grounds | TopUpGrounds,
    subscription: str | None,
) -> str:
    decision = new_id("dec")
    row = {"id": decision, "environment": environment, "subscription": subscription, "name": name}
    await connection.execute(_ADD, {**row, "grounds": write_json(to_plain(grounds))})
    return decision
