"""Hourly rollups of an older database: they are emptied, and the pump keeps them anew by the grains that meters need."""

import json
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from fractions import Fraction

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text

from db import migrate
from db.session import Database
from db.usage import usage_in
from db.usage_horizon import wait_for_horizon
from db.usage_measures import Consumer
from db.usage_pump import pump_once
from domain.calendar import Period
from domain.metering.meter import read_meter
from domain.pricing.usage import Quantity
from tests.conftest import fresh_environment, in_database
from tests.servers import Addresses
from tests.usage_world import JANUARY, TOKENS, add_customer, add_meter

BEFORE = "0004"
PEAKS = {**TOKENS, "key": "peaks", "aggregation": "max", "window": "minute"}
PEOPLE = {**TOKENS, "key": "people", "aggregation": "unique_count", "value": "user"}

EVENT = text("""
    INSERT INTO usage_events
        (environment_id, id, event_name, customer_id, customer_key, time, properties)
    VALUES (:environment, :id, 'llm', :customer, 'acme', :time, CAST(:properties AS jsonb))
""")
HOUR = text("""
    INSERT INTO usage_rollups (environment_id, customer_id, meter, hour, subscription_id, group_hash,
        group_key, count, last_tx, total, highest, lowest, latest_time, latest_arrival, latest_value)
    VALUES (:environment, :customer, 'tokens', :time, '', '', '[]', 3, '1', 999, 999, 999, :time, 1, 999)
""")


@pytest.fixture
async def older(database_urls: Addresses) -> AsyncIterator[tuple[str, Database]]:
    """The owner's URL of a database as the release before left it, and the application's way in."""
    name = f"older_{secrets.token_hex(6)}"
    with psycopg.connect(database_urls["owner"], autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
        )
    owner = in_database(database_urls["owner"], name)
    migrate.upgrade(owner, to=BEFORE)
    database = Database(in_database(database_urls["app"], name))
    yield owner, database
    await database.close()


async def test_rollups_are_kept_anew(older: tuple[str, Database]) -> None:
    owner, database = older
    environment = (await fresh_environment(database)).id
    at = datetime(2026, 1, 10, 12, 0, 30, tzinfo=UTC)
    async with database.transaction(environment) as connection:
        customer = await add_customer(connection, environment, "acme")
        for meter in (TOKENS, PEAKS, PEOPLE):
            await add_meter(connection, environment, meter)
        for n, tokens in enumerate(("1", "5", "-2")):
            properties = json.dumps({"tokens": tokens, "user": "ann"})
            event = {"id": f"e{n}", "time": at.replace(minute=n % 2), "properties": properties}
            await connection.execute(
                EVENT, {"environment": environment, "customer": customer, **event}
            )
        hour = {"environment": environment, "customer": customer, "time": at.replace(second=0)}
        await connection.execute(HOUR, hour)
        await connection.execute(
            text("UPDATE meters SET rolled_up_to = pg_current_xact_id(), unreadable = 4")
        )

    migrate.upgrade(owner)

    async with database.transaction(environment) as connection:
        rows = await connection.execute(text("SELECT count(*) FROM usage_rollups"))
        assert rows.scalar_one() == 0
        marks = await connection.execute(text("SELECT rolled_up_to::text, unreadable FROM meters"))
        assert {tuple(row) for row in marks} == {("0", 0)}
    horizon = await wait_for_horizon(database)
    assert await used(database, environment, customer, horizon) == EXPECTED  # from events alone
    assert await pump_once(database, environment) == 3
    horizon = await wait_for_horizon(database)
    assert await used(database, environment, customer, horizon) == EXPECTED


# The peaks of two minutes, 1 and 5, are added.
EXPECTED = {"tokens": Fraction(4), "peaks": Fraction(6), "people": Fraction(1)}


async def used(
    database: Database, environment: str, customer: str, cutoff: int, month: Period = JANUARY
) -> dict[str, Fraction]:
    found: dict[str, Fraction] = {}
    async with database.transaction(environment) as connection:
        for meter in (TOKENS, PEAKS, PEOPLE):
            usage = await usage_in(
                connection, Consumer(customer), read_meter(meter), month, "quantity", cutoff
            )
            assert isinstance(usage, Quantity)
            found[str(meter["key"])] = usage.total
    return found
