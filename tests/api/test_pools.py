"""A subscription that pools the usage of a family, over HTTP: what counts, when, and how it is shown and explained."""

from typing import Any

import httpx
import pytest

from providers.payments.sandbox.remote import SandboxRemote
from tests.api.asking import Asking

JANUARY, FEBRUARY = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
POOL = {
    "key": "pool",
    "currency": "USD",
    "interval": {"unit": "month"},
    "items": [
        {
            "key": "tokens",
            "kind": "usage",
            "meter": "tokens",
            "included": "10",
            "price": {"model": "per_unit", "unit_amount": "1"},
        }
    ],
}


class Family:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self.asking = Asking(client)
        self.clock = ""

    async def begin(self) -> None:
        ask = self.asking
        self.clock = (await ask.post("test-clocks", {"name": "c", "now": JANUARY}))["id"]
        meter = {"key": "tokens", "event_name": "llm", "aggregation": "sum", "value": "n"}
        await ask.post("meters", meter)
        await ask.post("plans", POOL)
        for key in ("group", "north"):
            await ask.post("customers", {"key": key, "test_clock": self.clock})
        await ask.post("customers/group/payment-methods", {"payment_method": "pm_card_visa"})
        wanted = {"key": "s1", "customer": "group", "plan": "pool", "pools_usage": True}
        assert (await ask.post("subscriptions", wanted))["pools_usage"] is True

    async def at(self, to: str) -> None:
        await self.asking.post(f"test-clocks/{self.clock}/advance", {"to": to})

    async def use(self, customer: str, time: str, tokens: int) -> None:
        event = {
            "id": f"{customer} {time}",
            "event_name": "llm",
            "customer": customer,
            "time": time,
            "properties": {"n": tokens},
        }
        assert await self.asking.send([event]) == []

    async def used(self) -> str:
        """Of the pool, in the period that is open."""
        told = await self.asking.get("customers/group/usage", meter="tokens", subscription="s1")
        return str(told["data"][0]["quantity"])

    async def invoices(self) -> list[Any]:
        found: list[Any] = (await self.asking.get("invoices", subscription="s1"))["data"]
        return found


@pytest.fixture
async def family(client: httpx.AsyncClient, sandbox: SandboxRemote, worker: None) -> Family:
    family = Family(client)
    await family.begin()
    return family


async def lived_through_january(family: Family) -> None:
    """North belongs to the group from the 10th to the 20th."""
    await family.use("group", "2026-01-05T00:00:00Z", 1)
    await family.use("north", "2026-01-05T12:00:00Z", 20)
    await family.at("2026-01-10T00:30:00Z")
    await family.asking.patch("customers/north", {"parent": "group"})
    await family.use("north", "2026-01-10T00:29:59Z", 300)
    await family.use("north", "2026-01-10T00:30:00Z", 4000)
    await family.at("2026-01-20T00:00:00Z")
    await family.asking.patch("customers/north", {"parent": None})
    await family.use("north", "2026-01-19T00:00:00Z", 50000)
    await family.use("north", "2026-01-20T00:00:00Z", 600000)


async def test_an_event_of_a_child_counts_from_when_it_belonged_to_when_it_did_not(
    family: Family,
) -> None:
    await lived_through_january(family)
    assert await family.used() == "54001"
    await family.at(FEBRUARY)
    ((line,),) = [invoice["lines"] for invoice in await family.invoices()]
    assert (line["quantity"], line["amount"]) == ("54001", "53991.00")


async def test_what_is_late_counts_by_when_it_was(family: Family) -> None:
    await lived_through_january(family)
    await family.at("2026-02-10T00:00:00Z")
    await family.asking.patch("customers/north", {"parent": "group"})
    await family.use("north", "2026-01-10T00:45:00Z", 7)
    await family.use("north", "2026-01-10T00:15:00Z", 80)
    await family.use("north", "2026-02-10T00:00:00Z", 12)
    await family.at("2026-03-01T00:00:00Z")
    lines = (await family.invoices())[-1]["lines"]
    assert [(line["kind"], line["quantity"], line["amount"]) for line in lines] == [
        ("usage", "12", "2.00"),
        ("late_usage", "7", "7.00"),
    ]


async def test_a_pooled_line_is_explained_by_the_events_of_all_and_verified(
    family: Family,
) -> None:
    await lived_through_january(family)
    await family.at(FEBRUARY)
    (invoice,) = await family.invoices()
    number = invoice["number"]
    await family.asking.patch("customers/north", {"parent": "group"})
    explained = await family.asking.get(f"invoices/{number}/lines/1/explain")
    assert (explained["usage"]["quantity"], explained["usage"]["number_of_events"]) == ("54001", 3)
    listed = (await family.asking.get(f"invoices/{number}/lines/1/events"))["data"]
    assert [(each["customer"], each["time"]) for each in listed] == [
        ("group", "2026-01-05T00:00:00Z"),
        ("north", "2026-01-10T00:30:00Z"),
        ("north", "2026-01-19T00:00:00Z"),
    ]
    verdict = await family.asking.get(f"invoices/{number}/verify")
    assert verdict["verdict"] == "agrees"


async def test_a_page_of_events_goes_on_where_the_last_one_ended(family: Family) -> None:
    await lived_through_january(family)
    await family.at(FEBRUARY)
    (invoice,) = await family.invoices()
    path = f"invoices/{invoice['number']}/lines/1/events"
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = await family.asking.get(path, limit="1", **after)
        seen += [each["customer"] for each in page["data"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == ["group", "north", "north"]
