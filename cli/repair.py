"""`weir repair`: every life that the books know goes on in Temporal, whatever Temporal or the database has lost.

Temporal keeps the process, the database the facts: a life is started anew from the state that its last step wrote.
"""

import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cli.repairs.repairing import Report


def repair(
    apply: Annotated[bool, typer.Option("--apply", help="Do what is listed.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="List every life that is found, however many.")
    ] = False,
) -> None:
    """List the workflows that are missing, wrong or nobody's; with --apply, put them right. What is well is left alone."""
    from cli.running import run

    report = run(lambda: _repair(apply))
    for line in report.lines(everything):
        print(line)
    if report.failed:
        raise typer.Exit(1)


async def _repair(apply: bool) -> "Report":
    from api.connections import open_connections
    from cli.repairs.repairing import Repair
    from cli.settings import read_settings
    from db.tenants import list_environments

    async with open_connections(read_settings(os.environ)) as opened:
        async with opened.database.registry() as connection:
            environments = [each.id for each in await list_environments(connection)]
        repair = Repair(opened.database, opened.lives, environments)
        report = await repair.look()
        if apply:
            await repair.apply(report)
        return report
