"""What the tests of payment providers have in common: a customer, and attempts to charge them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import stripe

from domain.money import Money
from providers.payments.port import ChargeRequest, PaymentProvider
from providers.payments.stripe import TIMEOUT
from providers.payments.stripe_http import HttpxTransport

SANDBOX_KEY = "sk_test_sandbox"
AT = datetime(2026, 1, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Shopper:
    """A customer at the provider, and a word that makes names unique where tests share an account."""

    id: str
    key: str = field(default_factory=lambda: uuid4().hex)

    def attempt(
        self,
        number: int = 1,
        *,
        amount: Money | None = None,
        method: str | None = None,
        at: datetime = AT,
        metadata: Mapping[str, str] | None = None,
    ) -> ChargeRequest:
        return ChargeRequest(
            customer=self.id,
            payment_method=method,
            amount=amount or Money(1920, "USD"),
            idempotency_key=f"collect:{self.key}:{number}",
            metadata=metadata or {},
            at=at,
        )


async def shopper(provider: PaymentProvider, method: str | None = "pm_card_visa") -> Shopper:
    """A new customer with `method` as the default one."""
    key = uuid4().hex
    customer = await provider.create_customer(
        key, name="Acme", email="billing@acme.example", idempotency_key=f"customer:{key}"
    )
    if method is not None:
        await provider.attach_payment_method(customer, method, idempotency_key=f"method:{key}")
    return Shopper(customer, key)


def raw_client(address: str, key: str = SANDBOX_KEY) -> stripe.StripeClient:
    """Stripe's own client, to see what goes over the wire."""
    return stripe.StripeClient(
        key,
        base_addresses={"api": address},
        http_client=HttpxTransport(TIMEOUT),
        max_network_retries=0,
    )


async def intents_of(address: str, customer: str) -> list[stripe.PaymentIntent]:
    page = await raw_client(address).v1.payment_intents.list_async(
        {"customer": customer, "limit": 100}
    )
    return [intent async for intent in page.auto_paging_iter()]
