"""Orders of credit in a custom unit: what the catalogue says of that."""

from sqlalchemy.ext.asyncio import AsyncConnection

from db.catalog import find_keys
from domain.credits import GrantOrder, TopUpOrder, in_known_unit
from domain.errors import Invalid
from domain.holds import HoldOrder, in_money
from domain.units import Unit, read_unit


async def grant_in_unit(connection: AsyncConnection, order: GrantOrder) -> GrantOrder:
    return in_known_unit(order, await _known(connection, order.unit))


async def top_up_in_unit(connection: AsyncConnection, order: TopUpOrder) -> TopUpOrder:
    return in_known_unit(order, await _known(connection, order.unit))


async def hold_in_unit(connection: AsyncConnection, order: HoldOrder) -> HoldOrder:
    return in_money(order, await _known(connection, order.unit))


async def _known(connection: AsyncConnection, unit: str | None) -> Unit | None:
    """None where the catalogue has no such unit. Raises `Invalid` for one that is archived."""
    if unit is None:
        return None
    entry = (await find_keys(connection, "units", [unit])).get(unit)
    if entry is None:
        return None
    if entry.archived_at is not None:
        raise Invalid.at("unit", f"the unit {unit} is archived")
    return read_unit(entry.document)
