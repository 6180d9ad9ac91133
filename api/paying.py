"""Requests that move money: top-ups, new payment methods, the wish to pay."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.steps import Paid, Pay, ToppedUp, TopUp
from api import documents
from api.answers import answer, later
from api.auth import Caller
from api.connections import Connections
from api.credits import currency_for
from api.moments import time_to_act
from api.requests import answer_of, refuse
from api.schemas.credits import TOP_UP, TOP_UP_EXAMPLE
from api.schemas.documents import Raw, shown_as, with_text_decimals
from db.credits import find_grant
from db.customers import find_customer
from db.invoices import find_invoice
from db.locks import lock_customer
from db.requests import Asked, write_request
from db.top_ups import find_top_up, is_top_up_key
from domain.codec import from_plain, to_plain
from domain.credits import TopUpOrder, check_top_up, read_top_up
from domain.documents import Document
from domain.dunning import Collection
from domain.errors import Conflict, NotFound, Rejected
from workflows.handles import NoAnswerYet

NewTopUp = Annotated[Raw, shown_as(TOP_UP, "New top-up", TOP_UP_EXAMPLE)]


async def write_top_up(
    opened: Connections,
    caller: Caller,
    customer: str,
    body: Mapping[str, Any],
    subscription: str | None = None,
) -> TopUp:
    """Write a top-up down. Raises `Invalid` for what cannot be bought, `Conflict` for a key that is taken."""
    request = caller.id_for("req")
    whole = {"key": request, **with_text_decimals(TOP_UP, body), "customer": customer}
    order = read_top_up(whole)
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_customer(connection, customer)
        now = await time_to_act(connection, row)
        currency = await currency_for(connection, row, order.currency)
        check_top_up(order, currency, now.at)
        await lock_customer(connection, row.id)
        await _require_new_key(connection, order, request)
        wanted = TopUp(caller.environment, request, row.id, order, currency, now.at, row.test_clock)
        asked = Asked(request, "top_up", row.id, subscription, to_plain(wanted), caller.name)
        kept = await write_request(connection, caller.environment, asked)
    if kept.status == "refused":
        answer_of(kept)
    return from_plain(TopUp, kept.body)


async def topped_up(
    opened: Connections, caller: Caller, asked: TopUp, subscription: str | None = None
) -> Response:
    """Have a top-up that was written down paid for, and tell what came of it."""
    try:
        brought = await opened.lives.top_up(asked, subscription)
    except NoAnswerYet:
        nothing = {"status": "asked", "invoice": None, "grant": None}
        return later({"request": asked.request, **nothing})
    except Rejected as refusal:
        await refuse(opened, caller, asked.request, refusal)
        raise
    async with opened.database.transaction(caller.environment) as connection:
        return answer(await _top_up_document(connection, asked, brought), 201)


async def paid(
    opened: Connections,
    caller: Caller,
    customer: str,
    *,
    payment_method: str | None = None,
    invoice: str | None = None,
    reason: str | None = None,
    status: int = 200,
) -> Response:
    """Have what is unpaid (or one invoice, by its id) attempted, with a new payment method where there is one."""
    request = caller.id_for("req")
    async with opened.database.transaction(caller.environment) as connection:
        row = await find_customer(connection, customer)
        now = await time_to_act(connection, row)
        wanted = Pay(
            caller.environment, request, row.id, now.at, payment_method, invoice, row.test_clock
        )
        asked = Asked(request, "pay", row.id, None, to_plain(wanted), caller.name, reason)
        kept = await write_request(connection, caller.environment, asked)
    if kept.status == "refused":
        answer_of(kept)
    try:
        brought = await opened.lives.pay(from_plain(Pay, kept.body))
    except NoAnswerYet:
        nothing: Document = {"status": "asked", "payment_method": None, "invoices": []}
        return later({"request": request, **nothing})
    except Rejected as refusal:
        await refuse(opened, caller, request, refusal)
        raise
    async with opened.database.transaction(caller.environment) as connection:
        return answer(await _paid_document(connection, request, brought), status)


async def _require_new_key(connection: AsyncConnection, order: TopUpOrder, request: str) -> None:
    try:
        known = (await find_grant(connection, order.key)).balance.grant.id
        top_up = await find_top_up(connection, request)
        taken = top_up is None or top_up.grant != known
    except NotFound:
        taken = await is_top_up_key(connection, order.key, request)
    if taken:
        raise Conflict(f"there is a grant {order.key} already")


async def _top_up_document(
    connection: AsyncConnection, asked: TopUp, brought: ToppedUp
) -> Document:
    row = await find_invoice(connection, brought.collection.invoice)
    grant = None
    if brought.collection.status == "paid":
        kept = await find_top_up(connection, asked.request)
        grant = None if kept is None else documents.grant(await find_grant(connection, kept.grant))
    shown = documents.invoice(row)
    return {"request": asked.request, "status": shown["status"], "invoice": shown, "grant": grant}


async def _paid_document(connection: AsyncConnection, request: str, brought: Paid) -> Document:
    invoices = [await _invoice(connection, each) for each in brought.collections]
    method = {"payment_method": brought.payment_method}
    return {"request": request, "status": "done", **method, "invoices": invoices}


async def _invoice(connection: AsyncConnection, collection: Collection) -> Document:
    return documents.invoice(await find_invoice(connection, collection.invoice))
