"""`weir demo`: everything from nothing, a month in a minute, then there to be looked at."""

import os
import tempfile
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from cli.running import run


def demo(
    once: Annotated[bool, typer.Option("--once", help="End when the month is over.")] = False,
) -> None:
    """Run a month of a small AI company on a test clock: usage, invoices, credits, a declined card collected later."""
    run(lambda: _demo(once))


async def _demo(once: bool) -> None:
    from rich.console import Console

    from cli.client import WeirClient
    from cli.demo.tell import tell
    from cli.stack.embedded import Ports, servers
    from cli.stack.weir import running_weir

    console = Console()
    console.print("starting PostgreSQL, Temporal, the payment sandbox, the worker and the API ...")
    with tempfile.TemporaryDirectory(prefix="weir-demo-") as temporary:
        directory = Path(temporary)
        ports = Ports(temporal_ui=0)
        ours = {name: value for name, value in os.environ.items() if name not in OTHERS}
        async with (
            servers(directory, ours, ports, keep=False) as running,
            running_weir(running, directory) as weir,
        ):
            key = await _key(running.variables["DATABASE_URL"])
            async with WeirClient(weir.url, key) as client:
                told = await tell(client, running.variables["STRIPE_API_BASE"], console)
            life = quote(told.subscriptions["globex"], safe="")
            console.print("[bold]Look around[/bold]")
            console.print(f"  API reference   {weir.url}/docs")
            console.print(f"  Temporal UI     {running.temporal_ui}")
            console.print(
                f"  a subscription  {running.temporal_ui}/namespaces/default/workflows/{life}"
            )
            console.print(f"  API key         {key}")
            if not once:
                console.print("Ctrl-C ends it.")
                await weir.watch()


async def _key(database_url: str) -> str:
    from cli.keys import Mode, create_key
    from db.session import Database

    database = Database(database_url)
    try:
        return await create_key(database, "demo", Mode.test, "demo", ["admin"])
    finally:
        await database.close()


# The demo brings all its servers along, whatever the environment names.
OTHERS = (
    "DATABASE_URL",
    "MIGRATION_DATABASE_URL",
    "TEMPORAL_ADDRESS",
    "TEMPORAL_PROFILE",
    "STRIPE_API_KEY",
)
