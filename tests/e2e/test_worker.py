"""`weir worker`: one clear line where it cannot work."""

import os
import subprocess
import sys
from pathlib import Path

from cli.stack.child import free_port
from tests import servers

ROOT = Path(__file__).parents[2]


def variables(**own: str) -> dict[str, str]:
    ours = ("DATABASE_URL", "MIGRATION_DATABASE_URL", "TEMPORAL_", "STRIPE_")
    return {**{n: v for n, v in os.environ.items() if not n.startswith(ours)}, **own}


def worker(directory: Path, **own: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", "worker"],
        cwd=directory,
        env=variables(PYTHONPATH=str(ROOT), **own),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_a_payment_provider(tmp_path: Path, database_urls: servers.Addresses) -> None:
    ended = worker(tmp_path, DATABASE_URL=database_urls["app"])
    assert ended.returncode == 1
    assert (
        ended.stderr == "weir: no payment provider: set STRIPE_API_KEY, or start `weir dev` here\n"
    )


def test_without_a_database(tmp_path: Path) -> None:
    place = f"127.0.0.1:{free_port()}"
    url = f"postgresql://weir_app@{place}/weir"
    ended = worker(tmp_path, DATABASE_URL=url, STRIPE_API_KEY="sk_test_sandbox")
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"weir: the database at {place}/weir: ")
    assert ended.stderr.count("\n") == 1


def test_without_temporal(tmp_path: Path, database_urls: servers.Addresses) -> None:
    place = f"127.0.0.1:{free_port()}"
    ended = worker(
        tmp_path,
        DATABASE_URL=database_urls["app"],
        STRIPE_API_KEY="sk_test_sandbox",
        TEMPORAL_ADDRESS=place,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"weir: Temporal at {place} does not answer: ")
    assert ended.stderr.count("\n") == 1


def test_as_the_owner_of_the_database(tmp_path: Path, database_urls: servers.Addresses) -> None:
    """A role that row security does not bind would see every tenant's books."""
    ended = worker(tmp_path, DATABASE_URL=database_urls["owner"], STRIPE_API_KEY="sk_test_sandbox")
    assert ended.returncode == 1
    assert "bypasses row security" in ended.stderr
