"""How a command of ours runs and ends: one clear line instead of a stack trace, and clean on Ctrl-C and SIGTERM."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, NoReturn, TypeVar

import typer

from domain.errors import BillingError, Invalid

T = TypeVar("T")
Loop = Callable[[], asyncio.AbstractEventLoop]
INTERRUPTED = 130


def run(main: Callable[[], Coroutine[Any, Any, T]], loop: Loop | None = None) -> T:
    """Run to the end and return what it returns. An error of ours is one line and exit status 1."""
    with asyncio.Runner(loop_factory=loop) as runner:
        try:
            return runner.run(_stoppable(main))
        except BillingError as error:
            raise fail(error) from None
        except asyncio.CancelledError:
            raise typer.Exit(INTERRUPTED) from None


def serve(main: Callable[[], Coroutine[Any, Any, None]], loop: Loop | None = None) -> None:
    """Run until Ctrl-C or SIGTERM, which is how a server is meant to end: exit status 0."""
    try:
        run(main, loop)
    except typer.Exit as ending:
        if ending.exit_code != INTERRUPTED:
            raise


def leave(status: int) -> NoReturn:
    """End the process at once, with what it said written out.

    The threads of the Temporal client outlive the last call, and one that asks for the interpreter while Python 3.11
    takes itself down aborts the process: a command that had done all would end as failed (temporalio/sdk-python#300).
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError):  # who reads `weir explain | head` has seen enough
            stream.flush()
    os._exit(status)


def fail(error: BillingError) -> typer.Exit:
    """Say on standard error what was wrong, fault by fault."""
    lines = (
        [str(Invalid([fault])) for fault in error.faults]
        if isinstance(error, Invalid)
        else [str(error)]
    )
    for line in lines:
        print(f"weir: {line}", file=sys.stderr)
    return typer.Exit(1)


async def _stoppable(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The first signal cancels `main`; those that come while it cleans up change nothing."""
    work = asyncio.ensure_future(main())
    loop = asyncio.get_running_loop()
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if not stopping:
            stopping = True
            work.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    return await work
