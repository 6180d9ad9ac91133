"""Redemptions: coupons of subscriptions of an older database are counted too, and each row is a fact."""

import json
import secrets
from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db import migrate
from db.redemptions import redeemed
from db.session import Database
from domain.customers import Coupon, Redeemed
from tests.conftest import fresh_environment, in_database
from tests.servers import Addresses

BEFORE = "0009"
LAUNCH = Coupon("launch", "forever", max_redemptions=5)
OTHER = Coupon("other", "forever")

CUSTOMER = text("""
    INSERT INTO customers (id, environment_id, key, timezone) VALUES (:id, :environment, :id, 'UTC')
""")
COUPON = text("""
    INSERT INTO coupons (id, environment_id, key, document) VALUES ('cou_' || :key, :environment, :key, '{}')
""")
SUBSCRIPTION = text("""
    INSERT INTO subscriptions (id, environment_id, key, customer_id, plan_key, plan_version, status, state)
    VALUES (:id, :environment, :id, :customer, 'pro', 1, 'active', CAST(:state AS jsonb))
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


def having(*coupons: str) -> str:
    """A state with these coupons; without any, it says nothing of them."""
    those = [{"coupon": {"key": key}, "redeemed_at": "2026-01-01T00:00:00Z"} for key in coupons]
    return json.dumps({"coupons": those} if those else {})


async def test_coupons_of_older_subscriptions_are_redeemed(older: tuple[str, Database]) -> None:
    owner, database = older
    environment, other = [(await fresh_environment(database)).id for _ in range(2)]
    row = {"environment": environment}
    async with database.transaction(environment) as connection:
        for key in ("launch", "other"):
            await connection.execute(COUPON, {**row, "key": key})
        for customer in ("c1", "c2"):
            await connection.execute(CUSTOMER, {**row, "id": customer})
        for id, customer, state in (
            ("s1", "c1", having("launch", "other")),
            ("s2", "c1", having("launch")),
            ("s3", "c2", having("launch")),
            ("s4", "c2", having()),
        ):
            what = {**row, "id": id, "customer": customer, "state": state}
            await connection.execute(SUBSCRIPTION, what)

    migrate.upgrade(owner)

    async with database.transaction(environment) as connection:
        counts = await redeemed(connection, (LAUNCH, OTHER), "c1")
        assert counts == {"launch": Redeemed(3, 2), "other": Redeemed(1, 1)}
    async with database.transaction(other) as connection:
        assert await redeemed(connection, (LAUNCH, OTHER), "c1") == {}
        rows = await connection.execute(text("SELECT count(*) FROM subscriptions"))
        assert rows.scalar_one() == 0  # row security is as it was


async def test_a_redemption_is_a_fact(older: tuple[str, Database]) -> None:
    owner, database = older
    migrate.upgrade(owner)
    environment = (await fresh_environment(database)).id
    for change in ("UPDATE redemptions SET coupon = 'other'", "DELETE FROM redemptions"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with database.transaction(environment) as connection:
                await connection.execute(text(change))
