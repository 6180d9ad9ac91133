"""`weir dev`: everything on this machine, with its data in `.weir/`."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cli.running import serve
from domain.errors import Unavailable

API_PORT, TEMPORAL_PORT, TEMPORAL_UI_PORT, SANDBOX_PORT = 8080, 7233, 8233, 12111


def dev(
    port: Annotated[
        int | None, typer.Option(help=f"Of the API; {API_PORT} or a free one, if not given.")
    ] = None,
    directory: Annotated[Path, typer.Option(help="Where the data is kept.")] = Path(".weir"),
) -> None:
    """Run PostgreSQL, Temporal, the payment sandbox, the API and a worker, until Ctrl-C. The next start goes on."""
    serve(lambda: _develop(directory, port))


async def _develop(directory: Path, port: int | None) -> None:
    from cli.stack.embedded import Ports, servers
    from cli.stack.weir import running_weir

    ports = Ports(
        api=port or _or_free(API_PORT),
        temporal=_or_free(TEMPORAL_PORT),
        temporal_ui=_or_free(TEMPORAL_UI_PORT),
        sandbox=_or_free(SANDBOX_PORT),
    )
    with only_one(directory):
        print("starting ...", flush=True)
        async with servers(directory, os.environ, ports) as running:
            with published(directory, running.variables):
                async with running_weir(running, directory) as weir:
                    _tell(weir.url, running.temporal_ui, running.variables, directory)
                    await weir.watch()


@contextmanager
def only_one(directory: Path) -> Iterator[None]:
    """Raise `Unavailable` where another `weir dev` already keeps its data in that directory."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable(f"another `weir dev` is running in {directory.absolute()}") from None
        yield


@contextmanager
def published(directory: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """Let the other commands in this directory find our servers, while they run. Their secrets are for us alone."""
    from cli.settings import RUNNING, VARIABLES

    path = directory / RUNNING
    told = {name: variables[name] for name in VARIABLES if name in variables}
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(told, file)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _or_free(preferred: int) -> int:
    from cli.stack.child import free_port, is_free

    return preferred if is_free(preferred) else free_port()


def _tell(url: str, temporal_ui: str | None, variables: Mapping[str, str], directory: Path) -> None:
    rows = {
        "API": f"{url}  (reference at {url}/docs)",
        "Temporal": temporal_ui or variables["TEMPORAL_ADDRESS"],
        "Payments": variables.get("STRIPE_API_BASE", "Stripe"),
        "Logs": str(directory.absolute()),
        "Next": "`weir keys create` for an API key; Ctrl-C ends it, and the next start goes on",
    }
    print("\n".join(f"{name:<10}{value}" for name, value in rows.items()), flush=True)
