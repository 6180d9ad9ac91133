"""The collection of invoices: each as it stands, for its workflow to be started anew from."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.session import write_json
from domain.codec import from_plain, to_plain
from domain.dunning import Collection
from domain.errors import NotFound

_SAVE = text("""
    INSERT INTO collections (invoice_id, environment_id, customer_id, test_clock_id, status, state,
        next_attempt_at, next_phase)
    VALUES (:invoice, :environment, :customer, :test_clock, :status, CAST(:state AS jsonb),
        :next_attempt_at, :next_phase)
    ON CONFLICT (invoice_id) DO UPDATE SET status = excluded.status, state = excluded.state,
        next_attempt_at = excluded.next_attempt_at, next_phase = excluded.next_phase
""")
_FIND = text("SELECT state FROM collections WHERE invoice_id = :invoice")
_UNPAID = text("""
    SELECT l.state FROM collections l JOIN invoices i ON i.id = l.invoice_id
    WHERE l.customer_id = :customer AND l.status IN ('open', 'past_due', 'uncollectible')
        AND (CAST(:invoice AS text) IS NULL OR :invoice IN (i.id, i.number, i.name))
    ORDER BY i.issued_at, l.seq
""")


async def save_collection(connection: AsyncConnection, collection: Collection) -> None:
    """Write down how it stands now, and when a test clock has it go on."""
    at, phase = collection.due or (None, None)
    row = {
        "invoice": collection.invoice,
        "environment": collection.environment,
        "customer": collection.customer,
        "test_clock": collection.test_clock,
        "status": collection.status,
        "state": write_json(to_plain(collection)),
        "next_attempt_at": at,
        "next_phase": None if phase is None else int(phase),
    }
    await connection.execute(_SAVE, row)


async def find_collection(connection: AsyncConnection, invoice: str) -> Collection:
    """By the invoice's id. Raises `NotFound`."""
    state = (await connection.execute(_FIND, {"invoice": invoice})).scalar_one_or_none()
    if state is None:
        raise NotFound(f"nothing is collected for invoice {invoice}")
    return from_plain(Collection, state)


async def unpaid_collections(
    connection: AsyncConnection, customer: str, invoice: str | None = None
) -> Sequence[Collection]:
    """What a customer has not paid, oldest first; only `invoice`, by number, id or name, where it is given."""
    rows = await connection.execute(_UNPAID, {"customer": customer, "invoice": invoice})
    return [from_plain(Collection, row.state) for row in rows]
