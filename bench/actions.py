"""What a subscription and a monthly period cost in Temporal, with one payment: with 10 events, and with a million of them.

A whole Weir runs on servers of its own: real steps, the real pump, a payment provider that answers and sends webhooks. The
subscriptions live in real time, so that they wait by timers; Temporal skips the time in which nothing happens to them. Their
second period is counted, from the histories of its run and of the collection of its invoice. The pump, the relay and
what other things are asked for are no part of it. `EVENTS` in the environment is another number than a million.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import text
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.testing import TimeSkipper

from bench._counted import actions_of, events_of
from cli.client import WeirClient
from cli.keys import Mode, create_key
from cli.stack.embedded import servers
from cli.stack.weir import running_weir
from db.session import Database
from db.tenants import list_environments
from domain.calendar import Period
from workflows.subscription import SPREAD, SubscriptionWorkflow
from workflows.wire import DATA_CONVERTER

FEW = 10
MANY = int(os.environ.get("EVENTS", "1000000"))
MOST_ACTIONS = 12
MOST_EVENTS = 40
A_TRANSACTION = 5_000
LOOK_SECONDS = 0.1
TOKENS = {"key": "tokens", "event_name": "llm", "aggregation": "sum", "value": "tokens"}
PLAN = {
    "key": "pro",
    "name": "Pro",
    "currency": "USD",
    "interval": {"unit": "month", "count": 1},
    "items": [
        {
            "key": "base",
            "kind": "recurring",
            "charged": "in_advance",
            "price": {"model": "flat", "amount": "20.00"},
        },
        {
            "key": "tokens",
            "kind": "usage",
            "meter": "tokens",
            "charged": "in_arrears",
            "price": {"model": "per_unit", "unit_amount": "0.01"},
        },
    ],
}

# Spread over the period; each is of one token.
ADD_EVENTS = text("""
    INSERT INTO usage_events
        (environment_id, id, event_name, customer_id, customer_key, time, properties)
    SELECT :environment, :customer || n, 'llm', :customer, :key,
        CAST(:start AS timestamptz) + (CAST(:end AS timestamptz) - CAST(:start AS timestamptz)) * n / :events,
        '{"tokens": "1"}'
    FROM generate_series(CAST(:first AS integer), :last) AS n
""")
PUMPED = text("""
    SELECT NOT EXISTS (
        SELECT FROM usage_events e JOIN meters m USING (environment_id)
        WHERE e.customer_id = :customer AND e.tx >= m.rolled_up_to
    ) AND EXISTS (
        SELECT FROM usage_signals WHERE customer_id = :customer AND signalled_at IS NOT NULL
    )
""")
BILLED = text("""
    SELECT i.id, i.status, i.total_minor FROM invoices i
    WHERE i.subscription_id = :subscription ORDER BY i.seq DESC LIMIT 1
""")


def measure() -> Iterator[str]:
    yield from asyncio.run(_measure())


@dataclass(frozen=True, slots=True)
class Stand:
    """A Weir that runs, and the environment in it that is measured."""

    database: Database
    environment: str
    temporal: Client
    weir: WeirClient


async def _measure() -> list[str]:
    async with _stand() as stand:
        await stand.weir.post("meters", TOKENS)
        await stand.weir.post("plans", PLAN)
        return [await _period(stand, FEW), await _period(stand, MANY)]


@asynccontextmanager
async def _stand() -> AsyncIterator[Stand]:
    with TemporaryDirectory(prefix="weir-bench-") as directory:
        place = Path(directory)
        async with servers(place, {}, keep=False) as running, running_weir(running, place) as weir:
            database = Database(running.variables["DATABASE_URL"])
            key = await create_key(database, "bench", Mode.test, "bench", ["admin"])
            async with database.registry() as connection:
                (environment,) = await list_environments(connection)
            address = running.variables["TEMPORAL_ADDRESS"]
            temporal = await Client.connect(address, data_converter=DATA_CONVERTER)
            async with WeirClient(weir.url, key) as client:
                yield Stand(database, environment.id, temporal, client)
            await database.close()


async def _period(stand: Stand, events: int) -> str:
    """The second period of a subscription that uses so much in it. Raises RuntimeError above the budget."""
    customer, subscription = await _subscribed(stand, f"c{events}")
    first = await _period_of(stand, subscription)
    await _skip_to_the_end_of(stand, subscription, first)
    second = await _period_of(stand, subscription)
    run = (await stand.temporal.get_workflow_handle(subscription).describe()).run_id
    await _use(stand, customer, f"c{events}", second, events)
    await _until_it_is_known(stand, customer)
    await _skip_to_the_end_of(stand, subscription, second)
    invoice = await _paid(stand, subscription, 2_000 + events)
    lives = [await _history(stand, subscription, run), await _history(stand, f"collect:{invoice}")]
    return _told(events, lives)


def _told(events: int, lives: Sequence[Sequence[HistoryEvent]]) -> str:
    actions: Counter[str] = sum((actions_of(life) for life in lives), Counter())
    length = sum(events_of(life) for life in lives)
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(actions.items()))
    line = (
        f"{events:,} events: {actions.total()} actions (at most {MOST_ACTIONS}; {kinds}),"
        f" {length} history events (at most {MOST_EVENTS})"
    )
    if actions.total() > MOST_ACTIONS or length > MOST_EVENTS:
        raise RuntimeError(line)
    return line


async def _subscribed(stand: Stand, key: str) -> tuple[str, str]:
    """The ids of a customer with a card, and of a subscription that begins now."""
    customer = await stand.weir.post("customers", {"key": key, "name": key})
    card = {"payment_method": "pm_card_visa"}
    await stand.weir.post(f"customers/{key}/payment-methods", card)
    asked = {"key": f"{key}-pro", "customer": key, "plan": "pro"}
    subscription = await stand.weir.post("subscriptions", asked)
    return customer["id"], subscription["id"]


async def _period_of(stand: Stand, subscription: str) -> Period:
    handle = stand.temporal.get_workflow_handle(subscription)
    period = (await handle.query(SubscriptionWorkflow.state)).period
    if period is None:
        raise RuntimeError(f"{subscription} has not begun")
    return period


async def _skip_to_the_end_of(stand: Stand, subscription: str, period: Period) -> None:
    """So far that its invoice is there and the next period has begun."""
    handle = stand.temporal.get_workflow_handle(subscription)
    length = period.end - period.start + SPREAD + timedelta(minutes=1)
    await TimeSkipper(stand.temporal).fast_forward(handle, length)
    while await _period_of(stand, subscription) == period:  # noqa: ASYNC110 - others do it
        await asyncio.sleep(LOOK_SECONDS)


async def _use(stand: Stand, customer: str, key: str, period: Period, events: int) -> None:
    """So many events in the period, straight into the log."""
    asked = {"environment": stand.environment, "customer": customer, "key": key, "events": events}
    asked |= {"start": period.start, "end": period.end}
    for day in (period.start, period.end):
        async with stand.database.transaction(stand.environment) as connection:
            await connection.execute(text("SELECT make_usage_partition(:day)"), {"day": day.date()})
    for first in range(0, events, A_TRANSACTION):
        last = min(first + A_TRANSACTION, events) - 1
        async with stand.database.transaction(stand.environment) as connection:
            await connection.execute(ADD_EVENTS, {**asked, "first": first, "last": last})


async def _until_it_is_known(stand: Stand, customer: str) -> None:
    """Until the pump has added all of it up, and told the subscription."""
    known = False
    while not known:
        await asyncio.sleep(LOOK_SECONDS)
        async with stand.database.transaction(stand.environment) as connection:
            known = (await connection.execute(PUMPED, {"customer": customer})).scalar_one()


async def _paid(stand: Stand, subscription: str, total: int) -> str:
    """The id of the newest invoice, as soon as it is paid."""
    while True:
        async with stand.database.transaction(stand.environment) as connection:
            rows = await connection.execute(BILLED, {"subscription": subscription})
            invoice, status, billed = rows.one()
        if status == "paid":
            break
        await asyncio.sleep(LOOK_SECONDS)
    if billed != total:
        raise RuntimeError(f"{billed} were billed and not {total}")
    await stand.temporal.get_workflow_handle(f"collect:{invoice}").result()
    return str(invoice)


async def _history(stand: Stand, workflow: str, run: str | None = None) -> Sequence[HistoryEvent]:
    handle = stand.temporal.get_workflow_handle(workflow, run_id=run)
    return (await handle.fetch_history()).events
