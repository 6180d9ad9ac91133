"""What a customer's plans promise for a top-up."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from db.credits import find_grant
from db.facts import load_plan
from db.top_ups import earned_by, is_top_up_key
from domain.bonuses import Bonus, best_bonus, bonus_key
from domain.customers import Customer
from domain.errors import Conflict, NotFound
from domain.money import Money


async def promised_bonus(
    connection: AsyncConnection, customer: Customer, paid: Money, grant: str, at: datetime
) -> Bonus | None:
    """The best of them for a top-up that is asked for now; `grant` is the id that it is to have."""
    refs = await earned_by(connection, customer.id, paid.currency)
    plans = [await load_plan(connection, ref) for ref in refs]
    return best_bonus(plans, paid, grant, at, customer.timezone)


async def require_new_bonus(connection: AsyncConnection, top_up: str, request: str) -> None:
    """Raise `Conflict` where something else has the key that the bonus of a top-up is to have."""
    key = bonus_key(top_up)
    try:
        taken = bool(await find_grant(connection, key))
    except NotFound:
        taken = await is_top_up_key(connection, key, request)
    if taken:
        raise Conflict(f"there is a grant {key} already")
