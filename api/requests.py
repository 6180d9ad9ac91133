"""Requests to subscriptions: written down, asked of the life they concern, answered with what they brought."""

from collections.abc import Mapping
from dataclasses import dataclass

from api.auth import Caller
from api.connections import Connections
from api.families import require_payer
from api.moments import Now, now_for, time_to_act
from db.customers import find_customer
from db.payment_notes import Note
from db.redemptions import redeem_at_start
from db.requests import Asked, answer_request, write_request
from db.subscriptions import add_subscription, find_subscription
from domain import lifecycle
from domain.codec import to_plain
from domain.commands import Command, Request
from domain.errors import (
    BillingError,
    Conflict,
    Declined,
    Forbidden,
    Invalid,
    NotFound,
    Rejected,
    Unavailable,
)
from domain.subscription import Subscription
from workflows.handles import NoAnswerYet

_BY_CODE = {kind.code: kind for kind in (NotFound, Conflict, Forbidden, Declined, Rejected)}


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it stands: `answer` is what it brought, None while it is under way."""

    id: str
    answer: Mapping[str, object] | None


async def ask(
    opened: Connections, caller: Caller, name: str, command: Command, reason: str | None
) -> Sent:
    """Ask a subscription for something. Raises what it was refused with."""
    async with opened.database.transaction(caller.environment) as connection:
        state = (await find_subscription(connection, name)).state
        now = await time_to_act(connection, await find_customer(connection, state.customer))
        request = Request(caller.id_for("req"), command, caller.name, reason, now.on_clock)
        asked = Asked(
            request.id,
            "command",
            state.customer,
            state.id,
            to_plain(request),
            caller.name,
            reason,
        )
        kept = await write_request(connection, caller.environment, asked)
    if kept.status != "asked":
        return Sent(request.id, answer_of(kept))
    try:
        return Sent(request.id, await _carried_out(opened, state, request, now))
    except NoAnswerYet:
        return Sent(request.id, None)
    except Rejected as refusal:
        await refuse(opened, caller, request.id, refusal)
        raise


async def tell(opened: Connections, caller: Caller, note: Note) -> None:
    """Let a subscription hear of a payment now. Where nobody answers, the relay tells it."""
    try:
        await opened.lives.request(note.subscription, note.request)
    except Unavailable:
        return
    except Rejected as refusal:
        await refuse(opened, caller, note.request.id, refusal)


async def begin(
    opened: Connections, caller: Caller, subscription: Subscription, reason: str | None
) -> Sent:
    """Write a new subscription down and let it begin. Raises `Conflict` for a taken key, and for a coupon that can be
    redeemed no more.
    """
    asked = Asked(
        caller.id_for("req"),
        "subscribe",
        subscription.customer,
        subscription.id,
        to_plain(subscription),
        caller.name,
        reason,
    )
    async with opened.database.transaction(caller.environment) as connection:
        await require_payer(connection, subscription)
        living = await add_subscription(connection, subscription)
        now = await now_for(connection, living.test_clock)
        await redeem_at_start(connection, living, now.at)
        kept = await write_request(connection, caller.environment, asked)
    if kept.status == "asked":
        try:
            await opened.lives.subscribe(living, now.on_clock)
        except NoAnswerYet:
            return Sent(asked.id, None)
        await done(opened, caller, asked.id)
    return Sent(asked.id, {})


async def refuse(opened: Connections, caller: Caller, request: str, refusal: Rejected) -> None:
    """Write a refusal down: it is final."""
    told = {"code": refusal.code, "message": str(refusal)}
    async with opened.database.transaction(caller.environment) as connection:
        await answer_request(connection, request, "refused", told)


async def done(opened: Connections, caller: Caller, request: str) -> None:
    async with opened.database.transaction(caller.environment) as connection:
        await answer_request(connection, request, "done", {})


def answer_of(kept: Asked) -> Mapping[str, object]:
    """What a request that was answered before brought. Raises what it was refused with."""
    answer = kept.answer or {}
    if kept.status == "refused":
        raise _refusal(str(answer.get("code")), str(answer.get("message")))
    return answer


async def _carried_out(
    opened: Connections, state: Subscription, request: Request, now: Now
) -> Mapping[str, object]:
    """What a command brought. A life that was never begun, since nobody could be reached then, is begun first."""
    try:
        return await opened.lives.request(state.id, request)
    except NotFound:
        lifecycle.check(state, request.command, now.at)
        await opened.lives.subscribe(state, now.on_clock)
        return await opened.lives.request(state.id, request)


def _refusal(code: str, message: str) -> BillingError:
    if code == Invalid.code:
        return Invalid.at("", message)
    return _BY_CODE.get(code, Rejected)(message)
