"""A server as a child of this process: it never outlives us, and where it dies early its log says why."""

import asyncio
import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from domain.errors import Unavailable

PATIENCE_SECONDS = 30
POLL_SECONDS = 0.02
LAST_LINES = 6

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class Child:
    """One running server, its output in `log`. Not for commands that end by themselves."""

    def __init__(
        self, name: str, process: subprocess.Popen[bytes], log: Path, before: int, stop: int
    ) -> None:
        self.name = name
        self._log = log
        self._before = before
        self._process = process
        self._stop = stop

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        stop: signal.Signals,
        user: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """Start `command` with its output appended to `log`; `stop` is the signal that ends it cleanly.

        `user` is a uid (and gid) to run as, `environment` the variables it sees (ours, if not given). Raises `Unavailable`
        where the program cannot be run at all.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            before = output.tell()
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C is for us: we end our servers in order
                    env=environment,
                    user=user,
                    group=user,
                    extra_groups=None if user is None else (),
                    preexec_fn=_end_with_parent(stop),
                )
            except OSError as error:
                raise Unavailable(f"{name} cannot be started: {error}") from error
        return cls(name, process, log, before, stop)

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended(self) -> bool:
        return self._process.poll() is not None

    def said(self, *words: str) -> bool:
        """Whether its log has one of those words."""
        log = output_since(self._log, self._before)
        return any(word in log for word in words)

    def failure(self) -> Unavailable:
        """What to say of a server that ended by itself."""
        said = last_lines(output_since(self._log, self._before))
        return Unavailable(f"{self.name} ended with status {self._process.returncode}: {said}")

    async def stop(self) -> None:
        """End it cleanly; by force where that takes longer than `PATIENCE_SECONDS`."""
        if not self.ended():
            self._process.send_signal(self._stop)
        try:
            await asyncio.to_thread(self._process.wait, PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether nobody listens on that port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def output_since(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(start)
        return file.read().decode(errors="replace")


def last_lines(log: str) -> str:
    """The end of a log, on one line."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return " | ".join(lines[-LAST_LINES:]) or "it said nothing"


def _end_with_parent(stop: signal.Signals) -> Callable[[], None]:
    """Linux sends the child `stop` when we die, even by SIGKILL."""
    parent = os.getpid()

    def prepare() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, int(stop), 0, 0, 0)
            if os.getppid() != parent:  # it died before we could ask
                os._exit(1)

    return prepare
