"""The steps of credits that have a life of their own: grants that end, top-ups."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity

from activities.recording import issue
from activities.steps import GrantLife, Steps, ToppedUp, TopUp
from db.bonuses import promised_bonus, require_new_bonus
from db.collections import find_collection, save_collection
from db.credits import end_grant, find_grant
from db.decisions import keep_top_up_decision
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
from domain.grounds import TopUpGrounds, topped_up


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

        def watched(grant: str, expires_at: datetime | None) -> GrantLife | None:
            if expires_at is None:
                return None
            clock = collection.test_clock
            return GrantLife(step.environment, grant, step.customer, expires_at, clock)

        bonus = kept.bonus
        return ToppedUp(
            collection,
            watched(kept.grant, kept.order.expires_at),
            None if bonus is None else watched(bonus.grant, bonus.expires_at),
        )

    async def _invoice(self, connection: AsyncConnection, step: TopUp) -> KeptTopUp:
        customer = await load_customer(connection, step.customer)
        name = f"topup:{step.request}"
        grounds = TopUpGrounds(name, step.order, customer, step.currency, step.at)
        issued = topped_up(grounds)
        decision = await keep_top_up_decision(connection, step.environment, grounds)
        row = await issue(connection, step.environment, issued.invoice, decision)
        await post(connection, step.environment, step.customer, issued.transactions)
        collection = begin_collection(
            row.invoice,
            row.id,
            step.environment,
            customer.test_clock,
            is_automatic=step.is_automatic,
        )
        await save_collection(connection, collection)
        price = issued.invoice.total
        bonus = await promised_bonus(connection, customer, price, new_id("crg"), step.at)
        if bonus is not None:
            await require_new_bonus(connection, step.order.key, step.request)
        kept = KeptTopUp(step.request, row.id, new_id("crg"), step.order, bonus)
        await keep_top_up(connection, step.environment, kept)
        answer = {"invoice": row.invoice.number, "grant": kept.grant}
        await answer_request(connection, step.request, "done", answer)
        return kept
