"""Running the sandbox on 127.0.0.1: in the caller's event loop, or in a thread beside it."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator

import uvicorn
from fastapi import FastAPI

from domain.errors import Unavailable

HOST = "127.0.0.1"
PATIENCE_SECONDS = 10  # for the server to stop
START_SECONDS = 60
LOOK_SECONDS = 0.01


class _Server(uvicorn.Server):
    """Leaves signals to the program around it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(app: FastAPI, port: int = 0) -> AsyncIterator[str]:
    """Serve in this event loop while the block runs; gives the base URL. Port 0 takes a free one."""
    listener = _listener(port)
    server = _server(app)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield _url(listener)
    finally:
        server.should_exit = True
        await running
        listener.close()


@contextlib.contextmanager
def serving_in_thread(app: FastAPI, port: int = 0) -> Iterator[str]:
    """Serve in a thread of its own while the block runs; gives the base URL once it serves. Raises `Unavailable` where it
    does not come to that.
    """
    listener = _listener(port)
    server = _server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        _wait_for(server, thread)
        yield _url(listener)
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
        listener.close()


def _listener(port: int) -> socket.socket:
    """Listening already: calls that come before the server runs wait for it instead of being refused."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise Unavailable(f"the payment sandbox cannot have port {port}: {error}") from error
    listener.listen(128)
    return listener


def _server(app: FastAPI) -> _Server:
    config = uvicorn.Config(
        app, log_level="critical", access_log=False, timeout_graceful_shutdown=1, lifespan="on"
    )
    return _Server(config)


def _wait_for(server: uvicorn.Server, thread: threading.Thread) -> None:
    """What an application does at its start may take longer than a caller waits for an answer."""
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive():
            raise Unavailable("the application in a thread did not start")
        if time.monotonic() > deadline:
            raise Unavailable(f"the application in a thread did not start in {START_SECONDS} s")
        time.sleep(LOOK_SECONDS)


def _url(listener: socket.socket) -> str:
    return f"http://{HOST}:{listener.getsockname()[1]}"
