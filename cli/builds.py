"""`weir builds`: which builds there are under living subscriptions, and which one is current."""

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import typer

from cli.running import run

if TYPE_CHECKING:
    from workflows.builds import Builds

T = TypeVar("T")

builds = typer.Typer(no_args_is_help=True, help="Builds of the worker (WORKER_BUILD_ID).")


@builds.callback()
def _builds() -> None:
    """Builds of the worker (WORKER_BUILD_ID)."""


@builds.command("list")
def list_builds() -> None:
    """Every build, the newest first, and how it stands: a `draining` one still has runs to end, a `drained` one has none."""
    for build in run(lambda: _ask(lambda known: known.all())):
        print(f"{build.id}\t{build.standing}")


@builds.command()
def use(build: str) -> None:
    """Make a build current, also an older one: periods that begin, and all that is no period, go on on it."""
    run(lambda: _ask(lambda known: known.make_current(build)))
    print(f"{build} is current")


async def _ask(question: Callable[["Builds"], Awaitable[T]]) -> T:
    from api.connections import connect_temporal
    from cli.settings import read_settings
    from workflows.builds import Builds

    settings = read_settings(os.environ)
    return await question(Builds(await connect_temporal(settings.temporal)))
