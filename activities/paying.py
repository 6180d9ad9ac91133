"""A customer who wants to pay what is open, with a new payment method or with the old one."""

from temporalio import activity

from activities.lives import Lives
from activities.provider_customers import known_customer
from activities.steps import CustomerActed, Pay, Steps
from db.collections import unpaid_collections
from db.customers import find_customer
from db.locks import lock_customer
from db.payment_methods import pays_with
from db.requests import answer_request
from db.session import Database
from domain.dunning import Collection
from domain.errors import Conflict, Rejected
from providers.payments.port import PaymentProvider


class PayingSteps(Steps):
    def __init__(self, database: Database, provider: PaymentProvider, lives: Lives) -> None:
        self.database = database
        self.provider = provider
        self.lives = lives

    @activity.defn
    async def attach_payment_method(self, step: Pay) -> str | None:
        if step.payment_method is None:
            return None
        async with self.database.transaction(step.environment) as connection:
            customer = await find_customer(connection, step.customer)
        at_provider = await known_customer(self.database, self.provider, step.environment, customer)
        try:
            method = await self.provider.attach_payment_method(
                at_provider, step.payment_method, idempotency_key=f"method:{step.request}"
            )
        except Rejected as refusal:
            await self._refuse(step, refusal)
            raise
        async with self.database.transaction(step.environment) as connection:
            await lock_customer(connection, step.customer)
            await pays_with(connection, step.customer, method)
        return method

    @activity.defn
    async def attempt_unpaid(self, step: Pay) -> tuple[Collection, ...]:
        async with self.database.transaction(step.environment) as connection:
            unpaid = await unpaid_collections(connection, step.customer, step.invoice)
        act = CustomerActed(
            request=step.request,
            new_method=step.payment_method is not None,
            at=step.at if step.test_clock else None,
        )
        attempted = [await self._attempt(each, act) for each in unpaid]
        answer = {each.invoice: each.status for each in attempted}
        async with self.database.transaction(step.environment) as connection:
            await answer_request(connection, step.request, "done", {"invoices": answer})
        return tuple(attempted)

    async def _attempt(self, collection: Collection, act: CustomerActed) -> Collection:
        """One that has given up waits for an operator: the others need not."""
        try:
            return await self.lives.customer_acted(collection, act)
        except Conflict as stuck:
            activity.logger.warning("invoice %s is not attempted: %s", collection.invoice, stuck)
            return collection

    async def _refuse(self, step: Pay, refusal: Rejected) -> None:
        why = {"code": refusal.code, "message": str(refusal)}
        async with self.database.transaction(step.environment) as connection:
            await answer_request(connection, step.request, "refused", why)
