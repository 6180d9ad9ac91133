"""The servers we bring along: they keep their data, survive being killed, die with us, and say what is wrong."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError

from cli.stack import temporal
from cli.stack.child import free_port, is_free
from cli.stack.postgres import Postgres
from cli.stack.temporal import SEARCH_ATTRIBUTES, Temporal
from domain.errors import Unavailable

# A process of ours that is killed while its servers run.
PARENT = """
import asyncio, json, os, sys
from pathlib import Path
from cli.stack import temporal
from cli.stack.postgres import Postgres
from cli.stack.temporal import Temporal

async def main(directory):
    async with Postgres(directory / "postgres", durable=False) as pg, Temporal(directory / "temporal", keep=True) as temporal:
        print(json.dumps([pg.port, temporal.port]), flush=True)
        await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.fixture
async def written(tmp_path: Path) -> Path:
    """A directory of a PostgreSQL that was stopped after a row was written."""
    async with Postgres(tmp_path, durable=False) as server, connected(server) as connection:
        await connection.execute("CREATE TABLE kept (word text)")
        await connection.execute("INSERT INTO kept VALUES ('before')")
    return tmp_path


async def test_a_database_goes_on_where_it_was(written: Path) -> None:
    assert await words(written) == ["before"]


async def test_a_database_that_was_killed_comes_back(written: Path) -> None:
    async with Postgres(written) as server, connected(server) as connection:
        await connection.execute("INSERT INTO kept VALUES ('committed')")
        os.kill(int((written / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        assert await words(written) == ["before", "committed"]


async def test_a_first_start_that_was_cut_short_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "data.new").mkdir()
    (tmp_path / "data.new" / "PG_VERSION").write_text("18")
    async with Postgres(tmp_path, durable=False) as server, connected(server) as connection:
        assert (await connection.execute("SELECT 1")).rowcount == 1


async def test_a_database_that_cannot_start_says_why(written: Path) -> None:
    (written / "data" / "PG_VERSION").write_text("9.6")
    with pytest.raises(Unavailable) as raised:
        async with Postgres(written, durable=False):
            pass
    said = str(raised.value)
    assert said.startswith("PostgreSQL ended with status 1: ")
    assert "database files are incompatible with server" in said
    assert "\n" not in said


async def test_only_who_knows_the_secret_gets_in(written: Path) -> None:
    async with Postgres(written, durable=False) as server:
        assert (written / "secret").stat().st_mode & 0o777 == 0o600
        with pytest.raises(psycopg.OperationalError, match="password"):
            await psycopg.AsyncConnection.connect(
                f"postgresql://weir_owner@127.0.0.1:{server.port}/weir"
            )


async def test_workflows_go_on_where_they_were(tmp_path: Path) -> None:
    for _ in range(2):
        async with Temporal(tmp_path, keep=True) as server:
            client = await Client.connect(server.address)
            try:
                await client.get_workflow_handle("kept").describe()
            except RPCError:
                await client.start_workflow("Kept", id="kept", task_queue="nobody's")
            else:
                return
    pytest.fail("the workflow was forgotten")


async def test_operators_can_search(temporal_client: Client) -> None:
    listed = await temporal_client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace="default")
    )
    assert set(SEARCH_ATTRIBUTES) <= set(listed.custom_attributes)


async def test_a_port_that_is_taken_is_told(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporal, "RETRY_SECONDS", 0)
    port = int(temporal_address.rpartition(":")[2])
    with pytest.raises(Unavailable, match=f"cannot have port {port}"):
        async with Temporal(tmp_path, port):
            pass


async def test_servers_die_with_us_and_the_next_start_goes_on(tmp_path: Path) -> None:
    ports = await asyncio.to_thread(start_and_kill, tmp_path)
    async with (
        Postgres(tmp_path / "postgres", durable=False) as server,
        Temporal(tmp_path / "temporal", keep=True),
        connected(server) as connection,
    ):
        assert (await connection.execute("SELECT 1")).rowcount == 1
    assert all(is_free(port) for port in ports)


def test_a_free_port_is_free() -> None:
    assert is_free(free_port())


@asynccontextmanager
async def connected(server: Postgres) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(
        server.owner_url, autocommit=True
    ) as connection:
        yield connection


async def words(directory: Path) -> list[str]:
    """What a server started on that directory has kept."""
    async with Postgres(directory, durable=False) as server, connected(server) as connection:
        rows = await connection.execute("SELECT word FROM kept ORDER BY word")
        return [word for (word,) in await rows.fetchall()]


def start_and_kill(directory: Path) -> list[int]:
    """Kill a process while its servers run: the ports they had."""
    command = [sys.executable, "-c", PARENT, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        ports: list[int] = json.loads(parent.stdout.readline())
        assert not any(is_free(port) for port in ports)
        parent.kill()
    return ports
