"""What customers asked to buy: the grant that a paid invoice brings."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.session import write_json
from domain.bonuses import EARNING, Bonus, bonus_of
from domain.codec import from_plain, to_plain
from domain.credits import TopUpOrder
from domain.plans import PlanRef


@dataclass(frozen=True, slots=True)
class KeptTopUp:
    """`invoice` and `grant` are ids; the grant is made when the invoice is paid, with the bonus that was promised."""

    request: str
    invoice: str
    grant: str
    order: TopUpOrder
    bonus: Bonus | None = None


_ADD = text("""
    INSERT INTO top_ups (environment_id, request_id, invoice_id, grant_id, wanted, bonus)
    VALUES (:environment, :request, :invoice, :grant, CAST(:wanted AS jsonb), CAST(:bonus AS jsonb))
""")
_FIND = text("""
    SELECT request_id, invoice_id, grant_id, wanted, bonus FROM top_ups
    WHERE request_id = :name OR invoice_id = :name
""")
_KEY = text("""
    SELECT EXISTS (
        SELECT FROM requests WHERE kind = 'top_up' AND status <> 'refused' AND id <> :request
            AND body -> 'order' ->> 'key' = :key
    ) OR EXISTS (
        SELECT FROM top_ups WHERE bonus IS NOT NULL AND request_id <> :request
            AND wanted ->> 'key' = :bonus_of
    )
""")
_EARNED_BY = text("""
    SELECT DISTINCT plan_key, plan_version FROM subscriptions
    WHERE status = ANY(:earning) AND state ->> 'currency' = :currency
        AND coalesce(state ->> 'payer', customer_id) = :customer
    ORDER BY plan_key, plan_version
""")


async def is_top_up_key(connection: AsyncConnection, key: str, request: str) -> bool:
    """Whether another request than this one asked for a top-up under that key, or was promised a bonus of that key."""
    asked = {"key": key, "request": request, "bonus_of": bonus_of(key)}
    return bool((await connection.execute(_KEY, asked)).scalar_one())


async def keep_top_up(connection: AsyncConnection, environment: str, kept: KeptTopUp) -> None:
    row = {"environment": environment, "request": kept.request, "invoice": kept.invoice}
    wanted = write_json(to_plain(kept.order))
    bonus = None if kept.bonus is None else write_json(to_plain(kept.bonus))
    await connection.execute(_ADD, {**row, "grant": kept.grant, "wanted": wanted, "bonus": bonus})


async def find_top_up(connection: AsyncConnection, name: str) -> KeptTopUp | None:
    """By the request or by the invoice's id."""
    row = (await connection.execute(_FIND, {"name": name})).one_or_none()
    if row is None:
        return None
    order = from_plain(TopUpOrder, row.wanted)
    bonus = None if row.bonus is None else from_plain(Bonus, row.bonus)
    return KeptTopUp(row.request_id, row.invoice_id, row.grant_id, order, bonus)


async def earned_by(connection: AsyncConnection, customer: str, currency: str) -> Sequence[PlanRef]:
    """The plans whose bonuses a customer's top-ups have, each once."""
    asked = {"customer": customer, "currency": currency, "earning": list(EARNING)}
    return [PlanRef(*row) for row in await connection.execute(_EARNED_BY, asked)]
