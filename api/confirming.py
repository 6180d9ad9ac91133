"""Top-ups that the customer has to confirm: who asked for one is told so at once, and does not wait until it is over."""

import asyncio

from activities.steps import TopUp
from api.auth import Caller
from api.connections import Connections
from db.collections import find_collection
from db.top_ups import find_top_up
from domain.dunning import Collection

LOOK_EVERY_SECONDS = 0.2


async def first_answer(
    opened: Connections, caller: Caller, asked: TopUp, subscription: str | None
) -> Collection:
    """How a top-up that was written down stands, once it is over or the books say that it waits for the customer. Raises
    what `RunningLives.top_up` does.
    """
    over = asyncio.create_task(_over(opened, asked, subscription))
    waits = asyncio.create_task(_waits_for_the_customer(opened, caller, asked.request))
    try:
        await asyncio.wait({over, waits}, return_when=asyncio.FIRST_COMPLETED)
        return await (over if over.done() else waits)
    finally:
        over.cancel()
        waits.cancel()
        await asyncio.gather(over, waits, return_exceptions=True)


async def _over(opened: Connections, asked: TopUp, subscription: str | None) -> Collection:
    return (await opened.lives.top_up(asked, subscription)).collection


async def _waits_for_the_customer(opened: Connections, caller: Caller, request: str) -> Collection:
    while True:
        await asyncio.sleep(LOOK_EVERY_SECONDS)
        async with opened.database.transaction(caller.environment) as connection:
            kept = await find_top_up(connection, request)
            known = None if kept is None else await find_collection(connection, kept.invoice)
        if known is not None and known.awaiting == "customer":
            return known
