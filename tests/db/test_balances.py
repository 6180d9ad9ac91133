"""The sums that PostgreSQL makes of the ledger are those that the domain says; and when each posting was recorded."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db import balances as rows
from db.clocks import move_clock
from db.credits import add_grant, find_grants
from db.ledger import post, transactions
from db.locks import lock_customer
from db.session import Database
from db.tenants import Environment
from domain import balances, ledger
from domain.balances import Look, Recorded
from domain.credits import Grant
from domain.ledger import Posting, Transaction, credit_note_balance, credits_of, receivable
from domain.money import Money
from tests.usage_world import add_clock, add_customer

START = datetime(2026, 1, 1, tzinfo=UTC)
MOVES = 40


def hour(number: int) -> datetime:
    return START + timedelta(hours=number)


class Books:
    """A customer on a test clock whose ledger is written at random: what happens may be of any time before."""

    def __init__(self, database: Database, environment: str, seed: int) -> None:
        self.database = database
        self.environment = environment
        self.chance = random.Random(seed)
        self.customer = ""
        self.grants: list[Grant] = []

    async def live(self) -> None:
        async with self.database.transaction(self.environment) as connection:
            clock = await add_clock(connection, self.environment, START)
            self.customer = await add_customer(connection, self.environment, "acme", clock)
        now = 0
        for number in range(MOVES):
            now += self.chance.choice((0, 0, 1, 5))
            async with self.database.transaction(self.environment) as connection:
                await move_clock(connection, clock, hour(now), 0)
                await lock_customer(connection, self.customer)
                moved = await self._moved(connection, number, hour(self.chance.randint(0, now)))
                await post(connection, self.environment, self.customer, moved)

    async def _moved(
        self, connection: AsyncConnection, number: int, at: datetime
    ) -> Sequence[Transaction]:
        if not self.grants or self.chance.random() < 0.2:
            grant = self._grant(number, at)
            self.grants.append(grant)
            await add_grant(connection, self.environment, grant)
            return ledger.granted(grant)
        of = self.chance.choice(self.grants)
        amount = Money(self.chance.randint(1, 99), of.amount.currency)
        account = self.chance.choice((credits_of(of.id), credit_note_balance(self.customer)))
        postings = (Posting(account, amount), Posting(receivable(self.customer), -amount))
        return (Transaction(f"move:{number}", "burn", at, postings),)

    def _grant(self, number: int, at: datetime) -> Grant:
        ends = self.chance.choice((None, at + timedelta(hours=self.chance.randint(1, 40))))
        currency = self.chance.choice(("USD", "JPY"))
        amount = Money(self.chance.randint(100, 9_999), currency)
        id = f"{self.environment}:{number}"
        return Grant(id, id, self.customer, "prepaid", amount, 50, at, at, expires_at=ends)

    async def recorded(self, connection: AsyncConnection) -> list[Recorded]:
        found = await connection.execute(text("SELECT name, recorded_at FROM ledger_transactions"))
        times = {row.name: row.recorded_at for row in found}
        return [
            Recorded(each, times[each.name])
            for each in await transactions(connection, self.customer)
        ]


@pytest.mark.parametrize("seed", range(4))
async def test_rows_add_up_to_what_the_domain_says(
    database: Database, environment: Environment, seed: int
) -> None:
    books = Books(database, environment.id, seed)
    await books.live()
    async with database.transaction(environment.id) as connection:
        recorded = await books.recorded(connection)
        grants = [row.balance.grant for row in await find_grants(connection, 1_000)]
        assert {grant.id for grant in grants} == {grant.id for grant in books.grants}
        for at in range(0, 120, 7):
            for known_at in (None, *map(hour, range(0, 120, 11))):
                look = Look(hour(at), known_at)
                told = balances.left_of_grants(recorded, grants, look)
                left = await rows.left_of_grants(connection, books.customer, look)
                assert left == {each.grant.id: each.remaining.minor for each in told}
                notes = await rows.left_of_credit_notes(connection, books.customer, look)
                said = balances.left_of_credit_notes(recorded, books.customer, look)
                assert sorted(map(str, notes)) == sorted(map(str, said))


async def test_what_is_recorded_is_known_from_then_on_for_ever(
    database: Database, environment: Environment
) -> None:
    """In real time: whoever asks what is known waits for what is being written, and is never told otherwise later."""
    async with database.transaction(environment.id) as connection:
        customer = await add_customer(connection, environment.id, "acme")
    grant = Grant("g0", "g0", customer, "prepaid", Money(500, "USD"), 50, START, START)

    async def known() -> tuple[datetime, int]:
        async with database.transaction(environment.id) as connection:
            now = await rows.known_up_to(connection, customer)
            left = await rows.left_of_grants(connection, customer, Look(now, now))
            return now, sum(left.values())

    async def give(number: int) -> None:
        given = replace(grant, id=f"{environment.id}:{number}", key=f"g{number}")
        async with database.transaction(environment.id) as connection:
            await lock_customer(connection, customer)
            await add_grant(connection, environment.id, given)
            await post(connection, environment.id, customer, ledger.granted(given))
            await asyncio.sleep(0.01)  # it is recorded, and not there yet

    told = await asyncio.gather(*(each for n in range(8) for each in (give(n), known())))
    async with database.transaction(environment.id) as connection:
        for now, left in (each for each in told if each is not None):
            again = await rows.left_of_grants(connection, customer, Look(now, now))
            assert sum(again.values()) == left
        everything = await rows.left_of_grants(connection, customer, Look(datetime.max.replace(tzinfo=UTC)))  # fmt: skip
        assert sum(everything.values()) == 8 * 500
