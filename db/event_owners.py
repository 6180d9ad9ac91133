"""Whose a usage event is: its customer, and the subscription it names."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.errors import Invalid
from domain.metering.incoming import IncomingEvent


@dataclass(frozen=True, slots=True)
class Customer:
    """`clock` is where the customer's test clock stands; None where time is the world's."""

    id: str
    key: str
    clock: datetime | None


@dataclass(frozen=True, slots=True)
class Owner:
    customer: Customer
    subscription: str | None


@dataclass(frozen=True, slots=True)
class Owners:
    """Customers, and subscriptions as `(id, customer's id)`, both by id and by key."""

    customers: Mapping[str, Customer]
    subscriptions: Mapping[str, tuple[str, str]]

    def of(self, event: IncomingEvent) -> Owner:
        """Raises `Invalid` where the customer is unknown or the subscription is not the customer's."""
        customer = self.customers.get(event.customer)
        if customer is None:
            raise Invalid.at("customer", f"there is no customer {event.customer}")
        if event.subscription is None:
            return Owner(customer, None)
        subscription, owner = self.subscriptions.get(event.subscription, (None, None))
        if owner != customer.id:
            raise Invalid.at(
                "subscription", f"{event.customer} has no subscription {event.subscription}"
            )
        return Owner(customer, subscription)


_CUSTOMERS = text("""
    SELECT c.id, c.key, k.now FROM customers c
    LEFT JOIN test_clocks k ON k.environment_id = c.environment_id AND k.id = c.test_clock_id
    WHERE c.key = ANY(:names) OR c.id = ANY(:names)
""")
_SUBSCRIPTIONS = text("""
    SELECT id, key, customer_id FROM subscriptions WHERE key = ANY(:names) OR id = ANY(:names)
""")


async def owners_of(connection: AsyncConnection, events: Sequence[IncomingEvent]) -> Owners:
    """The customers and subscriptions that the events name, as far as they exist. A key goes before an id."""
    customers = await _customers(connection, {event.customer for event in events})
    named = {event.subscription for event in events if event.subscription is not None}
    return Owners(customers, await _subscriptions(connection, named) if named else {})


async def _customers(connection: AsyncConnection, names: Collection[str]) -> Mapping[str, Customer]:
    found = [
        Customer(*row) for row in await connection.execute(_CUSTOMERS, {"names": sorted(names)})
    ]
    return {c.id: c for c in found} | {c.key: c for c in found}


async def _subscriptions(
    connection: AsyncConnection, names: Collection[str]
) -> Mapping[str, tuple[str, str]]:
    rows = (await connection.execute(_SUBSCRIPTIONS, {"names": sorted(names)})).all()
    return {row.id: (row.id, row.customer_id) for row in rows} | {
        row.key: (row.id, row.customer_id) for row in rows
    }
