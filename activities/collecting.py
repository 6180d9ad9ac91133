"""The steps of collecting an invoice: ask the provider once for each attempt, and record what it answers.

An attempt is written down before the provider is asked, under the name that is its idempotency key. So after a crash
at any point it is known what may be under way, and the same name finds out what became of it.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.answers import record_answer
from activities.provider_customers import known_customer
from activities.steps import AttemptPayment, LookUpPayment, SendRefund, Steps
from db.clocks import find_clock
from db.collections import find_collection
from db.customers import CustomerRow, find_customer
from db.locks import lock_customer
from db.outbox import announce
from db.payments import (
    UNDER_WAY,
    PaymentRow,
    answer_payment,
    find_payment,
    latest_attempt,
    open_attempt,
    successful_payment,
)
from db.session import Database
from domain.dunning import Answer, Collection, goes_on, is_wanted, taken_back
from domain.errors import Corrupt, Unavailable
from domain.money import Money
from providers.payments.port import (
    ChargeRequest,
    NotChargeable,
    PaymentOutcome,
    PaymentProvider,
)

# A database may have been restored from a backup: then an attempt that is new here may have been made long ago. For so
# long the provider knows it by its key alone; later it must be looked up first.
KEYS_ARE_KEPT = timedelta(hours=12)


class CollectionSteps(Steps):
    def __init__(self, database: Database, provider: PaymentProvider) -> None:
        self.database = database
        self.provider = provider

    @activity.defn
    async def attempt_payment(self, step: AttemptPayment) -> Collection:
        if (gone_on := await self._give_up_earlier(step)) is not None:
            return gone_on
        collection, environment = step.collection, step.collection.environment
        async with self.database.transaction(environment) as connection:
            await lock_customer(connection, collection.customer)
            known = await find_collection(connection, collection.invoice)
            if known.attempts >= step.attempt or not known.is_unpaid:
                return known
            payment, is_new = await open_attempt(
                connection,
                environment,
                collection.customer,
                collection.invoice,
                step.attempt,
                collection.amount_due,
                step.at,
            )
            customer = await find_customer(connection, collection.customer)
        is_first = is_new and _is_young(collection)
        outcome = await self._charge(environment, collection, customer, payment, is_first)
        async with self.database.transaction(environment) as connection:
            await lock_customer(connection, collection.customer)
            known = await find_collection(connection, collection.invoice)
            if known.attempts >= step.attempt:
                return known
            return await record_answer(connection, collection, payment, outcome, step.at)

    @activity.defn
    async def look_up_payment(self, step: LookUpPayment) -> Collection:
        environment, invoice = step.collection.environment, step.collection.invoice
        async with self.database.transaction(environment) as connection:
            known = await find_collection(connection, invoice)
            payment = await latest_attempt(connection, invoice)
            customer = await find_customer(connection, known.customer)
        if payment is None or payment.status not in UNDER_WAY:
            return known
        outcome = await self._read(customer, payment)
        if outcome is not None and outcome.status in UNDER_WAY:
            outcome = await self._take_back(known, outcome, step.at)
        elif outcome is not None:
            outcome = await self._put_an_end_to(outcome)
        if outcome is None or outcome.status == payment.status:
            return known
        async with self.database.transaction(environment) as connection:
            await lock_customer(connection, known.customer)
            known = await find_collection(connection, invoice)
            payment = await find_payment(connection, payment.name)
            if payment.status not in UNDER_WAY:
                return known
            at = step.at
            if known.test_clock is not None:
                at = (await find_clock(connection, known.test_clock)).now
            return await record_answer(connection, known, payment, outcome, at)

    @activity.defn
    async def send_refund(self, step: SendRefund) -> None:
        async with self.database.transaction(step.environment) as connection:
            refund = await find_payment(connection, step.refund)
            paid = await successful_payment(connection, refund.invoice)
        if refund.status != "pending":
            return
        if paid is None or paid.intent is None:
            raise Corrupt(f"{refund.name} gives back what invoice {refund.invoice} was never paid")
        sent = await self.provider.refund(paid.intent, refund.amount, idempotency_key=refund.name)
        status = "processing" if sent.status == "pending" else sent.status
        async with self.database.transaction(step.environment) as connection:
            await answer_payment(
                connection,
                refund.name,
                status,
                sent.refund,
                sent.amount,
                sent.failure_code,
                step.at,
            )
            told = {"invoice": refund.invoice_number, "amount": str(refund.amount)}
            topic = f"refund.{status}"
            await announce(connection, step.environment, topic, refund.id, step.at, told)

    async def _charge(
        self,
        environment: str,
        collection: Collection,
        customer: CustomerRow,
        payment: PaymentRow,
        is_first: bool,
    ) -> PaymentOutcome:
        at_provider = await known_customer(self.database, self.provider, environment, customer)
        request = ChargeRequest(
            customer=at_provider,
            payment_method=customer.payment_method,
            amount=payment.amount,
            idempotency_key=payment.name,
            metadata={
                "environment": environment,
                "invoice": payment.invoice,
                "attempt": str(payment.attempt),
            },
            at=payment.at,
            since=collection.issued_at,
            first_try=is_first,
        )
        try:
            return await self.provider.charge(request)
        except NotChargeable as refusal:  # an answer about this amount, as good as a decline
            nothing = Money(0, payment.amount.currency)
            return PaymentOutcome("failed", "", refusal.code, nothing)

    async def _give_up_earlier(self, step: AttemptPayment) -> Collection | None:
        """An attempt that waits for the customer could be confirmed beside the new one, and be paid as well. So it is
        given up first: None, or what has become of the collection where it went on in that instant.
        """
        environment, invoice = step.collection.environment, step.collection.invoice
        async with self.database.transaction(environment) as connection:
            earlier = await latest_attempt(connection, invoice)
        if earlier is None or earlier.intent is None or earlier.status != "requires_action":
            return None
        if (earlier.attempt or 0) >= step.attempt:
            return None  # this one, or one that was made after it
        ended = await self.provider.cancel(earlier.intent)
        if ended.status == "requires_action":
            raise Unavailable(f"the provider does not give up {earlier.intent}")
        if not goes_on(ended.status):
            return None
        async with self.database.transaction(environment) as connection:
            await lock_customer(connection, step.collection.customer)
            known = await find_collection(connection, invoice)
            earlier = await find_payment(connection, earlier.name)
            if earlier.status != "requires_action":
                return known
            return await record_answer(connection, known, earlier, ended, step.at)

    async def _take_back(
        self, collection: Collection, outcome: PaymentOutcome, at: datetime
    ) -> PaymentOutcome:
        """A payment that is not wanted any more is given up, unless it succeeds first."""
        if is_wanted(collection, outcome.status, at):
            return outcome
        ended = await self.provider.cancel(outcome.intent)
        if collection.is_unpaid and ended.status == "requires_action":
            raise Unavailable(f"the provider does not give up {outcome.intent}")
        answer = taken_back(collection, Answer(ended.status, at, ended.failure_code))
        return replace(ended, failure_code=answer.failure_code)

    async def _put_an_end_to(self, outcome: PaymentOutcome) -> PaymentOutcome:
        """Whoever has failed to confirm a payment could confirm it yet, with another card, beside the attempt that is made
        next, or when its invoice is void. So what has failed is given up, unless it goes on in that instant.
        """
        if outcome.status != "failed" or not outcome.intent:
            return outcome
        ended = await self.provider.cancel(outcome.intent)
        return outcome if ended.status == "failed" else ended

    async def _read(self, customer: CustomerRow, payment: PaymentRow) -> PaymentOutcome | None:
        if payment.intent is not None:
            return await self.provider.read(payment.intent)
        if customer.provider_customer is None:
            return None
        return await self.provider.find(customer.provider_customer, payment.name, payment.at)


def _is_young(collection: Collection) -> bool:
    """Whether whatever was tried for it was tried lately. On a test clock no money moves."""
    on_a_clock = collection.test_clock is not None
    return on_a_clock or datetime.now(UTC) - collection.issued_at < KEYS_ARE_KEPT
