"""What a subscription has used of a meter in a period, a level that carries over included."""

from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncConnection

from db.facts import closings
from db.meters import kept_meters
from db.pools import consumer_of
from db.usage import usage_for
from domain.account import Need
from domain.calendar import Period
from domain.charges import total_quantity
from domain.consumed import closings_before
from domain.metering.meter import adds_up
from domain.subscription import Subscription


async def used_in(
    connection: AsyncConnection, subscription: Subscription, meter: str, period: Period, known: int
) -> Fraction:
    """As transactions before `known` had it."""
    meters = {kept.meter.key: kept.meter for kept in await kept_meters(connection)}
    before: Iterable[datetime] = ()
    if adds_up(meters[meter]):
        before = (await closings(connection, subscription)).get(meter, ())
    closed = closings_before(meters[meter], before, period)
    need = Need(meter, meter, period, closings=closed)
    consumer = await consumer_of(connection, subscription, known)
    used = await usage_for(connection, consumer, (need,), meters, known)
    return total_quantity(used[need])
