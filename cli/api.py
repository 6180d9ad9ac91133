"""`weir api`: the REST API against the servers that the environment names."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from cli.running import serve
from domain.errors import Unavailable

if TYPE_CHECKING:
    from fastapi import FastAPI

BACKLOG = 2048
# Requests under way when we are told to end may finish.
GRACE_SECONDS = 20


def api(
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8080,
) -> None:
    """Serve the REST API until Ctrl-C or SIGTERM."""
    import uvloop

    serve(lambda: _api(host, port), uvloop.new_event_loop)


async def _api(host: str, port: int) -> None:
    from api.app import app_over
    from api.connections import open_connections
    from cli.settings import read_settings

    with _listening(host, port) as listener:
        async with open_connections(read_settings(os.environ)) as connections:
            await _serve(app_over(connections), listener)


async def _serve(app: "FastAPI", listener: socket.socket) -> None:
    """Serve until cancelled; then finish what is under way."""
    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # they are ours: they cancel us

    config = uvicorn.Config(app, access_log=False, timeout_graceful_shutdown=GRACE_SECONDS)
    server = Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise Unavailable(f"cannot listen on {host}:{port}: {error.strerror}") from error
        listener.listen(BACKLOG)
        yield listener
