"""What a customer has used in the windows that are asked about: the same numbers that are billed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from api.moments import now_for
from db.billed_usage import billed_windows
from db.catalog import find
from db.customers import CustomerRow
from db.facts import closings
from db.meters import kept_meters
from db.pools import consumer_of
from db.subscriptions import find_subscription
from db.usage import usage_by_window, usage_in
from db.usage_horizon import all_seen
from db.usage_measures import Consumer
from domain.calendar import Period
from domain.consumed import closings_before, left_out, open_window
from domain.decimals import plain
from domain.errors import Invalid
from domain.metering.consumption import by_dimensions
from domain.metering.meter import Meter, Window
from domain.metering.windows import window_containing, windows_of
from domain.pricing.usage import Groups, Quantity, Usage
from domain.reading import written
from domain.subscription import Subscription

MOST_WINDOWS = 1_000
INSTANT = timedelta(microseconds=1)
FIRST_YEAR, LAST_YEAR = 1900, 9000

Document = dict[str, object]


@dataclass(frozen=True, slots=True)
class Asked:
    """Of each customer; `since` and `until` are None where each one's own stretch is meant. `shape` is `groups` where
    the meters' dimensions are told apart.
    """

    meters: Sequence[Meter]
    shape: Literal["quantity", "groups"]
    since: datetime | None
    until: datetime | None
    window: Window | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Of a customer's time, or of a subscription's `without` its pauses. `closings` are the ends of its closed windows
    by their meters.
    """

    consumer: Consumer
    windows: Sequence[Period]
    without: Sequence[Period] = ()
    closings: Mapping[str, Sequence[datetime]] = field(default_factory=dict)


async def find_meters(
    connection: AsyncConnection, name: str | None, dimensions: Collection[str]
) -> Sequence[Meter]:
    """The meter that is named, or all; by the dimensions that are asked for."""
    meters = [kept.meter for kept in await kept_meters(connection)]
    if name is not None:
        key = (await find(connection, "meters", name)).key
        meters = [meter for meter in meters if meter.key == key]
    known = {dimension.name for meter in meters for dimension in meter.group_by}
    if missing := set(dimensions) - known:
        whose = "no meter has a" if name is None else f"{name} has no"
        raise Invalid.at("group_by", f"{whose} dimension {', '.join(sorted(missing))}")
    return [by_dimensions(meter, dimensions) for meter in meters]


async def find_own(
    connection: AsyncConnection, customer: CustomerRow, name: str | None
) -> Subscription | None:
    """The subscription that is named, which must be the customer's."""
    if name is None:
        return None
    subscription = (await find_subscription(connection, name)).state
    if subscription.customer != customer.id:
        raise Invalid.at("subscription", f"{customer.key} has no subscription {name}")
    return subscription


async def stretch_of(
    connection: AsyncConnection,
    customer: CustomerRow,
    subscription: Subscription | None,
    asked: Asked,
) -> Stretch:
    """What is asked about of a customer. Raises `Invalid`."""
    if subscription is None:
        period = await _month_so_far(connection, customer, asked)
        timezone = customer.timezone
        return Stretch(
            Consumer(customer.id, None, timezone), _windows(period, asked.window, timezone)
        )
    current = None if asked.since or asked.until else open_window(subscription)
    period = current or await _month_so_far(connection, customer, asked)
    timezone = subscription.timezone
    closed = [each.billed for each in await billed_windows(connection, subscription.id)]
    return Stretch(
        await consumer_of(connection, subscription, await all_seen(connection)),
        _windows(period, asked.window, timezone),
        left_out(subscription, closed, period),
        await closings(connection, subscription),
    )


async def used_in(
    connection: AsyncConnection, stretch: Stretch, asked: Asked, seen: int
) -> list[Document]:
    """What each meter counts in each window, of each group; rounded as the meter says, never below 0."""
    return [
        document
        for meter in asked.meters
        for window, used in zip(
            stretch.windows,
            await _by_window(connection, stretch, meter, asked.shape, seen),
            strict=True,
        )
        for document in _documents(meter, window, used)
    ]


async def _by_window(
    connection: AsyncConnection,
    stretch: Stretch,
    meter: Meter,
    shape: Literal["quantity", "groups"],
    seen: int,
) -> list[Usage]:
    consumer, windows, without = stretch.consumer, stretch.windows, stretch.without
    before = closings_before(meter, stretch.closings.get(meter.key, ()), windows[0])
    if not without:
        return await usage_by_window(connection, consumer, meter, windows, shape, seen, before)
    return [
        await usage_in(connection, consumer, meter, each, shape, seen, without, before)
        for each in windows
    ]


async def is_ahead(connection: AsyncConnection, customer: CustomerRow, asked: Asked) -> bool:
    """Whether it begins later than a customer's clock shows, and is asked about up to then."""
    if asked.since is None or asked.until is not None:
        return False
    return asked.since >= (await now_for(connection, customer.test_clock)).at


async def _month_so_far(connection: AsyncConnection, customer: CustomerRow, asked: Asked) -> Period:
    for name, at in (("from", asked.since), ("to", asked.until)):
        if at is not None and not FIRST_YEAR <= at.year <= LAST_YEAR:
            raise Invalid.at(name, f"must be in the years {FIRST_YEAR} to {LAST_YEAR}")
    end = asked.until or (await now_for(connection, customer.test_clock)).at
    start = asked.since or window_containing(end - INSTANT, "month", customer.timezone).start
    if start >= end:
        raise Invalid.at("from", "must be before `to`")
    return Period(start, end)


def _windows(stretch: Period, window: Window | None, timezone: str) -> Sequence[Period]:
    if window is None:
        return (stretch,)
    windows = list(islice(windows_of(stretch, window, timezone), MOST_WINDOWS + 1))
    if len(windows) > MOST_WINDOWS:
        raise Invalid.at("window", f"there are more than {MOST_WINDOWS}: ask for longer ones")
    return windows


def _documents(meter: Meter, window: Period, used: Usage) -> Sequence[Document]:
    match used:
        case Quantity(total):
            return [_document(meter, window, {}, plain(total))]
        case Groups(groups):
            return [_document(meter, window, dict(g.key), plain(g.quantity)) for g in groups]
        case _:
            return []


def _document(
    meter: Meter, window: Period, group: dict[str, str | None], quantity: str
) -> Document:
    return {
        "meter": meter.key,
        "from": written(window.start),
        "to": written(window.end),
        "group": group,
        "quantity": quantity,
    }
