"""What a subscription is to hear of the payment of its invoices: a request like any other, written down with the fact."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.plans import find_plan
from db.requests import Asked, write_requests
from domain.catalog import read_plan
from domain.changing.unpaid import noted
from domain.codec import from_plain, to_plain
from domain.commands import NotePayment, Request
from domain.dunning import CollectionStatus
from domain.subscription import Subscription

ACTOR = "weir"

_OF = text("""
    SELECT i.name, s.state FROM invoices i JOIN subscriptions s ON s.id = i.subscription_id
    WHERE i.id = :invoice AND s.status <> 'cancelled'
""")


@dataclass(frozen=True, slots=True)
class Note:
    """A request that was written down for a subscription, by its id."""

    subscription: str
    request: Request


async def note_payment(
    connection: AsyncConnection,
    environment: str,
    invoice_id: str,
    before: CollectionStatus,
    became: CollectionStatus,
    at: datetime | None,
) -> Note | None:
    """Write down, once, what became of an invoice, for the subscription that it is of; None where that need not hear it. The
    relay sends it, or the test clock that shows `at`, whoever comes first.
    """
    row = (await connection.execute(_OF, {"invoice": invoice_id})).one_or_none()
    if row is None:
        return None
    living = from_plain(Subscription, row.state)
    kept = await find_plan(connection, living.plan.key, living.plan.version)
    told = noted(read_plan(kept.document, kept.version), living, row.name, before, became)
    if told is None:
        return None
    name = f"payment:{invoice_id}:{told}"
    request = Request(name, NotePayment(row.name, told), ACTOR, at=at)
    asked = Asked(name, "command", living.customer, living.id, to_plain(request), ACTOR)
    await write_requests(connection, environment, [asked])
    return Note(living.id, request)
