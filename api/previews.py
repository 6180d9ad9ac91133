"""What a request would bring: decided by the same rules on the same facts, step by step, and written nowhere."""

from collections.abc import Sequence
from datetime import datetime

from api import documents
from api.auth import Caller
from api.choosing import Chosen
from api.connections import Connections
from api.moments import time_to_act
from db.customers import find_customer
from db.foresight import Foresight, looking_ahead
from db.subscriptions import find_subscription
from domain import lifecycle
from domain.ahead import Ahead, closing, next_step
from domain.commands import Command, Request
from domain.deciding import Asked, Taking
from domain.documents import Document
from domain.errors import Conflict, NotFound
from domain.reading import written
from domain.subscription import Subscription


async def of_beginning(
    opened: Connections, wanted: Subscription, chosen: Sequence[Chosen]
) -> Document:
    """A subscription as it would begin: one whose start is to come as it begins then, one whose start is past after all
    the periods that would be billed at once.
    """
    at = wanted.created_at or wanted.started_at
    async with looking_ahead(opened.database, wanted.environment) as looking:
        unwritten = [plan for each in chosen for plan in each.unwritten]
        before = await looking.of(wanted, "start", unwritten)
        begun = await looking.until(before, at)
        customer = await find_customer(looking.connection, wanted.customer)
        payer = await documents.payer_of(looking.connection, wanted)
        issued = await _issued(looking, [begun])
    on = next(each for each in chosen if each.plan.ref == begun.subscription.plan)
    terms = (on.based_on, on.overrides)
    shown = documents.state(begun.subscription, customer.key, payer, *terms)
    return {**shown, **_told(at, issued)}


async def of_command(
    opened: Connections, caller: Caller, name: str, command: Command, to: Chosen | None = None
) -> Document:
    """A subscription as a command would leave it; `to` is the version of a plan that it names. Raises what it would be
    refused with.
    """
    unwritten = () if to is None else to.unwritten
    async with looking_ahead(opened.database, caller.environment) as looking:
        row = await find_subscription(looking.connection, name)
        customer = await find_customer(looking.connection, row.state.customer)
        payer = await documents.payer_of(looking.connection, row.state)
        now = await time_to_act(looking.connection, customer)
        before = await looking.of(row.state, command, unwritten)
        done = await _carried_out(looking, before, command, now.at)
        begun = [await _begun(looking, each, now.at) for each in done.begins]
        issued = await _issued(looking, [done, *begun])
    terms = (row.based_on, row.overrides)
    if to is not None and done.subscription.plan == to.plan.ref:
        terms = (to.based_on, to.overrides)
    shown = documents.state(done.subscription, customer.key, payer, *terms)
    return {**shown, **_told(row.created_at, issued)}


async def upcoming_invoice(opened: Connections, caller: Caller, name: str) -> Document:
    """The next invoice if nothing else happens, with what was used so far. Raises `Conflict` where none can come, and
    `NotFound` where nothing is to be billed up to the end of the period.
    """
    async with looking_ahead(opened.database, caller.environment) as looking:
        state = (await find_subscription(looking.connection, name)).state
        payer = await find_customer(looking.connection, state.billed_to)
        if next_step(state) is None:
            raise Conflict(f"{state.key} is {state.status}: nothing is due")
        ahead = await looking.of(state, "period_end")
        while taking := ahead.next_to_bill():
            ahead = await looking.after(ahead, taking)
    if not ahead.invoices:
        raise NotFound(f"nothing is to be billed up to the end of the period of {state.key}")
    return documents.undone_invoice(ahead.invoices[0], payer.key, state.key)


async def _carried_out(looking: Foresight, ahead: Ahead, command: Command, at: datetime) -> Ahead:
    """After what is due by now and what was asked, with what that has come due at once."""
    ahead = await looking.until(ahead, at)
    lifecycle.check(ahead.subscription, command, at)
    while ahead.subscription.is_past_its_period(at):
        ahead = await looking.after(ahead, closing(ahead.subscription, at))
    asked = Asked(Request("preview", command))
    ahead = await looking.after(ahead, Taking(asked, ahead.subscription, at))
    return await looking.until(ahead, at)


async def _begun(looking: Foresight, begins: Subscription, at: datetime) -> Ahead:
    return await looking.until(await looking.of(begins, "start"), at)


async def _issued(looking: Foresight, lives: Sequence[Ahead]) -> Document:
    """The documents of lives, in the order in which they would be issued."""
    invoices: list[Document] = []
    notes: list[Document] = []
    for life in lives:
        living = life.subscription
        payer = (await find_customer(looking.connection, living.billed_to)).key
        invoices += [documents.undone_invoice(i, payer, living.key) for i in life.invoices]
        notes += [documents.undone_note(n, payer, living.key) for n in life.credit_notes]
    return {"invoices": invoices, "credit_notes": notes}


def _told(created_at: datetime, issued: Document) -> Document:
    """What is told of a preview beside the state it would leave."""
    return {
        "created_at": written(created_at),
        "preview": True,
        "request": None,
        "request_status": "preview",
        "issued": issued,
    }
