"""Where a customer belongs: to nobody, or to a parent, that may pay for it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Caller
from api.moments import time_to_act
from db.customers import CustomerRow, find_customer
from db.families import (
    is_billed_to,
    is_born_to,
    joins,
    leaves,
    lock_family,
    payers_of_living,
    relative,
)
from domain.customers import Billing
from domain.errors import Conflict, Invalid, NotFound
from domain.families import check_billing, check_parent, check_payers
from domain.subscription import Subscription


async def be_born(
    connection: AsyncConnection,
    caller: Caller,
    child: CustomerRow,
    parent: str | None,
    billing: Billing,
) -> None:
    """A new customer belongs to its parent from the beginning. Raises `Invalid` and `Conflict`."""
    check_billing(parent, billing)
    if parent is None:
        return
    found = await _parent(connection, parent)
    await lock_family(connection, child.id, found.id)
    check_parent(await relative(connection, child.id), await relative(connection, found.id))
    await is_born_to(connection, caller.environment, child.id, found.id, billing)


async def lock_with_parent(
    connection: AsyncConnection, customer: str, given: Mapping[str, Any]
) -> CustomerRow:
    """The customer, locked with the parent that it is to have."""
    kept = await find_customer(connection, customer)
    named = given.get("parent")
    parent = None if named is None else await _parent(connection, named)
    await lock_family(connection, kept.id, *([] if parent is None else [parent.id]))
    return await find_customer(connection, kept.id)


async def move(
    connection: AsyncConnection, caller: Caller, kept: CustomerRow, given: Mapping[str, Any]
) -> None:
    """Have a customer belong where it is told to, from now on. Raises `Invalid`, and `Conflict` where it cannot, or where
    it would change who pays for a subscription that is not over.
    """
    if not given.keys() & {"parent", "billing"}:
        return
    named = given.get("parent", kept.parent)
    parent = None if named is None else (await _parent(connection, named)).id
    billing: Billing = given.get("billing", "self" if parent is None else kept.billing)
    check_billing(parent, billing)
    payer = parent if billing == "parent" else None
    check_payers(kept.key, payer, await payers_of_living(connection, kept.id))
    if parent == kept.parent:
        await is_billed_to(connection, kept.id, billing)
        return
    at = (await time_to_act(connection, kept)).at
    if parent is not None:
        check_parent(await relative(connection, kept.id), await relative(connection, parent))
    await leaves(connection, kept.id, at)
    if parent is not None:
        await joins(connection, caller.environment, kept.id, parent, billing, at)


async def require_payer(connection: AsyncConnection, subscription: Subscription) -> None:
    """Raise `Conflict` where somebody else pays by now for what a customer subscribes to. It stays so until the end of
    the transaction.
    """
    await lock_family(connection, subscription.customer)
    customer = await find_customer(connection, subscription.customer)
    if customer.payer != subscription.payer:
        raise Conflict(f"who pays for {customer.key} has changed meanwhile: ask again")


async def _parent(connection: AsyncConnection, name: str) -> CustomerRow:
    try:
        return await find_customer(connection, name)
    except NotFound as missing:
        raise Invalid.at("parent", str(missing)) from None
