"""Usage that is invoiced on account, over HTTP: foreseen, explained, and gone from what runs up."""

from typing import Any

import httpx

PLAN: dict[str, Any] = {
    "key": "pro",
    "currency": "USD",
    "interval": {"unit": "month"},
    "progressive_invoicing": {"threshold": "10.00"},
    "items": [
        {
            "key": "calls",
            "kind": "usage",
            "meter": "calls",
            "price": {"model": "per_unit", "unit_amount": "1"},
        }
    ],
}


async def test_it_is_explained_and_foreseen(client: httpx.AsyncClient, worker: None) -> None:
    async def post(path: str, body: object) -> Any:
        response = await client.post(f"/v1/{path}", json=body)
        assert response.is_success, response.text
        return response.json()

    async def get(path: str) -> Any:
        response = await client.get(f"/v1/{path}")
        assert response.is_success, response.text
        return response.json()

    clock = (await post("test-clocks", {"name": "a test", "now": "2026-01-01T00:00:00Z"}))["id"]
    await post("meters", {"key": "calls", "event_name": "call", "aggregation": "count"})
    assert (await post("plans", PLAN))["progressive_invoicing"] == {"threshold": "10.00"}
    await post("customers", {"key": "acme", "test_clock": clock})
    await post("subscriptions", {"key": "s1", "customer": "acme", "plan": "pro"})
    events = [
        {"id": f"e{n}", "event_name": "call", "customer": "acme", "time": "2026-01-02T00:00:00Z"}
        for n in range(13)
    ]
    await post("events", events[:12])
    await post(f"test-clocks/{clock}/advance", {"to": "2026-01-03T00:00:00Z"})
    await post("events", events[12:])

    foreseen = await get("subscriptions/s1/upcoming-invoice")
    shown = [(line["quantity"], line["credits_invoice"]) for line in foreseen["lines"]]
    assert (foreseen["subtotal"], shown) == ("1.00", [("13", None), ("-12", "INV-000001")])

    await post(f"test-clocks/{clock}/advance", {"to": "2026-02-01T00:00:00Z"})
    told = {
        (number, line): await get(f"invoices/INV-00000{number}/lines/{line}/explain")
        for number, line in ((1, 1), (2, 1), (2, 2))
    }
    assert all(each["agrees"] for each in told.values())
    assert told[1, 1]["in_words"].startswith("All usage of the period so far")
    assert (told[1, 1]["usage"]["quantity"], told[1, 1]["billed_before"]) == ("12", None)
    assert (told[2, 1]["usage"]["quantity"], told[2, 1]["billed_before"]) == ("13", None)
    credited = {"quantity": "12", "exact_amount": "12", "invoices": ["INV-000001"]}
    assert (told[2, 2]["usage"], told[2, 2]["billed_before"]) == (None, credited)
    refused = await client.get("/v1/invoices/INV-000002/lines/2/events")
    assert (refused.status_code, "not for usage" in refused.json()["detail"]) == (404, True)
