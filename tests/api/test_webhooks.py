"""What the payment provider tells us: verified, kept once, thanked for."""

import hashlib
import hmac
import json
import time
from collections.abc import Mapping

import httpx
import pytest
from fastapi import FastAPI

from api.connections import Connections
from db.ids import new_id
from db.provider_events import waiting_events
from db.session import Database
from db.tenants import Environment
from tests.api.conftest import WEBHOOK_SECRET, Desk

WEBHOOKS = "/v1/webhooks/stripe"


def event_of(environment: str | None) -> Mapping[str, object]:
    metadata = {"environment": environment} if environment else {}
    intent = {"id": "pi_1", "object": "payment_intent", "metadata": metadata}
    return {"id": new_id("evt"), "type": "payment_intent.succeeded", "data": {"object": intent}}


def signed(payload: bytes, at: float | None = None, secret: str = WEBHOOK_SECRET) -> dict[str, str]:
    stamp = int(time.time() if at is None else at)
    signature = hmac.new(secret.encode(), f"{stamp}.".encode() + payload, hashlib.sha256)
    return {"Stripe-Signature": f"t={stamp},v1={signature.hexdigest()}"}


async def send(
    desk: Desk, event: object, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    payload = json.dumps(event).encode()
    async with desk.client(None) as provider:
        return await provider.post(
            WEBHOOKS,
            content=payload,
            headers={"Content-Type": "application/json", **(headers or signed(payload))},
        )


async def kept(database: Database, environment: Environment) -> list[str]:
    async with database.transaction(environment.id) as connection:
        return [event.id for event in await waiting_events(connection, 100)]


async def test_an_event_is_kept_once(desk: Desk, environment: Environment) -> None:
    event = event_of(environment.id)
    first, again = await send(desk, event), await send(desk, event)
    assert first.json() == {"received": True, "duplicate": False}
    assert again.json() == {"received": True, "duplicate": True}
    assert await kept(desk.database, environment) == [event["id"]]


@pytest.mark.parametrize("wrong", ["missing", "forged", "old"])
async def test_what_is_not_signed_or_too_old_is_not_kept(
    desk: Desk, environment: Environment, wrong: str
) -> None:
    event = event_of(environment.id)
    payload = json.dumps(event).encode()
    headers = {
        "missing": {"Stripe-Signature": ""},
        "forged": signed(payload, secret="whsec_of_somebody_else"),
        "old": signed(payload, at=time.time() - 301),
    }[wrong]
    response = await send(desk, event, headers)
    assert response.status_code == 400
    assert response.json()["type"] == "urn:weir:problem:bad_signature"
    assert await kept(desk.database, environment) == []


async def test_what_is_not_ours_is_thanked_for_and_not_kept(
    desk: Desk, environment: Environment
) -> None:
    for unknown in (None, "env_of_nobody"):
        assert (await send(desk, event_of(unknown))).json()["received"]
    assert await kept(desk.database, environment) == []


async def test_without_a_secret_nothing_is_believed(
    app: FastAPI, desk: Desk, environment: Environment
) -> None:
    opened: Connections = app.state.connections
    app.state.connections = Connections(opened.database, opened.temporal, None)
    assert (await send(desk, event_of(environment.id))).status_code == 503
