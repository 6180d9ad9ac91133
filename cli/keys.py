"""`weir keys create`: the first API key of a tenant."""

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cli.running import run
from domain import reading

if TYPE_CHECKING:
    from db.session import Database

keys = typer.Typer(no_args_is_help=True, help="API keys.")


class Mode(StrEnum):
    live = "live"
    test = "test"


class Scope(StrEnum):
    usage = "usage"
    read = "read"
    write = "write"
    admin = "admin"
    operator = "operator"


@keys.callback()
def _keys() -> None:
    """API keys."""


@keys.command()
def create(
    tenant: Annotated[str, typer.Option(help="Its key; made where there is none.")] = "default",
    mode: Annotated[Mode, typer.Option(help="Which of the tenant's environments.")] = Mode.test,
    name: Annotated[str, typer.Option(help="Who will hold it.")] = "bootstrap",
    scope: Annotated[
        list[Scope] | None, typer.Option(help="What it may do; repeat for more.")
    ] = None,
) -> None:
    """Make an API key and print it, once: only its hash is kept."""
    scopes = [each.value for each in scope or [Scope.admin]]
    print(run(lambda: _create(tenant, mode, name, scopes)))


async def _create(tenant: str, mode: Mode, name: str, scopes: list[str]) -> str:
    from cli.settings import read_settings
    from db.session import Database

    database = Database(read_settings(os.environ).database_url)
    try:
        return await create_key(database, tenant, mode, name, scopes)
    finally:
        await database.close()


async def create_key(
    database: "Database", tenant: str, mode: Mode, name: str, scopes: list[str]
) -> str:
    """A key of that tenant's environment; both are made where they are missing. Raises `Invalid`."""
    from db import keys, tenants

    given = reading.Fields({"tenant": tenant, "name": name})
    given.required("tenant", reading.key)
    given.required("name", reading.text)
    given.done()
    await database.check_role()
    async with database.registry() as connection:
        owner = await tenants.open_tenant(connection, tenant, name=tenant)
        environment = await tenants.open_environment(connection, owner.id, mode.value)
    async with database.transaction(environment.id) as connection:
        _, key = await keys.create_key(connection, environment, name, scopes)
    return key
