"""Customers: who is billed, and what a bill of theirs depends on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.session import write_json
from domain.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """`tax_rates` are keys; `provider_customer` and `payment_method` are ids of the payment provider."""

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


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """What a new customer is made of, and what a change puts in the place of what was there."""

    name: str | None = None
    email: str | None = None
    timezone: str = "UTC"
    tax_rates: tuple[str, ...] = ()
    test_clock: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


_COLUMNS = (
    "id, key, name, email, timezone, tax_rates, test_clock_id, provider_customer, payment_method,"
    " metadata, created_at"
)
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
_FIND = f"SELECT {_COLUMNS} FROM customers WHERE key = :name OR id = :name ORDER BY key <> :name LIMIT 1"
_LIST = text(f"SELECT {_COLUMNS} FROM customers WHERE id > :after ORDER BY id LIMIT :limit")


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
    return await find_customer(connection, customer_id)


async def find_customer(
    connection: AsyncConnection, name: str, for_update: bool = False
) -> CustomerRow:
    """By key or id; a key goes before an id. Locked until the transaction ends with `for_update`. Raises `NotFound`."""
    statement = text(f"{_FIND} FOR UPDATE" if for_update else _FIND)
    row = (await connection.execute(statement, {"name": name})).one_or_none()
    if row is None:
        raise NotFound(f"there is no customer {name}")
    return _read(row)


async def find_customers(
    connection: AsyncConnection, limit: int, after: str = ""
) -> Sequence[CustomerRow]:
    """Those with an id greater than `after`, oldest first."""
    rows = await connection.execute(_LIST, {"after": after, "limit": limit})
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
    return CustomerRow(**{**found, "tax_rates": tuple(found["tax_rates"])})
