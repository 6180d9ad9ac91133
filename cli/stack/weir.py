"""Our own processes: the API and the worker, each as a child."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from cli.stack.child import POLL_SECONDS, Child
from cli.stack.embedded import Running
from domain.errors import Unavailable

READY_SECONDS = 60


class Weir:
    """The API at `url`, and the worker behind it."""

    def __init__(self, url: str, children: tuple[Child, ...]) -> None:
        self.url = url
        self._children = children

    async def watch(self) -> None:
        """Return never; raise `Unavailable` when one of the processes has ended by itself."""
        while True:
            _require_alive(self._children)
            await asyncio.sleep(1)


@asynccontextmanager
async def running_weir(running: Running, logs: Path) -> AsyncIterator[Weir]:
    """Run the API and the worker on those servers while the block runs. Raises `Unavailable` with the last lines of its log
    where one does not come up.
    """
    async with (
        _child(running, logs, "worker") as worker,
        _child(running, logs, "api", "--port", str(running.api_port)) as api,
    ):
        weir = Weir(f"http://127.0.0.1:{running.api_port}", (worker, api))
        await _ready(weir.url, (worker, api))
        yield weir


@asynccontextmanager
async def _child(running: Running, logs: Path, *command: str) -> AsyncIterator[Child]:
    child = Child.start(
        f"weir {command[0]}",
        [sys.executable, "-m", "cli", *command],
        logs / f"{command[0]}.log",
        stop=signal.SIGTERM,
        environment={**os.environ, **running.variables},
    )
    try:
        yield child
    finally:
        await child.stop()


async def _ready(url: str, children: tuple[Child, ...]) -> None:
    reason = "no answer"
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        for _ in range(int(READY_SECONDS / POLL_SECONDS)):
            _require_alive(children)
            try:
                answer = await client.get("/readyz")
            except httpx.TransportError:
                await asyncio.sleep(POLL_SECONDS)
                continue
            if answer.is_success:
                return
            reason = answer.json().get("detail", answer.text)
            await asyncio.sleep(POLL_SECONDS)
    raise Unavailable(f"the API at {url} is not ready: {reason}")


def _require_alive(children: tuple[Child, ...]) -> None:
    for child in children:
        if child.ended():
            raise child.failure()
