"""/v1/customers/{customer}/usage and /v1/usage: what a customer, or each of many, has used."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api.answers import answer
from api.auth import Reads
from api.bodies import ExactRoute
from api.connections import Opened
from api.pages import Page, PageRequest
from api.paths import Named, NamedQuery
from api.schemas import events as schemas
from api.schemas.fields import Instant
from api.using import Asked, Document, find_meters, find_own, is_ahead, stretch_of, used_in
from db.customers import CustomerRow, find_customer, find_customers
from db.subscriptions import find_subscription
from db.usage_horizon import all_seen
from domain.errors import Invalid
from domain.metering.meter import Window
from domain.reading import LONGEST_TEXT

router = APIRouter(tags=["usage"], route_class=ExactRoute)

CUSTOMER = "customer"
MOST_QUANTITIES = 10_000

From = Annotated[
    Instant | None,
    Query(
        alias="from",
        description="From then on. If neither this nor `to` is given: since the beginning of the month or, with a"
        " `subscription`, all of its current period.",
    ),
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
GroupByCustomer = Annotated[
    str | None,
    Query(
        description="`customer`, and dimensions of the meter, with commas between. Only where one customer is named can"
        " `customer` be left out.",
        max_length=LONGEST_TEXT,
        examples=["customer,model"],
    ),
]


@router.get(
    "/customers/{customer:path}/usage", response_model=schemas.UsedPage, summary="Read usage"
)
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
    """By meter, window and group: rounded as the meter says, never below 0. With a `subscription`, what counts for it,
    without its pauses: for its current period, what the next invoice bills.
    """
    names = None if group_by is None else frozenset(group_by.split(","))
    database = opened.database
    async with database.transaction(caller.environment, "REPEATABLE READ") as connection:
        row = await find_customer(connection, customer)
        asked = Asked(
            await find_meters(connection, meter, names or ()),
            "quantity" if names is None else "groups",
            since,
            until,
            window,
        )
        own = await find_own(connection, row, subscription)
        stretch = await stretch_of(connection, row, own, asked)
        data = await used_in(connection, stretch, asked, await all_seen(connection))
    return answer({"data": data, "next": None})


@router.get("/usage", response_model=schemas.CustomerUsedPage, summary="Read usage by customer")
async def usage_by_customer(
    page: Page,
    caller: Reads,
    opened: Opened,
    meter: NamedQuery = None,
    customer: NamedQuery = None,
    subscription: NamedQuery = None,
    since: From = None,
    until: To = None,
    window: WindowQuery = None,
    group_by: GroupByCustomer = None,
) -> Response:
    """By customer, meter, window and group, `limit` customers at a time, the oldest first. A quantity is one customer's:
    what several have used together is for the caller to add up, where it can be added.
    """
    names = set() if group_by is None else set(group_by.split(","))
    if CUSTOMER not in names and customer is None and subscription is None:
        raise Invalid.at("group_by", "must have `customer`, unless one is named")
    names.discard(CUSTOMER)
    database = opened.database
    async with database.transaction(caller.environment, "REPEATABLE READ") as connection:
        meters = await find_meters(connection, meter, names)
        asked = Asked(meters, "groups" if names else "quantity", since, until, window)
        rows = await _customers(connection, page, customer, subscription)
        given = rows[: page.limit]
        data = await _used_by_each(connection, given, subscription, asked)
    more = len(rows) > page.limit
    return answer({"data": data, "next": given[-1].id if more else None})


async def _customers(
    connection: AsyncConnection, page: PageRequest, customer: str | None, subscription: str | None
) -> Sequence[CustomerRow]:
    """The one that is named, or that of the subscription that is; or a page of all."""
    if customer is None and subscription is not None:
        customer = (await find_subscription(connection, subscription)).state.customer
    if customer is not None:
        return [await find_customer(connection, customer)]
    return await find_customers(connection, page.fetch, page.after)


async def _used_by_each(
    connection: AsyncConnection,
    customers: Sequence[CustomerRow],
    subscription: str | None,
    asked: Asked,
) -> list[Document]:
    """What each has used; nothing is computed where it would be too much. Where all that is asked about is ahead of a
    customer's clock, there is nothing to tell of them.
    """
    stretches = []
    for row in customers:
        own = await find_own(connection, row, subscription)
        if not await is_ahead(connection, row, asked):
            stretches.append((row, await stretch_of(connection, row, own, asked)))
    if len(asked.meters) * sum(len(s.windows) for _, s in stretches) > MOST_QUANTITIES:
        told = f"asks for more than {MOST_QUANTITIES} quantities: take fewer customers, meters or windows"
        raise Invalid.at("limit", told)
    seen = await all_seen(connection)
    return [
        {CUSTOMER: row.key, **document}
        for row, stretch in stretches
        for document in await used_in(connection, stretch, asked, seen)
    ]
