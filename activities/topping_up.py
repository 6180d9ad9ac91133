"""Automatic top-ups: what a wallet's rule decides is written down as a request, and the relay sends it."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.steps import TopUp
from db.automatic_top_ups import (
    AttemptRow,
    Ended,
    answer_of_attempt,
    automatic_top_ups_of,
    begin_attempt,
    end_attempt,
    next_number,
    recent_attempts,
)
from db.customers import CustomerRow, find_customer
from db.outbox import announce
from db.requests import Asked, write_requests
from db.watching import Watched
from domain.automatic_top_ups import decide, month_of
from domain.codec import to_plain
from domain.credits import TopUpOrder
from domain.money import Money

ACTOR = "automatic top-up"


async def top_up_automatically(connection: AsyncConnection, watched: Watched) -> datetime | None:
    """Note what became of the purchase that was under way, and decide on the next one. The customer is locked."""
    customer = await find_customer(connection, watched.payer.customer)
    month = month_of(watched.at, customer.timezone)
    recent = await recent_attempts(connection, watched.payer, month)
    known = [await _as_it_is(connection, watched, customer, row) for row in recent]
    rules = await automatic_top_ups_of(connection, customer.id)
    rule = next((r.rule for r in rules if r.rule.currency == watched.payer.currency), None)
    if rule is None:
        return None
    attempts = [row.attempt for row in known]
    decision = decide(rule, watched.wallet.available, attempts, watched.at, month)
    if decision.buy is not None:
        await _buy(connection, watched, customer, decision.buy)
    return decision.again_at


async def _buy(
    connection: AsyncConnection, watched: Watched, customer: CustomerRow, amount: Money
) -> None:
    """The purchase and its request, in one transaction: whatever crashes, it is made once or not at all."""
    number = await next_number(connection, customer.id)
    name = f"auto_top_up:{customer.id}:{number}"
    order = TopUpOrder(name, customer.key, amount.exact, amount.currency)
    wanted = TopUp(
        watched.environment,
        name,
        customer.id,
        order,
        amount.currency,
        watched.at,
        customer.test_clock,
        is_automatic=True,
    )
    asked = Asked(name, "top_up", customer.id, None, to_plain(wanted), ACTOR)
    await write_requests(connection, watched.environment, [asked])
    await begin_attempt(
        connection, watched.environment, watched.payer, number, name, amount, watched.at
    )


async def _as_it_is(
    connection: AsyncConnection, watched: Watched, customer: CustomerRow, row: AttemptRow
) -> AttemptRow:
    """A purchase with its answer, where that has come: it is noted, and others are told of it."""
    if row.attempt.status != "pending":
        return row
    ended = await answer_of_attempt(connection, row)
    if ended is None:
        return row
    await end_attempt(connection, customer.id, ended, watched.at)
    await _tell(connection, watched, customer, ended)
    return replace(row, attempt=replace(row.attempt, status=ended.status, ended_at=watched.at))


async def _tell(
    connection: AsyncConnection, watched: Watched, customer: CustomerRow, ended: Ended
) -> None:
    told = {
        "customer": customer.key,
        "currency": watched.payer.currency,
        "amount": str(ended.row.attempt.amount),
        "request": ended.row.request,
        "invoice": ended.row.invoice,
        "failure_code": ended.failure_code if ended.status == "declined" else None,
    }
    topic = f"automatic_top_up.{ended.status}"
    await announce(connection, watched.environment, topic, customer.id, watched.at, told)
