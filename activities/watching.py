"""Whatever watches wallets and customers has a look at those that changed, or that it is time to look at again."""

from collections.abc import Awaitable, Callable
from datetime import datetime

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

WATCHED_A_ROUND = 50

# Each acts in the transaction that it is given, in which the customer is locked, and tells when to look again although
# nothing has changed. What it watches is named in `db.watching`, too.
Watcher = Callable[[AsyncConnection, Watched], Awaitable[datetime | None]]
WATCHERS: tuple[Watcher, ...] = (watch_alerts, top_up_automatically)


async def watch(database: Database, environment: str) -> None:
    """One round."""
    async with database.transaction(environment) as connection:
        await open_to_new_alerts(connection)
        wanting = await wallets_to_watch(connection, WATCHED_A_ROUND)
        customers = await customers_to_look_at(connection, WATCHED_A_ROUND)
    for payer in wanting:
        with apart(f"the wallet of {payer.customer} is not watched"):
            await watch_wallet(database, environment, payer)
    for customer in customers:
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
