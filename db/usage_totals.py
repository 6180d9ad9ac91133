"""What a subscription has used of each meter so far, as it is told from time to time."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.meters import kept_meters
from db.usage import usage_in
from db.usage_horizon import cut_off
from db.usage_measures import MEMBERS, Consumer
from domain.calendar import Period
from domain.metering.grains import LONGEST_GRAIN
from domain.pricing.usage import Quantity


@dataclass(frozen=True, slots=True)
class Totals:
    """Of the transactions before `watermark`. `events` counts an event once for each meter that took it."""

    watermark: int
    events: int
    quantities: Mapping[str, Fraction]


_TOUCHED = text(f"""
    SELECT meter, sum(count)::bigint FROM {MEMBERS}
    JOIN usage_rollups ON customer_id = f.customer
        AND grain > greatest(:start, f.since - CAST(:longest AS interval))
        AND grain < least(:stop, f.until)
    WHERE (CAST(:subscription AS text) IS NULL OR subscription_id IN ('', :subscription))
    GROUP BY meter
""")


async def totals_of(connection: AsyncConnection, consumer: Consumer, period: Period) -> Totals:
    """The totals of a period, of each meter that the rollups know some usage of."""
    watermark = await cut_off(connection)
    rows = await connection.execute(
        _TOUCHED,
        {
            **consumer.asked,
            "longest": LONGEST_GRAIN,
            "start": period.start - LONGEST_GRAIN,  # what the period cuts is touched, too
            "stop": period.end,
        },
    )
    touched = {meter: int(count) for meter, count in rows}
    quantities: dict[str, Fraction] = {}
    for kept in await kept_meters(connection):
        if kept.meter.key not in touched:
            continue
        used = await usage_in(connection, consumer, kept.meter, period, "quantity", watermark)
        if isinstance(used, Quantity):
            quantities[kept.meter.key] = used.total
    return Totals(watermark, sum(touched.values()), quantities)
