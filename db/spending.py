"""What subscriptions have come to in their current periods: usage that no invoice bills yet, and what one has billed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.running_facts import Payer
from domain.codec import from_plain
from domain.money import Money
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
_LIVING = text("""
    SELECT state FROM subscriptions WHERE customer_id = ANY(:customers) AND status <> 'cancelled' ORDER BY id
""")
# Usage that is charged as it arrives, or was billed before the period's end.
_BILLED = text("""
    SELECT i.subscription_id, sum(l.amount_minor - l.discount_minor + l.tax_minor - l.inclusive_tax_minor)
    FROM unnest(CAST(:subscriptions AS text[]), CAST(:starts AS timestamptz[])) AS p (subscription, start)
    JOIN invoices i ON i.subscription_id = p.subscription AND i.status <> 'void'
    JOIN invoice_lines l ON l.environment_id = i.environment_id AND l.invoice_id = i.id
    WHERE l.kind = 'usage' AND l.period_start >= p.start
    GROUP BY i.subscription_id
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


async def living_of(
    connection: AsyncConnection, customers: Collection[str]
) -> Sequence[Subscription]:
    """The subscriptions of these customers, whoever pays for them."""
    rows = await connection.execute(_LIVING, {"customers": sorted(customers)})
    return [from_plain(Subscription, state) for (state,) in rows]


async def billed_in_period(
    connection: AsyncConnection, subscriptions: Collection[Subscription]
) -> Mapping[str, int]:
    """What invoices have billed already of usage in the current periods, in minor units, before credits, by id."""
    starts = {each.id: each.period.start for each in subscriptions if each.period is not None}
    if not starts:
        return {}
    asked = {"subscriptions": list(starts), "starts": list(starts.values())}
    return {id: int(billed) for id, billed in await connection.execute(_BILLED, asked)}
