"""Who may touch a customer's money: one transaction at a time."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.errors import NotFound

_LOCK = text("SELECT id FROM customers WHERE id = :customer FOR NO KEY UPDATE")
_AWAIT = text("SELECT id FROM customers WHERE id = :customer FOR SHARE")


async def lock_customer(connection: AsyncConnection, customer_id: str) -> None:
    """Have the customer's money for this transaction alone: credits, balances and documents read after this stay as
    they are until it ends. In READ COMMITTED only: an older snapshot would not see what the last holder did.
    """
    if (await connection.execute(_LOCK, {"customer": customer_id})).one_or_none() is None:
        raise NotFound(f"there is no customer {customer_id}")


async def await_customer(connection: AsyncConnection, customer_id: str) -> None:
    """Wait until nobody is about to change the customer's money; nobody begins to until this transaction ends."""
    await connection.execute(_AWAIT, {"customer": customer_id})
