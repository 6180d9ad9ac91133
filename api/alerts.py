"""/v1/alerts: who is told when a customer's spend, usage, balance, limit or forecast reaches a threshold."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api.answers import answer
from api.auth import Reads, Writes
from api.bodies import ExactRoute
from api.connections import Opened
from api.credits import currency_for
from api.pages import Page
from api.paths import Named, NamedQuery
from api.schemas import alerts as schemas
from api.schemas.documents import Raw, shown_as, with_text_decimals
from db.alerts import (
    AlertEvent,
    AlertRow,
    add_alert,
    alert_events,
    find_alert,
    find_alerts,
    remove_alert,
)
from db.catalog import Table, find_keys
from db.customers import CustomerRow, find_customer
from db.wallets import open_wallet
from domain.alerts import (
    OF_MONEY,
    Alert,
    alert_document,
    in_currency,
    read_alert,
    threshold_text,
)
from domain.documents import Document
from domain.errors import Invalid, NotFound
from domain.reading import written

router = APIRouter(prefix="/alerts", tags=["alerts"], route_class=ExactRoute)

NewAlert = Annotated[Raw, shown_as(schemas.ALERT, "New alert", schemas.ALERT_EXAMPLE)]


@router.post("", status_code=201, response_model=schemas.Alert, summary="Make an alert")
async def create(body: NewAlert, caller: Writes, opened: Opened) -> Response:
    """Be told, once for each crossing and period, when a figure reaches a threshold: of one customer, or of everyone. What
    is reached already is told at once.
    """
    own_id = caller.id_for("alr")
    asked = read_alert({"key": own_id, **with_text_decimals(schemas.ALERT, body)})
    async with opened.database.transaction(caller.environment) as connection:
        customer = await _watched(connection, asked)
        alert = await _settled(connection, asked, customer)
        id = None if customer is None else customer.id
        document = alert_document(alert)
        row = await add_alert(connection, caller.environment, own_id, document, id)
        if id is not None and alert.currency is not None:
            await open_wallet(connection, caller.environment, id, alert.currency)
    return answer(_document(row), 201)


@router.get("", response_model=schemas.AlertPage, summary="List alerts")
async def read_all(
    page: Page, caller: Reads, opened: Opened, customer: NamedQuery = None
) -> Response:
    """Oldest first; with a customer, those that watch that one alone."""
    async with opened.database.transaction(caller.environment) as connection:
        of = None if customer is None else (await find_customer(connection, customer)).id
        found = await find_alerts(connection, page.fetch, page.after, of)
    return answer(page.page(found, _document, lambda row: row.id))


@router.get("/{alert:path}/events", response_model=schemas.AlertEventPage, summary="List what an alert told")  # fmt: skip
async def read_events(
    alert: Named, page: Page, caller: Reads, opened: Opened, customer: NamedQuery = None
) -> Response:
    """Each crossing, oldest first: `triggered` when a threshold was reached, `recovered` when it was no more."""
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_alert(connection, alert)
        of = None if customer is None else (await find_customer(connection, customer)).id
        found = await alert_events(connection, row.id, page.fetch, page.after_number, of)
    return answer(
        page.page(found, lambda each: _event(row, each), lambda each: str(each.seq)),
    )


@router.get("/{alert:path}", response_model=schemas.Alert, summary="Read an alert")
async def find(alert: Named, caller: Reads, opened: Opened) -> Response:
    async with opened.database.transaction(caller.environment) as connection:
        return answer(_document(await find_alert(connection, alert)))


@router.delete("/{alert:path}", response_model=schemas.Alert, summary="Delete an alert")
async def remove(alert: Named, caller: Writes, opened: Opened) -> Response:
    """With all that it knew and told. Answers with the alert as it was."""
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_alert(connection, alert)
        await remove_alert(connection, row.id)
    return answer(_document(row))


async def _watched(connection: AsyncConnection, alert: Alert) -> CustomerRow | None:
    if alert.customer is None:
        return None
    try:
        return await find_customer(connection, alert.customer)
    except NotFound as missing:
        raise Invalid.at("customer", str(missing)) from None


async def _settled(
    connection: AsyncConnection, alert: Alert, customer: CustomerRow | None
) -> Alert:
    """With its currency, and its customer by key. Raises `Invalid` for what it names and there is not."""
    if alert.meter is not None:
        await _require(connection, "meters", "meter", alert.meter)
    if alert.feature is not None:
        await _require(connection, "features", "feature", alert.feature)
    key = None if customer is None else customer.key
    if alert.type not in OF_MONEY:
        return in_currency(alert, None, key)
    if alert.currency is not None:
        return in_currency(alert, alert.currency, key)
    if customer is None:
        raise Invalid.at("currency", "is required for everyone")
    return in_currency(alert, await currency_for(connection, customer, None), key)


async def _require(connection: AsyncConnection, table: Table, member: str, key: str) -> None:
    if not await find_keys(connection, table, [key]):
        raise Invalid.at(member, f"there is no {member} {key}")


def _document(row: AlertRow) -> Document:
    return {"id": row.id, **alert_document(row.alert), "created_at": written(row.created_at)}


def _event(row: AlertRow, event: AlertEvent) -> Document:
    return {
        "id": event.id,
        "alert": row.alert.key,
        "customer": event.customer,
        "status": event.status,
        "threshold": threshold_text(row.alert, event.threshold),
        "value": event.value,
        "period": event.period and written(event.period),
        "crossing": event.crossing,
        "at": written(event.at),
    }
