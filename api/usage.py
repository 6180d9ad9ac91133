"""/v1/customers/{customer}/usage: what a customer has used, the same numbers that are billed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api.answers import answer
from api.auth import Reads
from api.bodies import ExactRoute
from api.connections import Opened
from api.moments import now_for
from api.paths import Named, NamedQuery
from api.schemas import events as schemas
from api.schemas.fields import Instant
from db.catalog import find
from db.customers import CustomerRow, find_customer
from db.meters import kept_meters
from db.subscriptions import find_subscription
from db.usage import usage_by_window
from db.usage_horizon import all_seen
from db.usage_measures import Consumer
from domain.calendar import Period
from domain.decimals import plain
from domain.errors import Invalid
from domain.metering.consumption import by_dimensions
from domain.metering.meter import Meter, Window
from domain.metering.windows import window_containing, windows_of
from domain.pricing.usage import Groups, Quantity, Usage
from domain.reading import LONGEST_TEXT, written

router = APIRouter(prefix="/customers", tags=["usage"], route_class=ExactRoute)

MOST_WINDOWS = 1_000
INSTANT = timedelta(microseconds=1)
FIRST_YEAR, LAST_YEAR = 1900, 9000

From = Annotated[
    Instant | None,
    Query(alias="from", description="From then on; the beginning of the month of `to`."),
]
To = Annotated[Instant | None, Query(alias="to", description="Until then; now.")]
WindowQuery = Annotated[
    Window | None, Query(description="Each window for itself, on the customer's clock.")
]
GroupBy = Annotated[
    str | None,
    Query(
        description="Dimensions of the meter, with commas between; without it all groups are taken together.",
        max_length=LONGEST_TEXT,
        examples=["model,region"],
    ),
]


@router.get("/{customer:path}/usage", response_model=schemas.UsedPage, summary="Read usage")
async def usage(
    customer: Named,
    caller: Reads,
    opened: Opened,
    meter: NamedQuery = None,
    subscription: NamedQuery = None,
    since: From = None,
    until: To = None,
    window: WindowQuery = None,
    group_by: GroupBy = None,
) -> Response:
    """By meter, window and group: rounded as the meter says, never below 0. With a `subscription`, what counts for it."""
    database = opened.database
    async with database.transaction(caller.environment, "REPEATABLE READ") as connection:
        row = await find_customer(connection, customer)
        meters = await _meters(connection, meter, group_by)
        stretch = await _stretch(connection, row, since, until)
        windows = _windows(stretch, window, row.timezone)
        of = await _subscription(connection, row, subscription)
        consumer = Consumer(row.id, of, row.timezone)
        seen = await all_seen(connection)
        shape: Literal["quantity", "groups"] = "quantity" if group_by is None else "groups"
        used = [
            await usage_by_window(connection, consumer, each, windows, shape, seen)
            for each in meters
        ]
    data = [
        document
        for each, usages in zip(meters, used, strict=True)
        for counted, one in zip(windows, usages, strict=True)
        for document in _documents(each, counted, one)
    ]
    return answer({"data": data, "next": None})


async def _meters(
    connection: AsyncConnection, name: str | None, group_by: str | None
) -> Sequence[Meter]:
    """The meter that is named, or all; by the dimensions that are asked for."""
    names = frozenset(group_by.split(",")) if group_by is not None else frozenset[str]()
    meters = [kept.meter for kept in await kept_meters(connection)]
    if name is not None:
        key = (await find(connection, "meters", name)).key
        meters = [meter for meter in meters if meter.key == key]
    chosen = [by_dimensions(meter, names) for meter in meters]
    for meter in chosen if name is not None else ():
        if missing := names - {dimension.name for dimension in meter.group_by}:
            raise Invalid.at(
                "group_by", f"{meter.key} has no dimension {', '.join(sorted(missing))}"
            )
    return chosen


async def _stretch(
    connection: AsyncConnection,
    customer: CustomerRow,
    since: datetime | None,
    until: datetime | None,
) -> Period:
    for name, at in (("from", since), ("to", until)):
        if at is not None and not FIRST_YEAR <= at.year <= LAST_YEAR:
            raise Invalid.at(name, f"must be in the years {FIRST_YEAR} to {LAST_YEAR}")
    end = until or (await now_for(connection, customer.test_clock)).at
    start = since or window_containing(end - INSTANT, "month", customer.timezone).start
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


async def _subscription(
    connection: AsyncConnection, customer: CustomerRow, name: str | None
) -> str | None:
    if name is None:
        return None
    subscription = (await find_subscription(connection, name)).state
    if subscription.customer != customer.id:
        raise Invalid.at("subscription", f"{customer.key} has no subscription {name}")
    return subscription.id


def _documents(meter: Meter, window: Period, used: Usage) -> Sequence[dict[str, object]]:
    match used:
        case Quantity(total):
            return [_document(meter, window, {}, plain(total))]
        case Groups(groups):
            return [_document(meter, window, dict(g.key), plain(g.quantity)) for g in groups]
        case _:
            return []


def _document(
    meter: Meter, window: Period, group: dict[str, str | None], quantity: str
) -> dict[str, object]:
    return {
        "meter": meter.key,
        "from": written(window.start),
        "to": written(window.end),
        "group": group,
        "quantity": quantity,
    }
