"""Telling subscriptions of usage that cannot wait for a period's end."""

from collections.abc import Sequence
from datetime import datetime

from activities.lives import Lives
from activities.steps import Arrival
from db.session import Database
from db.usage_arrivals import arrivals, have_seen


async def tell_of_arrivals(
    database: Database,
    lives: Lives,
    environment: str,
    clock: str | None = None,
    at: datetime | None = None,
) -> Sequence[str]:
    """Tell of everything that has arrived since the last time, in real time or for those on `clock`, which shows `at`.
    Returns the workflows that were told. To repeat it does no harm: each is charged once.
    """
    async with database.transaction(environment) as connection:
        arrived, until = await arrivals(connection, environment, clock or "")
    told = []
    for each in arrived:
        arrival = Arrival(environment, each.subscription, each.transaction, each.event, at, clock)
        told.append(await lives.usage_arrived(arrival, each.is_over))
    async with database.transaction(environment) as connection:
        await have_seen(connection, environment, clock or "", until)
    return told
