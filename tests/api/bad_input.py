"""What tests of bad input start from: a shop that is left as it was found, and bodies written as text, as a caller's JSON
library might write them.
"""

from collections.abc import AsyncIterator, Mapping, Sequence

import httpx
import pytest
from sqlalchemy import text

from db.session import Database
from db.tenants import Environment

JSON = {"Content-Type": "application/json"}

Case = tuple[str, str]
"""What is sent, and the path of what is wrong in it."""


@pytest.fixture
async def shop(
    client: httpx.AsyncClient, database: Database, environment: Environment
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an environment with a customer and two meters; a test leaves it as it found it."""
    meters: Sequence[Mapping[str, object]] = (
        {"key": "tokens", "event_name": "llm", "aggregation": "sum", "value": "tokens"},
        {
            "key": "grouped",
            "event_name": "llm",
            "aggregation": "count",
            "group_by": ["model"],
        },
    )
    assert (await client.post("/v1/customers", json={"key": "acme"})).status_code == 201
    for meter in meters:
        assert (await client.post("/v1/meters", json=meter)).status_code == 201
    before = await rows(database, environment)
    yield client
    assert await rows(database, environment) == before


async def rows(database: Database, environment: Environment) -> Mapping[str, int]:
    """How many rows each table has of an environment."""
    async with database.transaction(environment.id) as connection:
        named = await connection.execute(
            text(
                "SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p')"
                " AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace"
                " AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid"
                " AND a.attname = 'environment_id')"
            )
        )
        counted = {}
        for name in sorted(named.scalars()):
            found = await connection.execute(text(f"SELECT count(*) FROM {name}"))
            counted[name] = int(found.scalar_one())
        return counted


async def send(client: httpx.AsyncClient, door: str, body: str | bytes) -> httpx.Response:
    return await client.post(f"/v1/{door}", content=body, headers=JSON)


async def untold(client: httpx.AsyncClient, door: str, cases: Sequence[Case]) -> list[object]:
    """The cases whose refusal is not the one it should be: 422, and the path of one fault with its reason."""
    wrong: list[object] = []
    for body, path in cases:
        response = await send(client, door, body)
        errors = response.json().get("errors", [])
        told = [error["path"] for error in errors if error["message"]]
        if (response.status_code, told) != (422, [path]):
            wrong.append((body[:200], path, response.status_code, errors[:3]))
    return wrong


def a_plan(price: str, **members: str) -> str:
    """A plan with one usage item of this price."""
    item = {
        "key": '"i"',
        "kind": '"usage"',
        "meter": '"tokens"',
        "charged": '"in_arrears"',
        "price": price,
        **members,
    }
    items = ", ".join(f'"{name}": {value}' for name, value in item.items() if value)
    return f'{{"key": "p", "currency": "USD", "interval": {{"unit": "month"}}, "items": [{{{items}}}]}}'


def a_meter(**members: str) -> str:
    meter = {
        "key": '"m"',
        "event_name": '"llm"',
        "aggregation": '"sum"',
        "value": '"tokens"',
        **members,
    }
    return "{" + ", ".join(f'"{name}": {value}' for name, value in meter.items() if value) + "}"


def an_event(tokens: str, **members: str) -> str:
    event = {
        "id": '"e1"',
        "event_name": '"llm"',
        "customer": '"acme"',
        "properties": f'{{"tokens": {tokens}}}',
        **members,
    }
    return "{" + ", ".join(f'"{name}": {value}' for name, value in event.items() if value) + "}"
