"""What tests share. Each test has an event loop of its own, so what is bound to a loop (a pool, a client) is made for each
test; what is not (servers, URLs) is made once. An async fixture of a wider scope would live on another loop than the test.
"""

import os
import secrets
import sys
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url
from temporalio.client import Client

from db.ids import new_id
from db.session import Database
from db.tenants import Environment, open_environment, open_tenant
from tests import servers
from tests.verified import verify_all
from tests.watching import watch
from workflows.wire import DATA_CONVERTER

# What is compiled is kept, for the tests start many processes: also where the environment would have it thrown away.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# What takes longest, each test for itself.
LONG = ("tests/e2e/", "tests/db/test_usage_sql_law.py", "tests/api/test_usage_is_billed.py")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    watch(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, so that none is left for the end: some to each process, for the tests are handed out in as many
    equal parts, one after the other, as there are processes.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = [item for item in items if item.nodeid.startswith(LONG)]
    others = [item for item in items if not item.nodeid.startswith(LONG)]
    bounds = [len(others) * n // processes for n in range(processes + 1)]
    shares = (others[start:end] for start, end in pairwise(bounds))
    items[:] = [item for n, share in enumerate(shares) for item in (*long[n::processes], *share)]


@pytest.fixture(scope="session")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One directory for all processes of this run of the suite."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def database_urls(run_directory: Path) -> Iterator[servers.Addresses]:
    """`owner` and `app` of a migrated database that this process has for itself."""
    with servers.lease("postgres", run_directory) as addresses:
        name = f"test_{secrets.token_hex(6)}"
        clone_database(addresses["owner"], name)
        yield {role: in_database(url, name) for role, url in addresses.items()}


@pytest.fixture(scope="session")
def temporal_address(run_directory: Path) -> Iterator[str]:
    """The run's Temporal server. Its namespace is shared: use a task queue and workflow ids of your own."""
    with servers.lease("temporal", run_directory) as addresses:
        yield addresses["address"]


@pytest.fixture
async def database(database_urls: servers.Addresses) -> AsyncIterator[Database]:
    """The database as the application's role. Shared by this process's tests: work in an `environment`."""
    opened = Database(database_urls["app"])
    yield opened
    await opened.close()


@pytest.fixture
async def environment(database: Database) -> AsyncIterator[Environment]:
    """A test environment of a tenant of its own: no other test's rows are in it. Whatever the test has issued in it is
    recomputed from the events at its end.
    """
    opened = await fresh_environment(database)
    yield opened
    await verify_all(database, [opened.id])


@pytest.fixture
async def temporal_client(temporal_address: str) -> Client:
    return await Client.connect(temporal_address, data_converter=DATA_CONVERTER)


async def fresh_environment(database: Database) -> Environment:
    async with database.registry() as connection:
        tenant = await open_tenant(connection, new_id("ten"), "Tenant of a test")
        return await open_environment(connection, tenant.id, "test")


def clone_database(owner_url: str, name: str) -> None:
    """A copy of the migrated database."""
    template = make_url(owner_url).database
    with psycopg.connect(in_database(owner_url, "postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(str(template))
            )
        )


def in_database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)
