"""What a customer pays with, by the payment provider's ids."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_KNOWN = text("UPDATE customers SET provider_customer = :provider_customer WHERE id = :customer")
_METHOD = text("UPDATE customers SET payment_method = :method WHERE id = :customer")


async def known_to_provider(
    connection: AsyncConnection, customer: str, provider_customer: str
) -> None:
    """The provider knows the customer by that id."""
    await connection.execute(_KNOWN, {"customer": customer, "provider_customer": provider_customer})


async def pays_with(connection: AsyncConnection, customer: str, method: str) -> None:
    """From now on that method is charged."""
    await connection.execute(_METHOD, {"customer": customer, "method": method})
