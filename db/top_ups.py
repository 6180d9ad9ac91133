"""What customers asked to buy: the grant that a paid invoice brings."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.session import write_json
from domain.codec import from_plain, to_plain
from domain.credits import TopUpOrder


@dataclass(frozen=True, slots=True)
class KeptTopUp:
    """`invoice` and `grant` are ids; the grant is made when the invoice is paid."""

    request: str
    invoice: str
    grant: str
    order: TopUpOrder


_ADD = text("""
    INSERT INTO top_ups (environment_id, request_id, invoice_id, grant_id, wanted)
    VALUES (:environment, :request, :invoice, :grant, CAST(:wanted AS jsonb))
""")
_FIND = text("""
    SELECT request_id, invoice_id, grant_id, wanted FROM top_ups
    WHERE request_id = :name OR invoice_id = :name
""")
_KEY = text("""
    SELECT EXISTS (
        SELECT FROM requests WHERE kind = 'top_up' AND status <> 'refused' AND id <> :request
            AND body -> 'order' ->> 'key' = :key
    )
""")


async def is_top_up_key(connection: AsyncConnection, key: str, request: str) -> bool:
    """Whether another request than this one asked for a top-up under that key."""
    asked = {"key": key, "request": request}
    return bool((await connection.execute(_KEY, asked)).scalar_one())


async def keep_top_up(connection: AsyncConnection, environment: str, kept: KeptTopUp) -> None:
    row = {"environment": environment, "request": kept.request, "invoice": kept.invoice}
    wanted = write_json(to_plain(kept.order))
    await connection.execute(_ADD, {**row, "grant": kept.grant, "wanted": wanted})


async def find_top_up(connection: AsyncConnection, name: str) -> KeptTopUp | None:
    """By the request or by the invoice's id."""
    row = (await connection.execute(_FIND, {"name": name})).one_or_none()
    if row is None:
        return None
    order = from_plain(TopUpOrder, row.wanted)
    return KeptTopUp(row.request_id, row.invoice_id, row.grant_id, order)
