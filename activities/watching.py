"""Whatever watches wallets and customers has a look at those that changed, or that it is time to look at again."""

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import zip_longest

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.alerting import watch_alerts, watch_use
from activities.apart import apart
from activities.topping_up import top_up_automatically
from db.customer_looks import customers_to_look_at, look_again, take_looks
from db.locks import lock_customer
from db.running_facts import Payer
from db.session import Database
from db.wallets import time_of
from db.watching import Watched, look_at, note_look, open_to_new_alerts, wallets_to_watch

WATCHED_A_ROUND = 50  # wallets, and customers
WATCHED_AT_LEAST = 10  # of both together

# Each acts in the transaction that it is given, in which the customer is locked, and tells when to look again although
# nothing has changed. What it watches is named in `db.watching`, too.
Watcher = Callable[[AsyncConnection, Watched], Awaitable[datetime | None]]
WATCHERS: tuple[Watcher, ...] = (watch_alerts, top_up_automatically)


async def watch(database: Database, environment: str, share: timedelta = timedelta.max) -> None:
    """One round: at least a few looks, and as many more as begin within the `share` of time that is watching's."""
    async with database.transaction(environment) as connection:
        await open_to_new_alerts(connection)
        wanting = await wallets_to_watch(connection, WATCHED_A_ROUND)
        customers = await customers_to_look_at(connection, WATCHED_A_ROUND)
    begun = time.monotonic()
    for number, wanted in enumerate(_by_turns(wanting, customers)):
        if number >= WATCHED_AT_LEAST and time.monotonic() - begun >= share.total_seconds():
            return
        match wanted:
            case Payer(customer):
                with apart(f"the wallet of {customer} is not watched"):
                    await watch_wallet(database, environment, wanted)
            case customer:
                with apart(f"what {customer} uses is not watched"):
                    await watch_customer(database, environment, customer)


async def watch_wallet(database: Database, environment: str, payer: Payer) -> None:
    """All or nothing: who crashes in between looks again."""
    async with database.transaction(environment) as connection:
        watched = await look_at(connection, environment, payer)
        looks = [await watcher(connection, watched) for watcher in WATCHERS]
        again_at = min((each for each in looks if each is not None), default=None)
        await note_look(connection, watched, again_at)


async def watch_customer(database: Database, environment: str, customer: str) -> None:
    """The same, of what a customer uses."""
    async with database.transaction(environment) as connection:
        await lock_customer(connection, customer)
        await take_looks(connection, customer)
        at = await time_of(connection, customer)
        again_at = await watch_use(connection, environment, customer, at)
        if again_at is not None:
            await look_again(connection, environment, customer, again_at)


def _by_turns(wallets: Iterable[Payer], customers: Iterable[str]) -> Iterator[Payer | str]:
    for pair in zip_longest(wallets, customers):
        yield from (wanted for wanted in pair if wanted is not None)
