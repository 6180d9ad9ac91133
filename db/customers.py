"""Customers: who is billed, and what a bill of theirs depends on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.allowances import mark_stale
from db.session import write_json
from domain.customers import Billing
from domain.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """`tax_rates` are keys; `provider_customer` and `payment_method` are ids of the payment provider; `parent` is the
    id of the customer it belongs to, `parent_key` the key.
    """

    id: str
    key: str
    name: str | None
    email: str | None
    timezone: str
    tax_rates: tuple[str, ...]
    test_clock: str | None
    provider_customer: str | None
    payment_method: str | None
    metadata: Mapping[str, str]
    created_at: datetime
    parent: str | None
    parent_key: str | None
    billing: Billing

    @property
    def payer(self) -> str | None:
        """As `domain.customers.Customer.payer`."""
        return self.parent if self.billing == "parent" else None


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """What a new customer is made of, and what a change puts in the place of what was there."""

    name: str | None = None
    email: str | None = None
    timezone: str = "UTC"
    tax_rates: tuple[str, ...] = ()
    test_clock: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


_SELECT = """
    SELECT c.id, c.key, c.name, c.email, c.timezone, c.tax_rates, c.test_clock_id, c.provider_customer,
        c.payment_method, c.metadata, c.created_at, m.parent_id, p.key AS parent_key,
        coalesce(m.billing, 'self') AS billing
    FROM customers c
    LEFT JOIN memberships m ON m.environment_id = c.environment_id AND m.child_id = c.id
        AND m.until IS NULL
    LEFT JOIN customers p ON p.environment_id = c.environment_id AND p.id = m.parent_id
"""
_ADD = text("""
    INSERT INTO customers
        (id, environment_id, key, name, email, timezone, tax_rates, test_clock_id, metadata)
    VALUES (:id, :environment, :key, :name, :email, :timezone, :tax_rates, :test_clock,
        CAST(:metadata AS jsonb))
    ON CONFLICT DO NOTHING
""")
_CHANGE = text("""
    UPDATE customers SET name = :name, email = :email, timezone = :timezone,
        tax_rates = :tax_rates, metadata = CAST(:metadata AS jsonb)
    WHERE id = :id
""")
_FIND = text(f"""{_SELECT}
    WHERE c.key = :name OR c.id = :name ORDER BY c.key <> :name LIMIT 1
""")
_OF = text(f"{_SELECT} WHERE c.id = ANY(:ids)")
_LIST = text(f"""{_SELECT}
    WHERE c.id > :after AND (CAST(:parent AS text) IS NULL OR m.parent_id = :parent)
    ORDER BY c.id LIMIT :limit
""")


async def add_customer(
    connection: AsyncConnection, environment: str, customer_id: str, key: str, facts: CustomerFacts
) -> CustomerRow:
    """Add a customer; a repeat under the same id changes nothing. Raises `Conflict` for a taken key."""
    row = {"id": customer_id, "environment": environment, "key": key, **_columns(facts)}
    await connection.execute(_ADD, row)
    kept = await find_customer(connection, key)
    if kept.id != customer_id:
        raise Conflict(f"there is a customer {key} already")
    return kept


async def change_customer(
    connection: AsyncConnection, customer_id: str, facts: CustomerFacts
) -> CustomerRow:
    """Put `facts` in place of what was there; the test clock stays."""
    await connection.execute(_CHANGE, {"id": customer_id, **_columns(facts)})
    await mark_stale(connection, customer_id)  # months of overrides are those of its timezone
    return await find_customer(connection, customer_id)


async def customers_of(
    connection: AsyncConnection, ids: Collection[str]
) -> Mapping[str, CustomerRow]:
    """Those of these ids."""
    rows = await connection.execute(_OF, {"ids": sorted(ids)})
    return {row.id: _read(row) for row in rows}


async def find_customer(connection: AsyncConnection, name: str) -> CustomerRow:
    """By key or id; a key goes before an id. Raises `NotFound`."""
    row = (await connection.execute(_FIND, {"name": name})).one_or_none()
    if row is None:
        raise NotFound(f"there is no customer {name}")
    return _read(row)


async def find_customers(
    connection: AsyncConnection, limit: int, after: str = "", parent: str | None = None
) -> Sequence[CustomerRow]:
    """Those with an id greater than `after`, oldest first; `parent` is an id."""
    rows = await connection.execute(_LIST, {"after": after, "limit": limit, "parent": parent})
    return [_read(row) for row in rows]


def _columns(facts: CustomerFacts) -> dict[str, object]:
    return {
        "name": facts.name,
        "email": facts.email,
        "timezone": facts.timezone,
        "tax_rates": list(facts.tax_rates),
        "test_clock": facts.test_clock,
        "metadata": write_json(facts.metadata),
    }


def _read(row: Row[tuple[object, ...]]) -> CustomerRow:
    found = row._asdict()
    found["test_clock"] = found.pop("test_clock_id")
    found["parent"] = found.pop("parent_id")
    return CustomerRow(**{**found, "tax_rates": tuple(found["tax_rates"])})
