"""Requests that move money: top-ups, new payment methods, the wish to pay."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.steps import Paid, Pay, TopUp
from api import documents
from api.answers import answer, later
from api.auth import Caller
from api.confirming import first_answer
from api.connections import Connections
from api.credits import currency_for
from api.moments import time_to_act
from api.requests import answer_of, refuse
from api.schemas.billing import TopUpResult
from api.schemas.credits import TOP_UP, TOP_UP_EXAMPLE
from api.schemas.documents import Raw, later_as, shown_as, with_text_decimals
from api.units import top_up_in_unit
from db.balances import pays_in
from db.bonuses import promised_bonus, require_new_bonus
from db.credits import find_grant
from db.customers import find_customer
from db.facts import load_customer
from db.invoices import find_invoice
from db.locks import lock_customer
from db.payments import latest_attempt
from db.requests import Asked, write_request
from db.top_ups import find_top_up, is_top_up_key
from domain.bonuses import Bonus, bonus_key
from domain.codec import from_plain, to_plain
from domain.credits import TopUpOrder, check_payable, check_top_up, read_top_up
from domain.documents import Document
from domain.dunning import Collection
from domain.errors import Conflict, Invalid, NotFound, Rejected
from domain.reading import written
from domain.topups import top_up_invoice
from workflows.handles import NoAnswerYet

TOPPED_UP: dict[int | str, dict[str, Any]] = {
    200: {"description": "A preview.", "model": TopUpResult},
    **later_as(TopUpResult),
}
NewTopUp = Annotated[Raw, shown_as(TOP_UP, "New top-up", TOP_UP_EXAMPLE)]


async def top_up(
    opened: Connections,
    caller: Caller,
    customer: str,
    body: Mapping[str, Any],
    subscription: str | None = None,
    life: str | None = None,
) -> Response:
    """Have a customer pay for prepaid credit, and grant it; or tell, with `preview`, the invoice that would be issued.
    `life` is the living subscription that is to look after it, if one is.
    """
    order = {name: member for name, member in body.items() if name != "preview"}
    if _is_preview(body):
        return answer(await _previewed(opened, caller, customer, order))
    asked = await _write(opened, caller, customer, order, subscription)
    return await _topped_up(opened, caller, asked, life)


def _is_preview(body: Mapping[str, Any]) -> bool:
    given = body.get("preview")
    if given is not None and not isinstance(given, bool):
        raise Invalid.at("preview", "must be true or false")
    return bool(given)


async def _previewed(
    opened: Connections, caller: Caller, customer: str, body: Mapping[str, Any]
) -> Document:
    async with opened.database.transaction(caller.environment) as connection:
        wanted = await _wanted(connection, caller, customer, body)
        row = await find_customer(connection, wanted.customer)
        buyer = await load_customer(connection, row.id)
        name = f"topup:{wanted.request}"
        issued = top_up_invoice(wanted.order, buyer, wanted.currency, wanted.at, name)
        bonus = await promised_bonus(connection, buyer, issued.invoice.total, "", wanted.at)
        if bonus is not None:
            await require_new_bonus(connection, wanted.order.key, wanted.request)
    shown = documents.undone_invoice(issued.invoice, row.key, None)
    told = bonus and _bonus_document(wanted.order, bonus, None)
    promised = {"grant": None, "bonus": told, "payment": None, "failure_code": None}
    return {"request": None, "status": "preview", "invoice": shown, **promised}


async def _write(
    opened: Connections,
    caller: Caller,
    customer: str,
    body: Mapping[str, Any],
    subscription: str | None,
) -> TopUp:
    """Write a top-up down. Raises `Invalid` for what cannot be bought, `Conflict` for a key that is taken."""
    async with opened.database.transaction(caller.environment) as connection:
        wanted = await _wanted(connection, caller, customer, body)
        request, of = wanted.request, wanted.customer
        asked = Asked(request, "top_up", of, subscription, to_plain(wanted), caller.name)
        kept = await write_request(connection, caller.environment, asked)
    if kept.status == "refused":
        answer_of(kept)
    return from_plain(TopUp, kept.body)


async def _wanted(
    connection: AsyncConnection, caller: Caller, customer: str, body: Mapping[str, Any]
) -> TopUp:
    """The customer is locked: a key is taken once."""
    request = caller.id_for("req")
    order = read_top_up({"key": request, **with_text_decimals(TOP_UP, body), "customer": customer})
    row = await find_customer(connection, customer)
    now = await time_to_act(connection, row)
    order = await top_up_in_unit(connection, order)
    currency = await currency_for(connection, row, order.currency)
    check_payable(order.currency or currency, await pays_in(connection, row.id))
    check_top_up(order, currency, now.at)
    await lock_customer(connection, row.id)
    await _require_new_key(connection, order, request)
    return TopUp(caller.environment, request, row.id, order, currency, now.at, row.test_clock)


async def _topped_up(
    opened: Connections, caller: Caller, asked: TopUp, subscription: str | None = None
) -> Response:
    """Have a top-up that was written down paid for, and tell what came of it; of one that the customer has to confirm, that
    it does.
    """
    try:
        collection = await first_answer(opened, caller, asked, subscription)
    except NoAnswerYet:
        none = dict.fromkeys(("invoice", "grant", "bonus", "payment", "failure_code"))
        nothing = {"status": "asked", **none}
        return later({"request": asked.request, **nothing})
    except Rejected as refusal:
        await refuse(opened, caller, asked.request, refusal)
        raise
    async with opened.database.transaction(caller.environment) as connection:
        document = await _top_up_document(connection, asked, collection)
    return later(document) if collection.awaiting == "customer" else answer(document, 201)


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
    connection: AsyncConnection, asked: TopUp, collection: Collection
) -> Document:
    shown = documents.invoice(await find_invoice(connection, collection.invoice))
    status, kept = shown["status"], await find_top_up(connection, asked.request)
    grant = bonus = None
    if kept is not None and status == "paid":
        grant = documents.grant(await find_grant(connection, kept.grant))
    if kept is not None and kept.bonus is not None and status != "void":
        granted = kept.bonus.grant if status == "paid" else None
        bonus = _bonus_document(kept.order, kept.bonus, granted)
    attempt = await latest_attempt(connection, collection.invoice)
    code = None if attempt is None or status != "void" else attempt.failure_code
    payment = attempt and documents.payment(attempt)
    told = {"status": status, "invoice": shown, "grant": grant, "bonus": bonus}
    return {"request": asked.request, **told, "payment": payment, "failure_code": code}


def _bonus_document(order: TopUpOrder, bonus: Bonus, granted: str | None) -> Document:
    """What is promised with a top-up; `granted` is the id of the grant, once there is one."""
    return {
        "grant": granted,
        "key": bonus_key(order.key),
        "amount": str(bonus.amount),
        "currency": bonus.amount.currency,
        "expires_at": bonus.expires_at and written(bonus.expires_at),
    }


async def _paid_document(connection: AsyncConnection, request: str, brought: Paid) -> Document:
    invoices = [await _invoice(connection, each) for each in brought.collections]
    method = {"payment_method": brought.payment_method}
    return {"request": request, "status": "done", **method, "invoices": invoices}


async def _invoice(connection: AsyncConnection, collection: Collection) -> Document:
    return documents.invoice(await find_invoice(connection, collection.invoice))
