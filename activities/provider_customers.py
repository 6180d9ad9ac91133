"""Customers as the payment provider knows them."""

from db.customers import CustomerRow
from db.payment_methods import known_to_provider
from db.session import Database
from providers.payments.port import PaymentProvider


async def known_customer(
    database: Database, provider: PaymentProvider, environment: str, customer: CustomerRow
) -> str:
    """The provider's id of a customer, who is made known there first where that is needed."""
    if customer.provider_customer is not None:
        return customer.provider_customer
    at_provider = await provider.create_customer(
        customer.id,
        name=customer.name,
        email=customer.email,
        idempotency_key=f"customer:{customer.id}",
    )
    async with database.transaction(environment) as connection:
        await known_to_provider(connection, customer.id, at_provider)
    return at_provider
