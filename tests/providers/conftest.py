"""The payment sandbox over real HTTP: one server a run, its faults and webhooks put right after each test."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio

from providers.payments.sandbox.app import create_sandbox
from providers.payments.sandbox.remote import SandboxRemote
from providers.payments.sandbox.serve import serving_in_thread
from providers.payments.stripe import StripePayments
from tests.providers.attempts import SANDBOX_KEY


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[str]:
    with serving_in_thread(create_sandbox()) as address:
        yield address


@pytest.fixture
def sandbox(sandbox_server: str) -> Iterator[str]:
    """The base URL. Customers are each test's own; the rest is reset."""
    yield sandbox_server
    with httpx.Client(base_url=f"{sandbox_server}/sandbox", verify=False) as strings:
        strings.delete("faults").raise_for_status()
        strings.put("webhooks", json={}).raise_for_status()


@pytest_asyncio.fixture
async def remote(sandbox: str) -> AsyncIterator[SandboxRemote]:
    async with SandboxRemote(sandbox) as strings:
        yield strings


@pytest_asyncio.fixture
async def payments(sandbox: str) -> AsyncIterator[StripePayments]:
    """The adapter, without retries of its own: what the sandbox does to a call is what the test sees."""
    async with StripePayments(SANDBOX_KEY, address=sandbox, retries=0) as provider:
        yield provider
