"""Top-ups that the customer has to confirm: told at once, granted once it has."""

from typing import Any

import pytest
from fastapi import FastAPI

from db.collections import find_collection
from db.session import Database
from db.tenants import Environment
from providers.payments.sandbox.remote import SandboxRemote
from tests.api.test_lives import Shop, shop

__all__ = ["shop"]

TOP_UP = {"key": "t1", "amount": "50.00", "currency": "USD"}


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("path", ["customers/acme/top-ups", "subscriptions/s1/top-up"])
async def test_who_asks_for_a_top_up_learns_at_once_that_it_is_to_be_confirmed(
    shop: Shop,
    app: FastAPI,
    sandbox: SandboxRemote,
    database: Database,
    environment: Environment,
    path: str,
) -> None:
    async def asked() -> tuple[int, dict[str, Any]]:
        named = {"Idempotency-Key": "a top-up"}
        response = await shop.client.post(f"/v1/{path}", json=TOP_UP, headers=named)
        return response.status_code, response.json()

    await shop.subscribe()
    customer = await shop.get("customers/acme")
    await sandbox.script(customer["id"], ["requires_action"])
    status, told = await asked()
    assert (status, told["status"], told["grant"]) == (202, "open", None)
    (payment,) = await shop.listed(f"payments?invoice={told['invoice']['number']}")
    assert told["payment"] == payment
    assert payment["status"] == "requires_action"
    assert await asked() == (status, told)

    await sandbox.authenticate(payment["provider_id"])
    async with database.transaction(environment.id) as connection:
        collection = await find_collection(connection, told["invoice"]["id"])
    await app.state.connections.lives.changed(collection)
    await app.state.connections.lives.advance(f"collect:{collection.invoice}")
    status, told = await asked()
    assert (status, told["status"]) == (201, "paid")
    assert (await shop.get("customers/acme/balance"))["prepaid"] == "50.00"
