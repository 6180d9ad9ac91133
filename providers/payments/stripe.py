"""Stripe, or whatever speaks like it at another address (the sandbox).

Why nothing is charged twice: Stripe remembers a key for a day at least, and whatever an attempt makes carries
the attempt's name in its metadata for ever. So an attempt that may have been tried before is looked up before it
is made: two tries at the same time meet in the key, tries further apart in the lookup. A key that was used for a
request in other words (books restored from a backup ask again, for an invoice of another id) is looked up too.
"""

from datetime import UTC, datetime, timedelta
from typing import Self

import httpx
import stripe
from stripe.params import CustomerCreateParams, PaymentIntentListParams

from domain.errors import Conflict, NotFound, Unavailable
from domain.money import Money
from domain.reading import written
from providers.payments.currencies import units_of
from providers.payments.port import ChargeRequest, PaymentOutcome, ProviderEvent, RefundOutcome
from providers.payments.stripe_errors import is_replayed, stripe_errors
from providers.payments.stripe_http import HttpxTransport
from providers.payments.stripe_outcomes import (
    declined,
    nothing_to_charge,
    outcome_of,
    refund_outcome_of,
    same_attempt,
)
from providers.payments.webhooks import provider_event

TIMEOUT = httpx.Timeout(30, connect=5)  # seconds; a card network may take most of it
RETRIES = 1  # inside one call; whoever calls has the patience for more
PAGE = 100
CLOCKS_MAY_DIFFER_BY = timedelta(days=1)
KEYS_OF_AN_ATTEMPT = 3
_NAME = "idempotency_key"  # in the metadata of what an attempt made


class StripePayments:
    """The `PaymentProvider` for Stripe. `address` leads to another server than Stripe's. `to_the_last_digit`
    charges three-decimal currencies in single units: the sandbox takes them, card networks do not.
    """

    def __init__(
        self,
        api_key: str,
        *,
        address: str | None = None,
        timeout: httpx.Timeout = TIMEOUT,
        retries: int = RETRIES,
        to_the_last_digit: bool = False,
    ) -> None:
        self._http = HttpxTransport(timeout)
        client = stripe.StripeClient(
            api_key,
            base_addresses={"api": address} if address else None,
            http_client=self._http,
            max_network_retries=retries,
        )
        self._customers = client.v1.customers
        self._methods = client.v1.payment_methods
        self._intents = client.v1.payment_intents
        self._refunds = client.v1.refunds
        self._events = client.v1.events
        self._to_the_last_digit = to_the_last_digit

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.close_async()

    async def create_customer(
        self, key: str, *, name: str | None, email: str | None, idempotency_key: str
    ) -> str:
        params: CustomerCreateParams = {"metadata": {"key": key}}
        if name:
            params["name"] = name
        if email:
            params["email"] = email
        with stripe_errors():
            customer = await self._customers.create_async(
                params, {"idempotency_key": idempotency_key}
            )
        return customer.id

    async def attach_payment_method(
        self, customer: str, payment_method: str, *, idempotency_key: str
    ) -> str:
        with stripe_errors():
            try:
                method = await self._methods.attach_async(
                    payment_method, {"customer": customer}, {"idempotency_key": idempotency_key}
                )
            except stripe.InvalidRequestError as error:
                if error.param == "customer":  # that id is ours: the books are wrong
                    raise
                refused = NotFound if error.code == "resource_missing" else Conflict
                raise refused(error.user_message) from error
            await self._customers.update_async(
                customer,
                {"invoice_settings": {"default_payment_method": method.id}},
                {"idempotency_key": f"{idempotency_key}/default"},
            )
        return method.id

    async def charge(self, request: ChargeRequest) -> PaymentOutcome:
        units = units_of(request.amount, to_the_last_digit=self._to_the_last_digit)
        with stripe_errors():
            if not request.first_try and (known := await self._known(request)) is not None:
                return known
            method = request.payment_method or await self._default_method(request.customer)
            if method is None:
                return nothing_to_charge(request)
            return await self._charge_once(request, units, method)

    async def find(
        self, customer: str, idempotency_key: str, at: datetime
    ) -> PaymentOutcome | None:
        with stripe_errors():
            intent = await self._find_intent(customer, idempotency_key, at)
        return None if intent is None else outcome_of(intent)

    async def read(self, intent: str) -> PaymentOutcome:
        with stripe_errors():
            return outcome_of(await self._intents.retrieve_async(intent))

    async def cancel(self, intent: str) -> PaymentOutcome:
        with stripe_errors():
            try:
                return outcome_of(await self._intents.cancel_async(intent))
            except stripe.InvalidRequestError as error:
                if error.code != "payment_intent_unexpected_state":
                    raise
            return outcome_of(await self._intents.retrieve_async(intent))

    async def refund(self, intent: str, amount: Money, *, idempotency_key: str) -> RefundOutcome:
        units = units_of(amount, to_the_last_digit=self._to_the_last_digit)
        with stripe_errors():
            refund = await self._find_refund(intent, idempotency_key)
            if refund is None:
                refund = await self._create_refund(intent, units, idempotency_key)
        return refund_outcome_of(refund)

    async def events_since(self, since: datetime) -> tuple[ProviderEvent, ...]:
        with stripe_errors():
            page = await self._events.list_async(
                {"created": {"gte": int(since.timestamp())}, "limit": PAGE}
            )
            newest_first = [
                provider_event(event.to_dict()) async for event in page.auto_paging_iter()
            ]
        return tuple(reversed(newest_first))

    async def _known(self, request: ChargeRequest) -> PaymentOutcome | None:
        since = request.since or request.at
        intent = await self._find_intent(request.customer, request.idempotency_key, since)
        return None if intent is None else outcome_of(same_attempt(intent, request))

    async def _charge_once(self, request: ChargeRequest, units: int, method: str) -> PaymentOutcome:
        """Make the attempt's intent. A server error that Stripe saved is all that its key will ever answer:
        where the lookup proves that the failure left nothing behind, the attempt's next key is taken.
        """
        for number in range(1, KEYS_OF_AN_ATTEMPT + 1):
            key = request.idempotency_key + (f"/{number}" if number > 1 else "")
            try:
                return outcome_of(await self._create_intent(request, units, method, key))
            except stripe.CardError as error:
                return declined(error, request)
            except stripe.IdempotencyError:  # our books have forgotten what we said then
                if (known := await self._known(request)) is None:
                    raise
                return known
            except stripe.InvalidRequestError as error:
                if (error.code, error.param) != ("resource_missing", "payment_method"):
                    raise
                return nothing_to_charge(request)  # the method was taken away meanwhile
            except stripe.APIError as error:
                if not is_replayed(error):
                    raise
            if (known := await self._known(request)) is not None:
                return known
        raise Unavailable(f"every key of {request.idempotency_key} answers with a saved failure")

    async def _create_intent(
        self, request: ChargeRequest, units: int, method: str, key: str
    ) -> stripe.PaymentIntent:
        """Create and confirm, without the customer being there and without a page to send them to."""
        names = {_NAME: request.idempotency_key, "at": written(request.at)}
        return await self._intents.create_async(
            {
                "amount": units,
                "currency": request.amount.currency.lower(),
                "customer": request.customer,
                "payment_method": method,
                "confirm": True,
                "off_session": True,
                "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                "metadata": {**request.metadata, **names},
            },
            {"idempotency_key": key},
        )

    async def _find_intent(
        self, customer: str, idempotency_key: str, at: datetime
    ) -> stripe.PaymentIntent | None:
        """By list, not by search: search may lag behind by minutes."""
        params: PaymentIntentListParams = {"customer": customer, "limit": PAGE}
        if at <= datetime.now(UTC):  # a test clock may be ahead of the provider's
            params["created"] = {"gte": int((at - CLOCKS_MAY_DIFFER_BY).timestamp())}
        page = await self._intents.list_async(params)
        async for intent in page.auto_paging_iter():
            if intent.metadata.to_dict().get(_NAME) == idempotency_key:
                return intent
        return None

    async def _default_method(self, customer: str) -> str | None:
        settings = (await self._customers.retrieve_async(customer)).invoice_settings
        method = settings.default_payment_method if settings is not None else None
        return method.id if isinstance(method, stripe.PaymentMethod) else method

    async def _find_refund(self, intent: str, idempotency_key: str) -> stripe.Refund | None:
        page = await self._refunds.list_async({"payment_intent": intent, "limit": PAGE})
        async for refund in page.auto_paging_iter():
            if refund.metadata and refund.metadata.to_dict().get(_NAME) == idempotency_key:
                return refund
        return None

    async def _create_refund(self, intent: str, units: int, key: str) -> stripe.Refund:
        try:
            return await self._refunds.create_async(
                {"payment_intent": intent, "amount": units, "metadata": {_NAME: key}},
                {"idempotency_key": key},
            )
        except stripe.InvalidRequestError as error:
            if error.code == "charge_already_refunded" or error.param == "amount":
                raise Conflict(error.user_message) from error
            raise
