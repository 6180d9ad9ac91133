"""What is asked of holds, in order: reserve or refuse, settle with a usage event, release."""

import hashlib
import json
from contextlib import suppress
from dataclasses import replace

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Caller
from api.connections import Connections
from api.reserving import available_to, reserve, usual_currency_of
from api.units import hold_in_unit
from db.catalog import find_keys
from db.customers import find_customer
from db.events import ingest
from db.holds import HoldRow, find_hold, keep_hold, lock_hold
from db.meters import kept_meters
from db.reserving import Held
from domain.decimals import plain
from domain.documents import Document
from domain.errors import Conflict, Insufficient, Invalid, NotFound
from domain.features import read_feature
from domain.holds import (
    HoldOrder,
    Settlement,
    read_settlement,
    released,
    settled,
    usage_of,
)
from domain.metering.meter import Meter
from domain.reading import written


async def hold(opened: Connections, caller: Caller, order: HoldOrder) -> Document:
    """Make a hold. The same under the same key again is the same hold. Raises `Insufficient` with nothing reserved, and
    `Conflict` for a key that stands for another hold, and where nothing can be held.
    """
    own_id = caller.id_for("hld")
    if order.unit is not None:
        async with opened.database.transaction(caller.environment) as connection:
            order = await hold_in_unit(connection, order)
    if order.feature is None and order.currency is None:
        order = replace(order, currency=await usual_currency_of(opened, caller, order))
    try:
        held = await reserve(opened, caller, own_id, order)
    except (IntegrityError, Insufficient) as refusal:
        held = await _made_before(opened, caller, own_id, order, refusal)
    return {**hold_document(held.row), "available": plain(held.available)}


async def settle(opened: Connections, caller: Caller, name: str, body: object) -> Document:
    """End a hold with what was used of it: in one transaction with the usage event."""
    async with opened.database.transaction(caller.environment) as connection:
        row = await lock_hold(connection, (await find_hold(connection, name)).hold.id)
        settlement = read_settlement(body, row.hold)
        content = _fingerprint(settlement)
        if row.hold.feature is not None:
            meter = await _meter_of(connection, row.hold.feature)
            settlement = usage_of(settlement, row.hold, meter)
        used = settlement.amount if row.hold.feature is None else settlement.quantity
        event = None if settlement.event is None else settlement.event.id
        after = settled(row.hold, used, event, content, row.now)
        if after != row.hold:
            await _ingest(connection, caller, settlement)
            await keep_hold(connection, row.hold, after)
        return hold_document(await find_hold(connection, after.id))


async def release(opened: Connections, caller: Caller, name: str) -> Document:
    async with opened.database.transaction(caller.environment) as connection:
        row = await lock_hold(connection, (await find_hold(connection, name)).hold.id)
        after = released(row.hold, row.now)
        if after != row.hold:
            await keep_hold(connection, row.hold, after)
        return hold_document(await find_hold(connection, after.id))


def hold_document(row: HoldRow) -> Document:
    """As it is at its customer's now."""
    hold, status = row.hold, row.hold.status_at(row.now)
    of_credit = hold.feature is None
    ended_at = hold.expires_at if status == "expired" else hold.ended_at
    used = None if hold.used is None else plain(hold.used)
    return {
        "id": hold.id,
        "key": hold.key,
        "customer": row.customer_key,
        "status": status,
        "amount": plain(hold.held) if of_credit else None,
        "currency": hold.currency,
        "unit": hold.unit,
        "unit_rate": None if hold.unit_rate is None else plain(hold.unit_rate),
        "unit_amount": None if hold.unit_amount is None else plain(hold.unit_amount),
        "feature": hold.feature,
        "quantity": None if of_credit else plain(hold.held),
        "claim": plain(hold.claim_at(row.now)),
        "used": used,
        "event": hold.event,
        "created_at": written(hold.created_at),
        "expires_at": written(hold.expires_at),
        "ended_at": ended_at and written(ended_at),
    }


async def _made_before(
    opened: Connections, caller: Caller, own_id: str, order: HoldOrder, refusal: Exception
) -> Held:
    """The hold that a request made which comes again, under its own id or key. Raises the refusal where there is none."""
    if order.key is None and caller.request is None:
        raise refusal
    async with opened.database.transaction(caller.environment) as connection:
        row = await _named(connection, own_id, order)
        if row is None:
            raise refusal
        customer = await find_customer(connection, order.customer)
        available = await available_to(connection, order)
    if row.hold.customer != customer.id or not row.hold.is_what(order):
        raise Conflict(f"there is a hold {order.key} already")
    return Held(row, available)


async def _named(connection: AsyncConnection, own_id: str, order: HoldOrder) -> HoldRow | None:
    for name in (own_id, order.key):
        if name is not None:
            with suppress(NotFound):
                return await find_hold(connection, name)
    return None


async def _meter_of(connection: AsyncConnection, feature: str) -> Meter:
    entries = await find_keys(connection, "features", [feature])
    named = read_feature(entries[feature].document).meter
    return next(kept.meter for kept in await kept_meters(connection) if kept.meter.key == named)


async def _ingest(connection: AsyncConnection, caller: Caller, settlement: Settlement) -> None:
    """Raises `Invalid` for an event that is not taken; one that was sent before is."""
    if settlement.event is None:
        return
    ingested = await ingest(connection, caller.environment, [settlement.event])
    for rejected in ingested.rejected:
        raise Invalid.at(f"event.{rejected.path}", rejected.message)


def _fingerprint(settlement: Settlement) -> str:
    written = json.dumps(settlement.content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()
