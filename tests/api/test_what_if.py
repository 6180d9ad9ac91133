"""A customer's history re-rated: under its own plan it is what was billed, under another one what that would have billed."""

from typing import Any

from sqlalchemy import text

from db.session import Database
from db.tenants import Environment
from tests.api.test_lives import FEBRUARY, Shop, plan

# The fixture `shop` is that of lives.
from tests.api.test_lives import shop as shop

MARCH = "2026-03-01T00:00:00Z"
METER = {"key": "tokens", "event_name": "tokens", "aggregation": "sum", "value": "n"}
TABLES = ("invoices", "invoice_lines", "timeline", "subscriptions", "requests", "ledger_postings",
          "billed_usage", "credit_grants", "credit_notes", "decisions", "outbox", "plan_versions")  # fmt: skip


def metered(key: str, base: str, per_token: str, **more: Any) -> dict[str, Any]:
    tokens = {
        "key": "tokens",
        "kind": "usage",
        "meter": "tokens",
        "price": {"model": "per_unit", "unit_amount": per_token, "included": "10"},
    }
    made: dict[str, Any] = dict(plan(key, base, **more))
    return {**made, "items": [*made["items"], tokens]}


async def used(shop: Shop, id: str, n: int, time: str) -> None:
    event = {"id": id, "event_name": "tokens", "customer": "acme", "time": time}
    await shop.post("events", {**event, "properties": {"n": n}})


async def lived(shop: Shop) -> None:
    """Two months with usage, some of it late, another quantity and a pause; taxes, a coupon and a promotional grant."""
    await shop.post("meters", METER)
    await shop.post("tax-rates", {"key": "vat", "percent": "19", "inclusive": False})
    await shop.client.patch("/v1/customers/acme", json={"tax_rates": ["vat"]})
    await shop.post("coupons", {"key": "c", "percent_off": "15", "duration": {"periods": 2}})
    grant = {"customer": "acme", "amount": "9.99", "currency": "USD", "kind": "promotional"}
    await shop.post("credit-grants", grant)
    await shop.post("plans", metered("usual", "20.00", "0.333"))
    await shop.post("plans", metered("other", "5.00", "0.777"))
    await shop.subscribe(plan="usual", quantities={"seats": "2"}, coupons=["c"])
    await used(shop, "e1", 111, "2026-01-05T00:00:00Z")
    await shop.advance("2026-01-11T00:00:00Z")
    await shop.post("subscriptions/s1/set-quantity", {"item": "seats", "quantity": "5"})
    await shop.advance("2026-01-20T00:00:00Z")
    await shop.post("subscriptions/s1/pause", {})
    await shop.advance("2026-01-23T00:00:00Z")
    await shop.post("subscriptions/s1/resume", {})
    await shop.advance(FEBRUARY)
    await used(shop, "e2", 17, "2026-01-06T00:00:00Z")
    await used(shop, "e3", 50, "2026-02-02T00:00:00Z")
    await shop.advance(MARCH)
    await used(shop, "e4", 23, "2026-03-01T00:00:00Z")


async def test_under_the_same_plan_it_is_what_was_billed(shop: Shop) -> None:
    await lived(shop)
    told = await shop.post("simulations", {"customer": "acme", "plan": "usual"})
    assert told["left_out"] == []
    assert [each["status"] for each in told["periods"]] == ["closed", "closed", "running"]
    for period in told["periods"]:
        assert period["simulated"] == period["actual"]
        assert set(period["difference"].values()) == {"0.00"}
    invoices = await shop.listed("invoices?subscription=s1")
    issued = sum(round(100 * float(invoice["total"])) for invoice in invoices)
    upcoming = await shop.get("subscriptions/s1/upcoming-invoice")
    arrears = [line for line in upcoming["lines"] if line["item"] == "tokens"]
    assert [line["quantity"] for line in arrears] == ["23"]
    assert round(100 * float(told["actual"]["total"])) > issued


async def test_another_plan_is_told_side_by_side_and_nothing_is_written(
    shop: Shop, database: Database, environment: Environment
) -> None:
    await lived(shop)
    before = await rows(database, environment.id)
    told = await shop.post("simulations", {"customer": "acme", "plan": "other", "to": FEBRUARY})
    assert await rows(database, environment.id) == before
    (january,) = told["periods"]
    # 5.00 and two seats; 128 tokens, 10 of them included, late ones told apart; three more seats for 21 of 31 days.
    items = [(line["item"], line["kind"], line["amount"]) for line in january["simulated"]["lines"]]
    assert items == [
        ("base", "recurring", "5.00"),
        ("seats", "recurring", "20.00"),
        ("tokens", "usage", "78.48"),
        ("seats", "proration", "20.32"),
        ("tokens", "late_usage", "13.21"),
    ]
    assert january["simulated"]["subtotal"] == "137.01"
    assert (told["plan"], told["plan_version"], told["currency"]) == ("other", 1, "USD")
    assert told["simulated"] == {n: a for n, a in january["simulated"].items() if n != "lines"}


async def test_overrides_and_quantities_are_the_question_too(shop: Shop) -> None:
    await shop.subscribe()
    asked = {"customer": "acme", "plan": "scale", "quantities": {"seats": "3"}}
    dearer = {"items": {"base": {"price": {"amount": "99.00"}}}}
    told = await shop.post("simulations", {**asked, "overrides": dearer})
    assert told["plan_version"] is None
    assert (told["actual"]["total"], told["simulated"]["total"]) == ("20.00", "129.00")
    assert told["difference"]["total"] == "109.00"


async def test_what_cannot_be_compared_is_refused(shop: Shop) -> None:
    async def refused(status: int, **asked: object) -> Any:
        body = {"customer": "acme", "plan": "scale", **asked}
        return await shop.post("simulations", body, status=status)

    assert (await refused(404))["detail"] == "acme has no subscription"
    assert (await refused(404, customer="nobody"))["detail"] == "there is no customer nobody"
    await shop.subscribe()
    assert (await refused(404, plan="nothing"))["detail"] == "there is no plan nothing"
    await shop.post("plans", plan("euro", "1", currency="EUR"))
    assert (await refused(409, plan="euro"))["detail"] == "euro is in EUR, s1 in USD"
    told = await refused(422, quantities={"desks": "1"})
    assert told["errors"][0]["path"] == "quantities.desks"
    told = await refused(422, overrides={"items": {"desks": {"included": "1"}}})
    assert told["errors"][0]["path"].startswith("overrides.items.desks")
    told = await refused(422, **{"from": MARCH, "to": FEBRUARY})
    assert told["errors"] == [{"path": "to", "message": "must be after from"}]
    await shop.subscribe(key="s2")
    told = await refused(422)
    assert told["errors"][0]["path"] == "subscription"
    assert (
        await shop.post("simulations", {"customer": "acme", "plan": "pro", "subscription": "s2"})
    )["subscription"] == "s2"


async def rows(database: Database, environment: str) -> dict[str, int]:
    """How many each table has."""
    async with database.transaction(environment) as connection:
        return {
            table: (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()
            for table in TABLES
        }
