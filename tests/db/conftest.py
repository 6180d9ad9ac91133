"""Connections past the pool: as the schema's owner, or as the application without a transaction of ours."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from cli.stack.child import free_port
from tests.servers import Addresses


@pytest.fixture
async def owner(database_urls: Addresses) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(
        database_urls["owner"], autocommit=True
    ) as connection:
        yield connection


@pytest.fixture
async def app(database_urls: Addresses) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(
        database_urls["app"], autocommit=True
    ) as connection:
        yield connection


@pytest.fixture
def unused_port() -> int:
    return free_port()
