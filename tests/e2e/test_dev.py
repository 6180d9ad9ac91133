"""`weir dev`: from nothing to an API that answers; stopped or killed, the next start goes on."""

import fcntl
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from cli.stack.child import free_port, is_free

PATIENCE_SECONDS = 120

pytestmark = pytest.mark.usefixtures("one_at_a_time")


@pytest.fixture
def one_at_a_time(run_directory: Path) -> Iterator[None]:
    """Of what looks for free ports and takes them a moment later."""
    with (run_directory / "dev.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_the_next_start_goes_on(tmp_path: Path) -> None:
    with developing(tmp_path) as (dev, url):
        key = weir(tmp_path, "keys", "create").stdout.strip()
        assert names_of_keys(url, key) == ["bootstrap"]
        second = weir(tmp_path, "dev")
        assert second.returncode == 1
        assert second.stderr == f"weir: another `weir dev` is running in {tmp_path / '.weir'}\n"
        dev.kill()

    with developing(tmp_path) as (dev, url):
        assert names_of_keys(url, key) == ["bootstrap"]
        assert weir(tmp_path, "migrate").stdout.endswith("already\n")
        dev.send_signal(signal.SIGTERM)
        assert dev.wait(PATIENCE_SECONDS) == 0
    assert is_free(int(url.rpartition(":")[2]))
    nobody = weir(tmp_path, "keys", "create")
    assert nobody.returncode == 1
    assert nobody.stderr.startswith("weir: no database: set DATABASE_URL, or start `weir dev`")


@pytest.mark.parametrize("variable", ["DATABASE_URL", "TEMPORAL_ADDRESS"])
def test_a_server_of_ones_own_that_is_away_is_one_line(tmp_path: Path, variable: str) -> None:
    place = f"127.0.0.1:{free_port()}"
    value = f"postgresql://weir@{place}/weir" if variable == "DATABASE_URL" else place
    ended = weir(tmp_path, "dev", **{variable: value})
    assert ended.returncode == 1
    assert re.fullmatch(rf"weir: .*{place}.*\n", ended.stderr)


@contextmanager
def developing(directory: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`weir dev` in that directory, and where its API is."""
    command = [sys.executable, "-m", "cli", "dev", "--port", str(free_port())]
    with subprocess.Popen(
        command, cwd=directory, env=variables(), stdout=subprocess.PIPE, text=True
    ) as dev:
        assert dev.stdout is not None
        try:
            told = next((line for line in dev.stdout if line.startswith("API")), "")
            yield dev, told.split()[1]
        finally:
            dev.terminate()
            with suppress(subprocess.TimeoutExpired):
                dev.wait(PATIENCE_SECONDS)
            dev.kill()


def weir(directory: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *command],
        cwd=directory,
        env={**variables(), **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


def variables() -> dict[str, str]:
    """Ours, but for what names servers."""
    return {n: v for n, v in os.environ.items() if not re.match("STRIPE_|TEMPORAL_|.*DATABASE_", n)}


def names_of_keys(url: str, key: str) -> list[str]:
    answer = httpx.get(f"{url}/v1/api-keys", headers={"Authorization": f"Bearer {key}"})
    return [each["name"] for each in answer.raise_for_status().json()["data"]]
