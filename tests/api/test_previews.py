"""A preview of each command tells what then follows, and writes nothing."""

from collections.abc import Mapping
from typing import Any

import pytest

from db.session import Database
from db.tenants import Environment
from tests.api.test_lives import FEBRUARY, Shop, plan
from tests.api.test_lives import shop as shop
from tests.api.test_what_if import rows

OF_ITS_ISSUE = ("id", "number", "status", "amount_paid")
COMMANDS: list[tuple[str, Mapping[str, Any]]] = [
    ("change-plan", {"plan": "scale"}),
    ("change-plan", {"plan": "scale", "effective": "period_end"}),
    ("set-quantity", {"item": "seats", "quantity": "3"}),
    ("add-ons", {"key": "setup", "amount": "7"}),
    ("reset-anchor", {}),
    ("pause", {}),
    ("transfer", {"customer": "globex", "key": "s2"}),
    ("cancel", {"effective": "immediately"}),
]


def issued(told: Mapping[str, Any]) -> Any:
    """The documents that an answer tells of, as they are issued."""
    return {
        kind: [_issued(each) for each in documents] for kind, documents in told["issued"].items()
    }


def _issued(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: member for name, member in document.items() if name not in OF_ITS_ISSUE}


async def lived(shop: Shop, **more: object) -> None:
    await shop.post("customers", {"key": "globex", "test_clock": shop.clock})
    await shop.subscribe(quantities={"seats": "1"}, **more)
    await shop.advance("2026-01-11T00:00:00Z")


@pytest.mark.parametrize(
    ("path", "asked"), COMMANDS, ids=[f"{path} {n}" for n, (path, _) in enumerate(COMMANDS)]
)
async def test_a_command_does_what_its_preview_tells(
    shop: Shop, database: Database, environment: Environment, path: str, asked: Mapping[str, Any]
) -> None:
    await lived(shop)
    before = await rows(database, environment.id)
    preview = await shop.post(f"subscriptions/s1/{path}", {**asked, "preview": True})
    assert (await rows(database, environment.id), preview["preview"]) == (before, True)
    done = await shop.post(f"subscriptions/s1/{path}", asked)
    assert (preview["status"], preview["plan"]) == (done["status"], done["plan"])
    if path != "transfer":
        assert issued(preview) == issued(done)
        return
    await shop.advance("2026-01-11T00:00:00Z")  # the life that goes on begins by itself
    (new,) = [_issued(each) for each in await shop.listed("invoices?subscription=s2")]
    assert issued(preview) == {**issued(done), "invoices": [new]}
    assert (new["customer"], new["total"]) == ("globex", "20.32")


async def test_a_start_in_the_past_tells_every_invoice_in_order(
    shop: Shop, database: Database, environment: Environment
) -> None:
    await shop.advance("2026-04-10T00:00:00Z")
    ramp = {"phases": [{"plan": "pro", "periods": 2}, {"plan": "scale"}], "starts_at": FEBRUARY}
    wanted = {"key": "s1", "customer": "acme", **ramp}
    before = await rows(database, environment.id)
    preview = await shop.post("subscriptions", {**wanted, "preview": True})
    assert await rows(database, environment.id) == before
    assert [invoice["total"] for invoice in preview["issued"]["invoices"]] == [
        "20.00",
        "20.00",
        "50.00",
    ]
    await shop.post("subscriptions", wanted)
    await shop.advance("2026-04-10T00:00:00Z")
    told = [_issued(invoice) for invoice in await shop.listed("invoices?subscription=s1")]
    assert issued(preview)["invoices"] == told
    shown = await shop.get("subscriptions/s1")
    assert (preview["plan"], preview["current_period"]) == (shown["plan"], shown["current_period"])


async def test_what_is_over_in_its_grace_is_closed_first(shop: Shop) -> None:
    await shop.post("plans", plan("late", "20.00", invoice_grace={"unit": "day", "count": 3}))
    await lived(shop, plan="late")
    await shop.advance("2026-02-02T00:00:00Z")
    asked = {"plan": "scale"}
    preview = await shop.post("subscriptions/s1/change-plan", {**asked, "preview": True})
    await shop.post("subscriptions/s1/change-plan", asked)
    told = [_issued(invoice) for invoice in await shop.listed("invoices?subscription=s1")]
    assert issued(preview)["invoices"] == told[1:]
    assert len(told) == 3


async def test_the_upcoming_invoice_knows_the_schedule(shop: Shop) -> None:
    await lived(shop)
    later = {"item": "seats", "quantity": "4", "effective": "period_end"}
    await shop.post("subscriptions/s1/set-quantity", later)
    at_end = await shop.get("subscriptions/s1/upcoming-invoice")
    assert (at_end["issued_at"], at_end["total"]) == (FEBRUARY, "60.00")
    sooner = {"plan": "scale", "effective": "2026-01-21T00:00:00Z"}
    await shop.post("subscriptions/s1/change-plan", sooner)
    first = await shop.get("subscriptions/s1/upcoming-invoice")
    assert first["issued_at"] == "2026-01-21T00:00:00Z"
    await shop.advance(FEBRUARY)
    _, *told = [_issued(invoice) for invoice in await shop.listed("invoices?subscription=s1")]
    assert told[0] == _issued(first)


async def test_a_top_up_is_previewed_too(
    shop: Shop, database: Database, environment: Environment
) -> None:
    await shop.subscribe()
    await shop.advance("2026-01-02T00:00:00Z")  # its invoice is paid
    before = await rows(database, environment.id)
    asked = {"key": "t1", "amount": "50.00", "preview": True}
    for path in ("subscriptions/s1/top-up", "customers/acme/top-ups"):
        told = await shop.post(path, asked, status=200)
        assert (told["status"], told["request"], told["grant"]) == ("preview", None, None)
        assert (told["invoice"]["total"], told["invoice"]["number"]) == ("50.00", None)
    assert await rows(database, environment.id) == before
    refused = await shop.post("customers/acme/top-ups", {**asked, "preview": "yes"}, status=422)
    assert refused["errors"] == [{"path": "preview", "message": "must be true or false"}]
