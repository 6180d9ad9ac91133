"""A client of the API, in the process of the test: the real application on a real database, and every response held
against the OpenAPI document.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from fastapi import FastAPI
from temporalio.client import Client

from api.auth import Scope
from api.connections import Connections, connect_temporal
from db.ids import new_id
from db.keys import create_key
from db.session import Database
from db.tenants import Environment
from providers.payments.sandbox.app import create_sandbox
from providers.payments.sandbox.remote import SandboxRemote
from providers.payments.sandbox.serve import serving_in_thread
from providers.payments.stripe import StripePayments
from tests import servers
from tests.api import conformance
from tests.conftest import fresh_environment
from worker import working

WEBHOOK_SECRET = "whsec_of_a_test"
PATIENCE_SECONDS = 30  # what is slow on a busy machine is not wrong; a top-up that waits for its customer takes all of it


@pytest.fixture
async def temporal(temporal_address: str) -> Client:
    return await connect_temporal({"target_host": temporal_address})


@pytest.fixture
def task_queue(request: pytest.FixtureRequest) -> str:
    """Where lives are led by the `worker`, if the test asks for it; else the test's own, where none leads them but `work`."""
    if "worker" not in request.fixturenames:
        return new_id("test")
    led: str = request.getfixturevalue("led_queue")
    return led


@pytest.fixture
def app(database: Database, temporal: Client, task_queue: str) -> FastAPI:
    app = conformance.application()
    app.state.connections = Connections(
        database, temporal, WEBHOOK_SECRET, task_queue, PATIENCE_SECONDS
    )
    return app


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[str]:
    with serving_in_thread(create_sandbox()) as address:
        yield address


@pytest.fixture
async def sandbox(sandbox_server: str) -> AsyncIterator[SandboxRemote]:
    """The payment provider's strings."""
    async with SandboxRemote(sandbox_server) as strings:
        yield strings


@asynccontextmanager
async def _working(
    address: str, database_url: str, sandbox: str, task_queue: str
) -> AsyncIterator[None]:
    temporal = await connect_temporal({"target_host": address})
    own = Database(database_url)
    async with (
        StripePayments("sk_test_sandbox", address=sandbox, to_the_last_digit=True) as provider,
        working(temporal, own, provider, task_queue),
    ):
        yield
    await own.close()


Work = Callable[[], AbstractAsyncContextManager[None]]


@pytest.fixture
def work(
    database_urls: servers.Addresses, temporal_address: str, sandbox_server: str, task_queue: str
) -> Work:
    """Lead the lives that the test's application asks for, and pay at the sandbox, while the block runs."""
    return partial(_working, temporal_address, database_urls["app"], sandbox_server, task_queue)


@pytest.fixture(scope="session")
def led_queue(
    database_urls: servers.Addresses, temporal_address: str, sandbox_server: str
) -> Iterator[str]:
    """The task queue of a worker in a thread of its own, since one for each test would spend most of its time on its start."""
    task_queue = new_id("test")
    work = _working(temporal_address, database_urls["app"], sandbox_server, task_queue)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(work):
        yield task_queue


@pytest.fixture
def worker(led_queue: str) -> None:
    """Lives are led, and pay at the sandbox."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Makes keys and clients of one application."""

    app: FastAPI
    database: Database

    async def key(self, environment: Environment, *scopes: Scope) -> str:
        async with self.database.transaction(environment.id) as connection:
            return (await create_key(connection, environment, "a test", scopes))[1]

    def client(self, key: str | None, **options: Any) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(
            transport=transport,
            base_url="http://weir.test",
            headers=headers,
            event_hooks={"response": [conformance.check]},
            **options,
        )

    @asynccontextmanager
    async def stranger(self) -> AsyncIterator[httpx.AsyncClient]:
        """Somebody who may do everything, but elsewhere."""
        elsewhere = await fresh_environment(self.database)
        async with self.client(await self.key(elsewhere, "admin")) as client:
            yield client


@pytest.fixture
def desk(app: FastAPI, database: Database) -> Desk:
    return Desk(app, database)


@pytest.fixture
async def client(desk: Desk, environment: Environment) -> AsyncIterator[httpx.AsyncClient]:
    """With a key that may do everything in a test environment of its own."""
    async with desk.client(await desk.key(environment, "admin")) as client:
        yield client
