"""What subscriptions have come to in their current periods: usage that no invoice bills yet, and what one has billed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.invoice_lines import usage_lines_of
from db.running_facts import Payer
from domain.codec import from_plain
from domain.money import Money
from domain.running import billed_usage
from domain.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Running:
    """A subscription, and what its usage would come to on an invoice now."""

    subscription: Subscription
    amount: Money


_RUNNING = text("""
    WITH paid AS (
        SELECT subscription_id AS id FROM running_usage WHERE customer_id = :customer AND currency = :currency
    ), concerned AS (
        SELECT :customer AS id UNION SELECT s.customer_id FROM paid JOIN subscriptions s USING (id)
    )
    SELECT s.state, r.amount_minor, r.currency FROM (
        SELECT id FROM paid UNION SELECT s.id FROM concerned c JOIN subscriptions s ON s.customer_id = c.id
    ) l
    JOIN subscriptions s ON s.id = l.id
    JOIN running_usage r ON r.environment_id = s.environment_id AND r.subscription_id = s.id
    WHERE r.currency = :currency AND (s.status <> 'cancelled' OR r.amount_minor > 0)
    ORDER BY s.id
""")


async def running_of(connection: AsyncConnection, payer: Payer) -> Sequence[Running]:
    """Of every subscription in that currency that bills a payer, or is a customer's of one that does or the payer's own,
    whoever pays for it; those included whose life is over but not all billed.
    """
    rows = await connection.execute(
        _RUNNING, {"customer": payer.customer, "currency": payer.currency}
    )
    return [
        Running(from_plain(Subscription, row.state), Money(row.amount_minor, row.currency))
        for row in rows
    ]


async def billed_in_period(
    connection: AsyncConnection, subscriptions: Collection[Subscription]
) -> Mapping[str, Money]:
    """What invoices have billed already of usage in the current periods (as it arrived, or on account), before credits, by
    the ids of those that have a period.
    """
    starts = {each.id: each.period.start for each in subscriptions if each.period is not None}
    lines = await usage_lines_of(connection, starts) if starts else {}
    return {
        each.id: billed_usage(lines[each.id], each.currency)
        for each in subscriptions
        if each.id in lines
    }
