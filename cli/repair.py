"""`weir repair`: every life that the books know goes on in Temporal, whatever Temporal has lost.

Temporal keeps the process, the database the facts: a life is started anew from the state that its last step wrote.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from db.session import Database
    from workflows.handles import RunningLives


def repair() -> None:
    """Start whatever should be running and is not. What runs is left alone; run it as often as you like."""
    from cli.running import run

    for what, number in run(_repair).items():
        print(f"{number} {what}")


async def _repair() -> Mapping[str, int]:
    from api.connections import open_connections
    from cli.settings import read_settings

    async with open_connections(read_settings(os.environ)) as connections:
        return await begin_again(connections.database, connections.lives)


async def begin_again(database: "Database", lives: "RunningLives") -> Mapping[str, int]:
    """Have every life led that is to go on; how many of each kind there are. Raises `Unavailable`."""
    from db.tenants import list_environments

    async with database.registry() as connection:
        environments = [each.id for each in await list_environments(connection)]
    found = dict.fromkeys(("subscriptions", "collections", "credit grants", "refunds"), 0)
    for environment in environments:
        for what, number in (await begin_again_in(environment, database, lives)).items():
            found[what] += number
    return found


async def begin_again_in(
    environment: str, database: "Database", lives: "RunningLives"
) -> Mapping[str, int]:
    from activities.steps import GrantLife, SendRefund
    from db.lives import living_subscriptions, open_collections, pending_refunds, standing_grants

    async with database.transaction(environment) as connection:
        subscriptions = await living_subscriptions(connection)
        collections = await open_collections(connection)
        grants = await standing_grants(connection)
        refunds = await pending_refunds(connection)
    for subscription in subscriptions:
        await lives.live(subscription)
    for collection in collections:
        await lives.collect(collection)
    for grant in grants:
        await lives.watch_grant(
            GrantLife(environment, grant.id, grant.customer, grant.expires_at, grant.test_clock)
        )
    for refund in refunds:
        await lives.send_refund(SendRefund(environment, refund.name, refund.at, refund.test_clock))
    counts = (subscriptions, collections, grants, refunds)
    names = ("subscriptions", "collections", "credit grants", "refunds")
    return {name: len(count) for name, count in zip(names, counts, strict=True)}
