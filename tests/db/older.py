"""A database as an earlier release left it."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from db import migrate
from db.session import Database
from tests.conftest import in_database
from tests.servers import Addresses


@dataclass(frozen=True, slots=True)
class Older:
    """`owner` is the URL of who may migrate it, `database` the application's way in."""

    owner: str
    database: Database


@asynccontextmanager
async def older_database(addresses: Addresses, revision: str) -> AsyncIterator[Older]:
    """Migrated up to a revision, and no further."""
    name = f"older_{secrets.token_hex(6)}"
    with psycopg.connect(addresses["owner"], autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
        )
    owner = in_database(addresses["owner"], name)
    migrate.upgrade(owner, to=revision)
    database = Database(in_database(addresses["app"], name))
    yield Older(owner, database)
    await database.close()
