"""The servers of a test run: started once by whoever needs one first, shared by all its processes, ended by the last.

A keeper (`python -m tests.servers postgres /run/directory`) runs the server in a process of its own and listens on a
socket in the run's directory. A test process holds a connection to it as long as it needs the server: however that
process ends, its connection ends with it, and with the last connection the keeper takes the server down. A keeper that
is killed takes its servers with it (see cli.stack.child).
"""

import asyncio
import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from cli.stack.postgres import Postgres
from cli.stack.temporal import Temporal
from db import migrate

START_SECONDS = 180  # on a busy machine; a keeper that ends is noticed at once
Addresses = Mapping[str, str]


@contextmanager
def lease(kind: str, run: Path) -> Iterator[Addresses]:
    """The addresses of the run's server of that kind (`postgres`: `owner`, `app`; `temporal`: `address`)."""
    with (run / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        joined = _join(run / f"{kind}.sock") or _start(kind, run)
    connection, addresses = joined
    with connection:
        yield addresses


def _join(path: Path) -> tuple[socket.socket, Addresses] | None:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(START_SECONDS)
    try:
        connection.connect(str(path))
        told = connection.makefile("rb").readline()
    except OSError:
        told = b""
    if not told:  # no keeper, or one that is just leaving
        connection.close()
        return None
    return connection, json.loads(told)


def _start(kind: str, run: Path) -> tuple[socket.socket, Addresses]:
    log = run / f"{kind}.log"
    with log.open("ab") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.servers", kind, str(run)],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C ends the tests, and their end ends the keeper
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and keeper.poll() is None:
        if joined := _join(run / f"{kind}.sock"):
            return joined
        time.sleep(0.02)
    raise RuntimeError(f"{kind} did not start:\n{log.read_text(errors='replace')}")


async def keep(kind: str, run: Path) -> None:
    """Run a server until nobody holds a connection any more."""
    with TemporaryDirectory(prefix="weir-test-") as directory:
        server = postgres(Path(directory)) if kind == "postgres" else temporal(Path(directory))
        async with server as addresses:
            await Keeper(addresses).serve(run / f"{kind}.sock")


class Keeper:
    """Tells who connects the addresses, and counts who is still there."""

    def __init__(self, addresses: Addresses) -> None:
        self._told = json.dumps(addresses).encode() + b"\n"
        self._holders = 0
        self._changed = asyncio.Event()
        self._closing = False

    async def serve(self, path: Path) -> None:
        listener = await asyncio.start_unix_server(self._hold, path)
        try:
            await asyncio.wait_for(self._changed.wait(), START_SECONDS)
            while self._holders:
                self._changed.clear()
                await self._changed.wait()
        finally:
            self._closing = True
            os.unlink(path)  # who finds nobody here starts another keeper
            listener.close()

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            if self._closing:
                return
            self._holders += 1
            self._changed.set()
            writer.write(self._told)
            await reader.read()  # nothing is ever said: it returns when the holder has gone
            self._holders -= 1
            self._changed.set()


@asynccontextmanager
async def postgres(directory: Path) -> AsyncIterator[Addresses]:
    """A migrated database that serves as the template of those the tests work in."""
    async with Postgres(directory, durable=False) as server:
        await asyncio.to_thread(migrate.upgrade, server.owner_url, server.app_url)
        yield {"owner": server.owner_url, "app": server.app_url}


@asynccontextmanager
async def temporal(directory: Path) -> AsyncIterator[Addresses]:
    async with Temporal(directory) as server:
        yield {"address": server.address}


if __name__ == "__main__":
    asyncio.run(keep(sys.argv[1], Path(sys.argv[2])))
