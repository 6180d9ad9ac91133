"""What time it is for a customer: the world's, or what a test clock shows."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from db.clocks import find_clock
from db.customers import CustomerRow
from domain.errors import Conflict


@dataclass(frozen=True, slots=True)
class Now:
    """`on_clock` is what a request on a test clock carries along; None where the workflow's own time counts."""

    at: datetime
    on_clock: datetime | None = None


async def now_for(connection: AsyncConnection, test_clock: str | None) -> Now:
    """Now, for who lives on that test clock, or on none."""
    if test_clock is None:
        return Now(datetime.now(UTC))
    at = (await find_clock(connection, test_clock)).now
    return Now(at, at)


async def time_to_act(connection: AsyncConnection, customer: CustomerRow) -> Now:
    """As `now_for`; raises `Conflict` while the clock is on its way, when nobody knows what it will show."""
    return await time_to_act_on(connection, customer.test_clock)


async def time_to_act_on(
    connection: AsyncConnection, test_clock: str | None, *, hold: bool = False
) -> Now:
    """As `time_to_act`; `hold` the clock where it stands until the transaction ends."""
    if test_clock is not None:
        clock = await find_clock(connection, test_clock, hold=hold)
        if clock.status == "advancing":
            raise Conflict(f"the test clock {clock.id} is advancing: wait until it has arrived")
    return await now_for(connection, test_clock)
