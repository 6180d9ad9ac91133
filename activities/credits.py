"""The steps of credits that have a life of their own: grants that end, top-ups."""

from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity

from activities.recording import issue
from activities.steps import GrantLife, Steps, ToppedUp, TopUp
from db.collections import find_collection, save_collection
from db.credits import end_grant, find_grant
from db.facts import load_customer
from db.ids import new_id
from db.ledger import post
from db.locks import lock_customer
from db.outbox import announce
from db.requests import answer_request
from db.session import Database
from db.top_ups import KeptTopUp, find_top_up, keep_top_up
from domain import ledger
from domain.dunning import begin_collection
from domain.errors import Rejected
from domain.topups import top_up_invoice


class CreditSteps(Steps):
    def __init__(self, database: Database) -> None:
        self.database = database

    @activity.defn
    async def end_grant(self, step: GrantLife) -> None:
        async with self.database.transaction(step.environment) as connection:
            await lock_customer(connection, step.customer)
            row = await find_grant(connection, step.grant)
            if row.ended_at is not None:
                return
            at, left = step.expires_at, row.balance
            expired = ledger.expired(left.grant, left.remaining, at)
            await post(connection, step.environment, step.customer, expired)
            await end_grant(connection, step.grant, at)
            told = {"key": left.grant.key, "amount": str(left.remaining)}
            await announce(
                connection, step.environment, "credit_grant.expired", step.grant, at, told
            )

    @activity.defn
    async def top_up(self, step: TopUp) -> ToppedUp:
        try:
            async with self.database.transaction(step.environment) as connection:
                await lock_customer(connection, step.customer)
                return await self._invoiced(connection, step)
        except Rejected as refusal:
            why = {"code": refusal.code, "message": str(refusal)}
            async with self.database.transaction(step.environment) as connection:
                await answer_request(connection, step.request, "refused", why)
            raise

    async def _invoiced(self, connection: AsyncConnection, step: TopUp) -> ToppedUp:
        """The top-up's invoice with its collection, made once for each request."""
        kept = await find_top_up(connection, step.request)
        if kept is None:
            kept = await self._invoice(connection, step)
        collection = await find_collection(connection, kept.invoice)
        expires_at = kept.order.expires_at
        if expires_at is None:
            return ToppedUp(collection)
        life = GrantLife(
            step.environment, kept.grant, step.customer, expires_at, collection.test_clock
        )
        return ToppedUp(collection, life)

    async def _invoice(self, connection: AsyncConnection, step: TopUp) -> KeptTopUp:
        customer = await load_customer(connection, step.customer)
        issued = top_up_invoice(
            step.order, customer, step.currency, step.at, f"topup:{step.request}"
        )
        row = await issue(connection, step.environment, issued.invoice)
        await post(connection, step.environment, step.customer, issued.transactions)
        collection = begin_collection(row.invoice, row.id, step.environment, customer.test_clock)
        await save_collection(connection, collection)
        kept = KeptTopUp(step.request, row.id, new_id("crg"), step.order)
        await keep_top_up(connection, step.environment, kept)
        answer = {"invoice": row.invoice.number, "grant": kept.grant}
        await answer_request(connection, step.request, "done", answer)
        return kept
