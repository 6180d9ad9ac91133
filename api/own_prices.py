"""Versions of a plan that are a subscription's own: when one is written down, and when it is refused."""

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Caller
from api.choosing import Chosen, write_down
from api.moments import time_to_act
from db.customers import find_customer
from db.plans import find_plan
from db.requests import find_request
from db.subscriptions import SubscriptionRow
from domain import lifecycle
from domain.commands import Command
from domain.errors import Conflict, NotFound


async def require_nothing_else_to_come(connection: AsyncConnection, row: SubscriptionRow) -> None:
    """Raise `Conflict` where another version for sale is to come at the period's end: overrides would undo that."""
    planned = row.state.next_plan
    if planned is None:
        return
    version = await find_plan(connection, planned.key, planned.version)
    if (version.key, version.base) != (row.state.plan.key, row.based_on):
        to = f"version {version.base} of {version.key}"
        raise Conflict(
            f"{row.state.key} goes to {to} at the period's end: override its prices then"
        )


async def kept(
    connection: AsyncConnection,
    caller: Caller,
    row: SubscriptionRow,
    chosen: Chosen,
    command: Command,
) -> Chosen:
    """A version that is the subscription's own, written down. Raises what the command that names it is refused with by
    now, before anything is written; a repeat is not judged again, but told how it went.
    """
    if chosen.unwritten and not await _is_known(connection, caller.id_for("req")):
        customer = await find_customer(connection, row.state.customer)
        now = await time_to_act(connection, customer)
        lifecycle.check(row.state, command, now.at)
    own = caller.id_for("own")
    return await write_down(connection, caller.environment, chosen, row.state.id, own)


async def _is_known(connection: AsyncConnection, request: str) -> bool:
    try:
        await find_request(connection, request)
    except NotFound:
        return False
    return True
