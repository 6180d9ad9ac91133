"""Balances over HTTP: at an instant, and as they were known at an earlier one."""

from typing import Any

import httpx
import pytest

JANUARY = "2026-01-01T00:00:00Z"


async def on_a_clock(client: httpx.AsyncClient) -> str:
    """Acme, on a test clock; its advance."""
    clock = await made(client, "test-clocks", {"name": "a test", "now": JANUARY})
    await made(client, "customers", {"key": "acme", "test_clock": clock["id"]})
    return f"test-clocks/{clock['id']}/advance"


async def made(client: httpx.AsyncClient, path: str, body: object = None) -> Any:
    response = await client.post(f"/v1/{path}", json=body)
    assert response.is_success, response.text
    return response.json()


async def prepaid(client: httpx.AsyncClient, **asked: str) -> str:
    response = await client.get("/v1/customers/acme/balance", params=asked)
    assert response.is_success, response.text
    told: str = response.json()["prepaid"]
    return told


def day(number: int) -> str:
    return f"2026-01-{number:02}T00:00:00Z"


async def test_a_balance_as_it_was_known(client: httpx.AsyncClient) -> None:
    advance = await on_a_clock(client)
    grant = {"customer": "acme", "kind": "prepaid", "currency": "USD", "amount": "30.00"}
    await made(client, "credit-grants", {**grant, "key": "g1"})
    await made(client, advance, {"to": day(10)})
    later = {**grant, "key": "g2", "effective_at": day(20), "amount": "5"}
    await made(client, "credit-grants", later)
    await made(client, advance, {"to": day(12)})
    await made(client, "credit-grants/g1/void")
    assert await prepaid(client) == "0.00"
    assert await prepaid(client, known_at=day(5)) == "30.00"
    assert await prepaid(client, known_at=day(11)) == "30.00"
    assert await prepaid(client, known_at=day(12)) == "0.00"
    assert await prepaid(client, at=day(25)) == "5.00"
    assert await prepaid(client, at=day(25), known_at=day(11)) == "35.00"
    assert await prepaid(client, at=day(25), known_at=day(9)) == "30.00"
    assert await prepaid(client, at=day(5), known_at=day(12)) == "30.00"
    assert await prepaid(client, at=day(5), known_at="2025-12-31T23:59:59Z", currency="USD") == "0.00"  # fmt: skip
    told = (await client.get("/v1/customers/acme/balance", params={"known_at": day(5)})).json()
    assert (told["at"], told["known_at"], told["grants"]) == (day(5), day(5), {"g1": "30.00"})


@pytest.mark.parametrize(("known_at", "why"), [
    ("2026-01-01T00:00:01Z", "must not be in the future: it is 2026-01-01T00:00:00Z, and more may be recorded by then"),
    ("2026-01-01", "must be an RFC 3339 time with an offset, like 2026-01-31T00:00:00Z"),
    ("2026-02-30T00:00:00Z", "is not a time that exists"),
    ("", "must be an RFC 3339 time with an offset, like 2026-01-31T00:00:00Z"),
])  # fmt: skip
async def test_what_nobody_can_have_known(
    client: httpx.AsyncClient, known_at: str, why: str
) -> None:
    await on_a_clock(client)
    asked = {"known_at": known_at, "currency": "USD"}
    refused = await client.get("/v1/customers/acme/balance", params=asked)
    assert refused.status_code == 422
    assert refused.json()["errors"] == [{"path": "known_at", "message": why}]
