"""Reserving for a hold, of credit or of a limit: at once, nearly always. What is refused is looked at again once what it is on
is up to date.
"""

from datetime import UTC, datetime
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Caller
from api.connections import Connections
from api.credits import currency_for
from db.allowances import Asked, Found, find_allowances
from db.claims import Claimed, expire_claims
from db.customers import find_customer
from db.entitling import refresh
from db.locks import lock_customer
from db.reserving import Held, Purse, purse_of, reserve_credit, reserve_found, reserve_limit
from db.running import overdraft_of, rate_running
from db.running_facts import Payer
from db.wallets import open_wallet, repost
from domain.allowances import at_present
from domain.errors import Conflict, NotFound
from domain.holds import HoldOrder, require_covered, require_within
from domain.money import Money
from domain.wallets import Wallet

MOST_TRIES = 5
NOTHING = Fraction(0)


async def reserve(opened: Connections, caller: Caller, own_id: str, order: HoldOrder) -> Held:
    """Raises `Insufficient` for more than there is, `Conflict` where nothing can be held, and `NotFound`."""
    if order.feature is None:
        return await _reserve_credit(opened, caller, own_id, order)
    return await _reserve_limit(opened, caller, own_id, order, order.feature)


async def usual_currency_of(opened: Connections, caller: Caller, order: HoldOrder) -> str:
    async with opened.database.transaction(caller.environment) as connection:
        payer = await find_customer(connection, order.customer)
        if payer.payer is not None:
            payer = await find_customer(connection, payer.payer)
        return await currency_for(connection, payer, None)


async def available_to(connection: AsyncConnection, order: HoldOrder) -> Fraction:
    """What can be held now of what an order is on."""
    if order.feature is None:
        assert order.currency is not None
        wallet = (await purse_of(connection, order.customer, order.currency)).wallet
        return NOTHING if wallet is None else wallet.available
    found = await _find(connection, order.customer, order.feature)
    return at_present(found.allowance, found.reserved).remaining or NOTHING


async def _reserve_credit(
    opened: Connections, caller: Caller, own_id: str, order: HoldOrder
) -> Held:
    assert order.amount is not None
    assert order.currency is not None
    for _ in range(MOST_TRIES):
        async with opened.database.transaction(caller.environment) as connection:
            held = await reserve_credit(
                connection, caller.environment, own_id, order, order.currency
            )
            if held is not None:
                return held
            purse = await purse_of(connection, order.customer, order.currency)
            if purse.wallet is not None and not purse.is_behind:
                require_covered(purse.wallet, order.amount)  # or another has given back meanwhile
        if purse.wallet is None:
            await _open_wallet(opened, caller, purse, order.currency, order.amount)
        elif purse.is_behind:
            await _bring_up_to_date(opened, caller, purse, order.currency)
    raise Conflict("others hold and release too quickly: try again")


async def _bring_up_to_date(
    opened: Connections, caller: Caller, purse: Purse, currency: str
) -> None:
    """Give back what has expired, and post what has begun and ended by time alone."""
    async with opened.database.transaction(caller.environment) as connection:
        await lock_customer(connection, purse.payer)
        claimed = Claimed("currency", purse.payer, currency)
        await expire_claims(connection, caller.environment, claimed)
        await repost(connection, caller.environment, purse.payer, currency)


async def _open_wallet(
    opened: Connections, caller: Caller, purse: Purse, currency: str, amount: Fraction
) -> None:
    """Who was never given credit has something to hold only where a plan lets it go below zero."""
    payer, nothing = Payer(purse.payer, currency), Money(0, currency)
    async with opened.database.transaction(caller.environment) as connection:
        overdraft = await overdraft_of(connection, payer)
        require_covered(Wallet(currency, nothing, nothing, nothing.exact, overdraft), amount)
        await open_wallet(connection, caller.environment, payer.customer, currency)
    await rate_running(opened.database, caller.environment, payer)


async def _reserve_limit(
    opened: Connections, caller: Caller, own_id: str, order: HoldOrder, feature: str
) -> Held:
    assert order.quantity is not None
    since: str | None = None
    for _ in range(MOST_TRIES):
        async with opened.database.transaction(caller.environment) as connection:
            found = await reserve_limit(connection, caller.environment, own_id, order, since)
            if isinstance(found, Held):
                return found
            since = since or found.looked
            if found.is_fresh:
                held = await reserve_found(connection, caller.environment, own_id, order, found)
                if held is not None:
                    return held
            on = Claimed("feature", found.id, feature)
            await expire_claims(connection, caller.environment, on)
        if not found.is_fresh:
            found = await _computed(opened, caller, Asked(found.id, feature))
        if found.is_fresh:
            assert found.type is not None
            require_within(feature, found.type, found.allowance, found.reserved, order.quantity)
    raise Conflict("what may be used changes too quickly: try again")


async def _find(connection: AsyncConnection, customer: str, feature: str) -> Found:
    (found,) = await find_allowances(connection, [(customer, feature)], datetime.now(UTC))
    if found is None:
        raise NotFound(f"there is no customer {customer}")
    return found


async def _computed(opened: Connections, caller: Caller, asked: Asked) -> Found:
    anew = await refresh(opened.database, caller.environment, [asked])
    if asked not in anew:
        raise NotFound(f"there is no feature {asked.feature}")
    return anew[asked]
