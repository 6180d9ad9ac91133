"""Nothing fails or stands still unseen: a test that fails is named at once, and of one that hangs it is told what its
tasks wait for before `faulthandler_timeout` (pyproject.toml) tells the stacks of its threads and ends its process. The
other processes go on, another takes the place of the one that was ended, and the test is among the failures.
"""

import asyncio
import gc
import os
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TextIO

import pytest

BEFORE_THE_END = 10  # seconds


class Watch:
    """In each process: tells what the tasks of a test wait for that is about to be ended."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._output = os.fdopen(os.dup(2), "w")  # not what is captured of the tests

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        gc.freeze()  # the tests themselves stay until the end: let nobody look through them again and again

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        arguments = (item.nodeid, self._output)
        timer = threading.Timer(self._limit - BEFORE_THE_END, tell_what_is_awaited, arguments)
        timer.daemon = True
        timer.start()
        try:
            return (yield)
        finally:
            timer.cancel()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        gc.freeze()  # what is left is not worth the seconds that looking through it several times takes


class Teller:
    """In the process that reports: one line for each failure as it comes, and not only at the end."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            reason = (crash.message if crash else report.longreprtext.strip()).partition("\n")[0]
            self._terminal.ensure_newline()
            self._terminal.line(f"{report.nodeid} [{report.when}]: {reason}"[:400], red=True)


def watch(config: pytest.Config) -> None:
    limit = float(config.getini("faulthandler_timeout"))
    if limit > BEFORE_THE_END:
        config.pluginmanager.register(Watch(limit))
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and "PYTEST_XDIST_WORKER" not in os.environ:
        config.pluginmanager.register(Teller(terminal))


def tell_what_is_awaited(test: str, output: TextIO) -> None:
    """The tasks of every running loop, each with where it stands. Where somebody holds the interpreter's lock it is not
    told, and the stacks of the threads say enough.
    """
    output.write(f"\n{test} has been running for very long. Its tasks:\n")
    for loop in [found for found in gc.get_objects() if _is_running_loop(found)]:
        for task in asyncio.all_tasks(loop):
            output.write(f"{task.get_name()}: {' > '.join(_places(task.get_coro()))}\n")
    output.flush()


def _places(awaited: object) -> Iterator[str]:
    """Where a coroutine stands, then what it waits for, and so on."""
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is not None:
            yield f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}"
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)


def _is_running_loop(found: object) -> bool:
    return issubclass(type(found), asyncio.AbstractEventLoop) and found.is_running()  # type: ignore[attr-defined]  # it is one
